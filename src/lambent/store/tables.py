"""The tables, as the code sees them. Every change needs a migration in `migrations/versions`."""

import sqlalchemy as sa

metadata = sa.MetaData()

# A single row.
platform = sa.Table(
    "platform",
    metadata,
    # The database's id, which is also stored with the packages that belong to it.
    sa.Column("id", sa.String(36), primary_key=True),
    # How many times a platform has started on it.
    sa.Column("starts", sa.BigInteger, nullable=False),
    # Who holds it, on PostgreSQL: store.holding.Holder.
    sa.Column("holder", sa.JSON(none_as_null=True)),
    # The `seq` of the last change; the holder of this row's lock decides the order of changes.
    sa.Column("last_change", sa.BigInteger, nullable=False, server_default="0"),
    # The last start that admitted no other platform.
    sa.Column("last_alone", sa.BigInteger, nullable=False, server_default="0"),
    # Which code can use the tables: see store.schema.Marks.
    sa.Column("usable_from", sa.String(32)),
    sa.Column("migrated_by", sa.String(64)),
)

_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# Platforms that share the database: see store.nodes.
nodes = sa.Table(
    "nodes",
    metadata,
    # The count of its start: platform.starts.
    sa.Column("number", _id, primary_key=True, autoincrement=False),
    # Its host and data directory, which only one platform at a time can use.
    sa.Column("place", sa.String(1024), nullable=False),
    # Further members of model.nodes.Node.
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("seen", sa.BigInteger),
    sa.Column("beats", sa.BigInteger, nullable=False),
    # Whether another node has missed its beats since the last one.
    sa.Column("is_suspect", sa.Boolean, nullable=False),
)

# What changed, in the order of the commits and without gaps: see store.changes. Old rows go.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("seq", _id, primary_key=True, autoincrement=False),
    # store.changes.Kind
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("key", sa.String(256), nullable=False),
)

# Rows to lock while sums over an account are checked; created when first needed: see store.locks.
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
)

# Packages that were found unused, and since when: see control.packages.
unused_packages = sa.Table(
    "unused_packages",
    metadata,
    sa.Column("code_key", sa.String(64), primary_key=True),
    sa.Column("since", sa.Double, nullable=False),
)

functions = sa.Table(
    "functions",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    # The number of the next published version; never decreases.
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
    # False while it still has to be prepared.
    sa.Column("is_settled", sa.Boolean, nullable=False, index=True),
    # The other fields of model.function.FunctionVersion.
    sa.Column("configuration", sa.JSON, nullable=False),
    # The state of $LATEST when this version was published (see control.versions).
    sa.Column("published_from", sa.String(64)),
    # What invocations run while an update is in progress or after it failed.
    sa.Column("serving", sa.JSON(none_as_null=True)),
    sa.Column("serving_code_key", sa.String(64), index=True),
    sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        ondelete="CASCADE",
    ),
)

aliases = sa.Table(
    "aliases",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("alias", sa.String(128), primary_key=True),
    # 0 is $LATEST.
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("description", sa.String(256), nullable=False),
    # Version number to share of the invocations, as text to number.
    sa.Column("weights", sa.JSON, nullable=False),
    sa.Column("revision_id", sa.String(36), nullable=False),
    sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        ondelete="CASCADE",
    ),
)

# Settings of a function outside its configuration: a document for each kind and qualifier.
function_settings = sa.Table(
    "function_settings",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    # $LATEST also stands for the function as a whole.
    sa.Column("qualifier", sa.String(128), primary_key=True),
    # A second key to find the document by.
    sa.Column("reference", sa.String(256), index=True),
    sa.Column("document", sa.JSON, nullable=False),
    sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        ondelete="CASCADE",
    ),
)

layers = sa.Table(
    "layers",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(140), primary_key=True),
    # The number of the next version; the row stays when all versions are deleted.
    sa.Column("next_version", sa.BigInteger, nullable=False),
)

