"""Objects in the platform's own buckets."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "bucket_objects",
        sa.Column("bucket", sa.String(63), primary_key=True),
        sa.Column("key", sa.LargeBinary(1024), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "bucket_chunks",
        sa.Column("owner", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("code_key", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_bucket_chunks_code_key", "bucket_chunks", ["code_key"])


def downgrade() -> None:
    op.drop_table("bucket_chunks")
    op.drop_table("bucket_objects")
