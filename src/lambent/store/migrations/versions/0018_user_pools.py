"""Users of Cognito's user pools."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "pool_users",
        sa.Column("pool", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("secrets", sa.JSON, nullable=False),
    )
    op.create_table(
        "pool_user_terms",
        sa.Column("pool", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(160), primary_key=True),
        sa.Column("value", sa.LargeBinary(1024), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
    )
    op.create_index("ix_pool_user_terms_pool_key", "pool_user_terms", ["pool", "key"])
    op.create_table(
        "pool_answers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("ends_at", sa.Double, nullable=False),
    )
    op.create_index("ix_pool_answers_ends_at", "pool_answers", ["ends_at"])


def downgrade() -> None:
    op.drop_table("pool_answers")
    op.drop_table("pool_user_terms")
    op.drop_table("pool_users")
