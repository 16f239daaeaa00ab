"""Aliases, settings of functions, layers, code signing configurations; tags of any resource."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_THIS_FUNCTION = "'arn:aws:lambda:' || region || ':' || account || ':function:' || name"


def _key() -> list[sa.Column]:
    return [
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
    ]


def _belongs_to(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        [f"{table}.account", f"{table}.region", f"{table}.name"],
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.create_table(
        "aliases",
        *_key(),
        sa.Column("alias", sa.String(128), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("description", sa.String(256), nullable=False),
        sa.Column("weights", sa.JSON, nullable=False),
        sa.Column("revision_id", sa.String(36), nullable=False),
        _belongs_to("functions"),
    )
    op.create_table(
        "function_settings",
        *_key(),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("qualifier", sa.String(128), primary_key=True),
        sa.Column("reference", sa.String(256), index=True),
        sa.Column("document", sa.JSON, nullable=False),
        _belongs_to("functions"),
    )
    op.create_table(
        "layers",
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(140), primary_key=True),
        sa.Column("next_version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "layer_versions",
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(140), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("code_key", sa.String(64), nullable=False, index=True),
        sa.Column("code_size", sa.BigInteger, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("policy", sa.JSON),
        _belongs_to("layers"),
    )
    op.create_table(
        "code_signing_configs",
        sa.Column("account", sa.String(12), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("id", sa.String(21), primary_key=True),
        sa.Column("document", sa.JSON, nullable=False),
    )
    op.create_table(
        "tags",
        sa.Column("arn", sa.String(256), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("value", sa.String(256), nullable=False),
    )
    op.execute(
        f"INSERT INTO tags (arn, key, value) SELECT {_THIS_FUNCTION}, key, value FROM function_tags"
    )
    op.drop_table("function_tags")


def downgrade() -> None:
    op.create_table(
        "function_tags",
        *_key(),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("value", sa.String(256), nullable=False),
        _belongs_to("functions"),
    )
    op.execute(
        "INSERT INTO function_tags (account, region, name, key, value)"
        " SELECT account, region, name, key, value FROM functions"
        f" JOIN tags ON tags.arn = {_THIS_FUNCTION}"
    )
    for table in (
        "tags",
        "code_signing_configs",
        "layer_versions",
        "layers",
        "function_settings",
        "aliases",
    ):
        op.drop_table(table)
