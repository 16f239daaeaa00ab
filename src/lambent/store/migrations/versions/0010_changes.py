"""What changed, for platforms that share the database; accounts to lock; packages to delete."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("seq", _id, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(256), nullable=False),
    )
    op.create_table(
        "accounts",
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
    )
    op.create_table(
        "unused_packages",
        sa.Column("code_key", sa.String(64), primary_key=True),
        sa.Column("since", sa.Double, nullable=False),
    )
    with op.batch_alter_table("platform") as platform:
        for name in ("last_change", "last_alone"):
            platform.add_column(sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("platform") as platform:
        for name in ("last_change", "last_alone"):
            platform.drop_column(name)
    for name in ("unused_packages", "accounts", "changes"):
        op.drop_table(name)
