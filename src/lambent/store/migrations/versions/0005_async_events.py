"""Events of asynchronous invocations."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "async_events",
        sa.Column("request_id", sa.String(36), primary_key=True),
        sa.Column("account", sa.String(12), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("qualifier", sa.String(128)),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("trace_id", sa.String(512), nullable=False),
        sa.Column("accepted_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, index=True),
        sa.Column("claimed_by", sa.String(36), index=True),
        sa.Column("function_errors", sa.Integer, nullable=False),
        sa.Column("system_errors", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("async_events")
