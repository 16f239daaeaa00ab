"""When schedules are due, and events on their way to the targets of rules."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "ticks",
        sa.Column("service", sa.String(32), primary_key=True),
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("root", sa.String(128), primary_key=True),
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("scheduled_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
    )
    op.create_index("ix_ticks_due_at", "ticks", ["due_at"])
    op.create_table(
        "event_deliveries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("target", sa.String(256), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("claimed_by", sa.String(36)),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    for name, columns, where in (
        ("ix_event_deliveries_waiting", ["target", "due_at"], "claimed_by IS NULL"),
        ("ix_event_deliveries_claimed", ["claimed_by", "due_at"], "claimed_by IS NOT NULL"),
    ):
        op.create_index(
            name,
            "event_deliveries",
            columns,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )


def downgrade() -> None:
    op.drop_table("event_deliveries")
    op.drop_table("ticks")
