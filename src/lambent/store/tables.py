"""The tables, as the code sees them. Every change needs a migration in `migrations/versions`."""

import sqlalchemy as sa

metadata = sa.MetaData()

functions = sa.Table(
    "functions",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    # The number the next published version gets; never goes back.
    sa.Column("next_version", sa.BigInteger, nullable=False),
)

function_versions = sa.Table(
    "function_versions",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    # 0 is $LATEST.
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("code_key", sa.String(64), nullable=False, index=True),
    sa.Column("code_size", sa.BigInteger, nullable=False),
    # False while somebody still has to prepare it.
    sa.Column("is_settled", sa.Boolean, nullable=False, index=True),
    # The other fields of model.function.FunctionVersion.
    sa.Column("configuration", sa.JSON, nullable=False),
    # What $LATEST was when this version was published (see control.versions).
    sa.Column("published_from", sa.String(64)),
    # What still answers invocations while an update is in progress or after it failed.
    sa.Column("serving", sa.JSON(none_as_null=True)),
    sa.Column("serving_code_key", sa.String(64), index=True),
    sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        ondelete="CASCADE",
    ),
)

function_tags = sa.Table(
    "function_tags",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("value", sa.String(256), nullable=False),
    sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        ondelete="CASCADE",
    ),
)
