"""Resources of services that the platform offers beside functions."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("service", sa.String(32), primary_key=True),
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("root", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("ix_documents_service_kind_id", "documents", ["service", "kind", "id"])


def downgrade() -> None:
    op.drop_table("documents")
