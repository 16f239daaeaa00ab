"""Whose an event is."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "async_events", sa.Column("tenant_id", sa.String(256), nullable=False, server_default="")
    )


def downgrade() -> None:
    op.drop_column("async_events", "tenant_id")
