"""How far event source mappings have read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "mapping_positions",
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("part", sa.String(256), primary_key=True),
        sa.Column("document", sa.JSON, nullable=False),
    )
    op.drop_index("ix_event_source_mappings_is_settled", "event_source_mappings")
    op.drop_column("event_source_mappings", "is_settled")


def downgrade() -> None:
    op.add_column(
        "event_source_mappings",
        sa.Column("is_settled", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_event_source_mappings_is_settled", "event_source_mappings", ["is_settled"])
    op.drop_table("mapping_positions")
