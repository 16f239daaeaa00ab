"""Settings of the store."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where the platform stores its data."""

    url: str = ""
    """SQLAlchemy URL of the database. Default: empty, which means SQLite in `lambent.db` in the
    data directory and needs no installation. `postgresql+psycopg://…` names a PostgreSQL server.
    One platform at a time uses a database; a second one does not start."""

    blobs_dir: str = ""
    """Directory of deployment packages, created if missing; the platform becomes its owner. Large
    payloads of events are stored next to it, in a directory whose name ends in `-events`. Default:
    empty, which means `state/blobs` in the data directory."""

    synchronous: str = "FULL"
    """SQLite's `synchronous` pragma. Default: FULL, because an acknowledged change must survive
    a power cut; `NORMAL` or `OFF` trade that for speed on disposable machines."""
