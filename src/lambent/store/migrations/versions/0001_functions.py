"""Functions, their versions and tags."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _key() -> list[sa.Column]:
    return [
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
    ]


def _belongs_to_function() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.create_table(
        "functions",
        *_key(),
        sa.Column("next_version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "function_versions",
        *_key(),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("code_key", sa.String(64), nullable=False, index=True),
        sa.Column("code_size", sa.BigInteger, nullable=False),
        sa.Column("is_settled", sa.Boolean, nullable=False, index=True),
        sa.Column("configuration", sa.JSON, nullable=False),
        sa.Column("published_from", sa.String(64)),
        sa.Column("serving", sa.JSON),
        sa.Column("serving_code_key", sa.String(64), index=True),
        _belongs_to_function(),
    )
    op.create_table(
        "function_tags",
        *_key(),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("value", sa.String(256), nullable=False),
        _belongs_to_function(),
    )


def downgrade() -> None:
    op.drop_table("function_tags")
    op.drop_table("function_versions")
    op.drop_table("functions")