layer_versions = sa.Table(
    "layer_versions",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(140), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("code_key", sa.String(64), nullable=False, index=True),
    sa.Column("code_size", sa.BigInteger, nullable=False),
    # Deleted, but kept for the functions that use it.
    sa.Column("is_deleted", sa.Boolean, nullable=False),
    # The other fields of model.layer.LayerVersion.
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("policy", sa.JSON(none_as_null=True)),
    sa.ForeignKeyConstraint(
        ["account", "region", "name"],
        ["layers.account", "layers.region", "layers.name"],
        ondelete="CASCADE",
    ),
)

code_signing_configs = sa.Table(
    "code_signing_configs",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("id", sa.String(21), primary_key=True),
    sa.Column("document", sa.JSON, nullable=False),
)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("arn", sa.String(256), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("value", sa.String(256), nullable=False),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    # `user`, `role`, `group`, or `policy` for a managed policy.
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    # The other fields of model.identity.Identity, or of model.managed_policy.ManagedPolicy.
    sa.Column("document", sa.JSON, nullable=False),
)

access_keys = sa.Table(
    "access_keys",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("account", sa.String(12), nullable=False, index=True),
    # None for keys of the account's root.
    sa.Column("user_name", sa.String(128)),
    sa.Column("secret", sa.String(128), nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
)

platform_secrets = sa.Table(
    "platform_secrets",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)

# Tags outlive their functions, so no foreign key refers to those.
event_source_mappings = sa.Table(
    "event_source_mappings",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("account", sa.String(12), nullable=False),
    sa.Column("region", sa.String(32), nullable=False),
    sa.Column("function_name", sa.String(64), nullable=False, index=True),
    sa.Column("source_id", sa.Text, nullable=False, index=True),
    # The other fields of model.mapping.EventSourceMapping.
    sa.Column("document", sa.JSON, nullable=False),
)

# Resources of other services that the platform offers: see model.document.
documents = sa.Table(
    "documents",
    metadata,
    sa.Column("service", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("root", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("id", sa.String(256), primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("ix_documents_service_kind_id", "service", "kind", "id"),
)

# How many requests API keys made, by usage plan and day: see store.usage.
api_usage = sa.Table(
    "api_usage",
    metadata,
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("usage_plan", sa.String(64), primary_key=True),
    sa.Column("api_key", sa.String(64), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
)

# How far mappings have read, by shard.
mapping_positions = sa.Table(
    "mapping_positions",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("part", sa.String(256), primary_key=True),
    # store.positions.Position
    sa.Column("document", sa.JSON, nullable=False),
)

# Which node polls a mapping, where several share the database.
mapping_leases = sa.Table(
    "mapping_leases",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("node", sa.BigInteger, nullable=False),
)

# How much of a limit each node counts against: see model.shares.
concurrency_shares = sa.Table(
    "concurrency_shares",
    metadata,
    # A function, or an account and Region, separated by colons.
    sa.Column("purse", sa.String(256), primary_key=True),
    sa.Column("node", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    # Whether another node needs what is not used.
    sa.Column("asked", sa.Boolean, nullable=False),
    # When the share of a node that is gone is free, in epoch seconds of the database.
    sa.Column("free_at", sa.Double),
    sa.Index("ix_concurrency_shares_node", "node"),
)

_free = sa.text("claimed_by IS NULL")
_claimed = sa.text("claimed_by IS NOT NULL")

async_events = sa.Table(
    "async_events",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=False),
    sa.Column("request_id", sa.String(36), nullable=False),
    sa.Column("account", sa.String(12), nullable=False),
    sa.Column("region", sa.String(32), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("qualifier", sa.String(128)),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("is_beside", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("trace_id", sa.String(1024), nullable=False),
    sa.Column("tenant_id", sa.String(256), nullable=False, server_default=""),
    sa.Column("accepted_at", sa.Double, nullable=False),
    # When the next attempt is due.
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("claimed_by", sa.String(36)),
    sa.Column("function_errors", sa.Integer, nullable=False),
    sa.Column("system_errors", sa.Integer, nullable=False),
    sa.Index(
        "ix_async_events_waiting",
        *("account", "region", "name", "due_at"),
        sqlite_where=_free,
        postgresql_where=_free,
    ),
    sa.Index(
        "ix_async_events_claimed",
        *("claimed_by", "due_at"),
        sqlite_where=_claimed,
        postgresql_where=_claimed,
    ),
)


def _target_lanes(name: str) -> sa.Table:
    """What waits to be delivered to targets: see store.target_lanes."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", _id, primary_key=True, autoincrement=False),
        sa.Column("target", sa.String(256), nullable=False),
        # The fields of a delivery that have no column.
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("claimed_by", sa.String(36)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Index(
            f"ix_{name}_waiting",
            *("target", "due_at"),
            sqlite_where=_free,
            postgresql_where=_free,
        ),
        sa.Index(
            f"ix_{name}_claimed",
            *("claimed_by", "due_at"),
            sqlite_where=_claimed,
            postgresql_where=_claimed,
        ),
    )


# Records for destinations and events for dead-letter queues.
deliveries = _target_lanes("deliveries")

# Events of rules and schedules.
event_deliveries = _target_lanes("event_deliveries")

# When schedules are due: see store.ticks.
ticks = sa.Table(
    "ticks",
    metadata,
    sa.Column("service", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(32), primary_key=True),
    sa.Column("root", sa.String(128), primary_key=True),
    sa.Column("id", sa.String(256), primary_key=True),
    sa.Column("scheduled_at", sa.Double, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False, index=True),
)

# Objects in buckets.
bucket_objects = sa.Table(
    "bucket_objects",
    metadata,
    sa.Column("bucket", sa.String(63), primary_key=True),
    # UTF-8, because S3 orders keys by their bytes.
    sa.Column("key", sa.LargeBinary(1024), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    # The other fields of store.objects.StoredObject.
    sa.Column("body", sa.JSON, nullable=False),
)

# The contents of objects, and of parts of uploads that are not complete: blobs, in their order.
bucket_chunks = sa.Table(
    "bucket_chunks",
    metadata,
    sa.Column("owner", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("code_key", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Index("ix_bucket_chunks_code_key", "code_key"),
)

# Users of Cognito's user pools: see store.pool_users.
pool_users = sa.Table(
    "pool_users",
    metadata,
    sa.Column("pool", sa.String(64), primary_key=True),
    # The user name, in lower case if the pool's names are not case-sensitive.
    sa.Column("key", sa.String(128), primary_key=True),
    # What the API shows.
    sa.Column("document", sa.JSON, nullable=False),
    # What no caller sees: the verifier of the password, codes as hashes, what is revoked.
    sa.Column("secrets", sa.JSON, nullable=False),
)

# What users are found by: attributes, aliases, groups.
pool_user_terms = sa.Table(
    "pool_user_terms",
    metadata,
    sa.Column("pool", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(160), primary_key=True),
    # UTF-8, because prefixes are ranges of bytes: the first 256 characters.
    sa.Column("value", sa.LargeBinary(1024), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Index("ix_pool_user_terms_pool_key", "pool", "key"),
)

# Challenges that have their answer, and take no second one.
pool_answers = sa.Table(
    "pool_answers",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("ends_at", sa.Double, nullable=False, index=True),
)

# Conversations with bots of Lex: see store.lex_sessions.
lex_sessions = sa.Table(
    "lex_sessions",
    metadata,
    # Account, region and id of the bot.
    sa.Column("bot", sa.String(96), primary_key=True),
    # Alias, locale and the client's id.
    sa.Column("id", sa.String(160), primary_key=True),
    # model.lex.session.Session
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("turns", sa.Integer, nullable=False),
    sa.Column("ends_at", sa.Double, nullable=False, index=True),
)
