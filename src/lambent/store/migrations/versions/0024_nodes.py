"""Platforms that share the database, which of them polls an event source mapping, and how much of a
limit each counts against."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0019"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "nodes",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("place", sa.String(1024), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("seen", sa.BigInteger),
        sa.Column("beats", sa.BigInteger, nullable=False),
        sa.Column("is_suspect", sa.Boolean, nullable=False),
    )
    op.create_table(
        "mapping_leases",
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("node", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "concurrency_shares",
        sa.Column("purse", sa.String(256), primary_key=True),
        sa.Column("node", sa.BigInteger, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("asked", sa.Boolean, nullable=False),
        sa.Column("free_at", sa.Double),
    )
    op.create_index("ix_concurrency_shares_node", "concurrency_shares", ["node"])


def downgrade() -> None:
    op.drop_table("concurrency_shares")
    op.drop_table("mapping_leases")
    op.drop_table("nodes")
