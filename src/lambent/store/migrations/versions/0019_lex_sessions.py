"""Conversations with bots of Lex."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "lex_sessions",
        sa.Column("bot", sa.String(96), primary_key=True),
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
    )
    op.create_index("ix_lex_sessions_ends_at", "lex_sessions", ["ends_at"])


def downgrade() -> None:
    op.drop_table("lex_sessions")
