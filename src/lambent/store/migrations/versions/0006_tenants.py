"""Whose an event is."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    column = sa.Column("tenant_id", sa.String(256), nullable=False, server_default="")
    with op.batch_alter_table("async_events", recreate="always") as table:
        table.add_column(column)


def downgrade() -> None:
    with op.batch_alter_table("async_events", recreate="always") as table:
        table.drop_column("tenant_id")
