"""Events are found by function, and known by a number of the platform's own."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_COLUMNS = (
    "request_id, account, region, name, qualifier, payload, trace_id, accepted_at, due_at,"
    " claimed_by, function_errors, system_errors, tenant_id"
)


def upgrade() -> None:
    op.drop_index("ix_async_events_due_at", "async_events")
    op.drop_index("ix_async_events_claimed_by", "async_events")
    op.rename_table("async_events", "async_events_before")
    op.create_table(
        "async_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
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
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("claimed_by", sa.String(36)),
        sa.Column("function_errors", sa.Integer, nullable=False),
        sa.Column("system_errors", sa.Integer, nullable=False),
    )
    # An event without a time waited for a destination to be served: it gets one more attempt.
    op.execute(
        f"INSERT INTO async_events (id, {_COLUMNS})"
        " SELECT row_number() OVER (ORDER BY accepted_at), request_id, account, region, name,"
        " qualifier, payload, trace_id, accepted_at, COALESCE(due_at, accepted_at), claimed_by,"
        " function_errors, system_errors, tenant_id FROM async_events_before"
    )
    op.drop_table("async_events_before")
    op.create_index(
        "ix_async_events_waiting",
        "async_events",
        ["account", "region", "name", "due_at"],
        sqlite_where=sa.text("claimed_by IS NULL"),
        postgresql_where=sa.text("claimed_by IS NULL"),
    )
    op.create_index(
        "ix_async_events_claimed",
        "async_events",
        ["claimed_by", "due_at"],
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("target", sa.String(256), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("claimed_by", sa.String(36)),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["target", "due_at"],
        sqlite_where=sa.text("claimed_by IS NULL"),
        postgresql_where=sa.text("claimed_by IS NULL"),
    )
    op.create_index(
        "ix_deliveries_claimed",
        "deliveries",
        ["claimed_by", "due_at"],
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_index("ix_async_events_waiting", "async_events")
    op.drop_index("ix_async_events_claimed", "async_events")
    op.rename_table("async_events", "async_events_after")
    op.create_table(
        "async_events",
        sa.Column("request_id", sa.String(36), primary_key=True),
        sa.Column("account", sa.String(12), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("qualifier", sa.String(128)),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("trace_id", sa.String(512), nullable=False),
        sa.Column("accepted_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, index=True),
        sa.Column("claimed_by", sa.String(36), index=True),
        sa.Column("function_errors", sa.Integer, nullable=False),
        sa.Column("system_errors", sa.Integer, nullable=False),
        sa.Column("tenant_id", sa.String(256), nullable=False, server_default=""),
    )
    # What lies beside its row cannot be found by older versions, nor two of one request id.
    op.execute(
        f"INSERT INTO async_events ({_COLUMNS}) SELECT {_COLUMNS} FROM async_events_after"
        " WHERE NOT is_beside AND length(trace_id) <= 512"
        " AND id IN (SELECT min(id) FROM async_events_after GROUP BY request_id)"
    )
    op.drop_table("async_events_after")
