"""Settings of the store."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where the platform stores its data."""

    url: str = ""
    """SQLAlchemy URL of the database. Default: empty, which means SQLite in `lambent.db` in the
    data directory and needs no installation. `postgresql://…` names a PostgreSQL server.
    One platform at a time uses a database; a second one does not start unless both are
    `shared`."""

    shared: bool = False
    """Whether other platforms with this setting may use the same PostgreSQL database at the same
    time: together they are one platform (docs/nodes.md). Default: false. All need the same
    packages: see `blobs_dir` and `blobs_url`."""

    node_url: str = ""
    """URL at which other nodes reach this one, such as `http://10.0.0.1:5262`. Default: empty,
    which means the address that it listens on, or the machine's name if that is all addresses."""

    blobs_dir: str = ""
    """Directory of deployment packages, created if missing; the platform becomes its owner. Large
    payloads of events are stored next to it, in a directory whose name ends in `-events`. Default:
    empty, which means `state/blobs` in the data directory."""

    blobs_url: str = ""
    """Where packages and large payloads are kept instead of in `blobs_dir`: `s3://bucket/prefix`,
    a bucket that exists and a prefix that is the platform's own. Payloads are below the same prefix
    with `-events` added. Credentials come from the environment (`AWS_ACCESS_KEY_ID` and
    `AWS_SECRET_ACCESS_KEY`) or are those of the machine's role. Default: empty, which means
    `blobs_dir`. `lambent backup` copies directories only."""

    blobs_endpoint: str = ""
    """Endpoint for `blobs_url`. Default: empty, which means AWS itself; anything that speaks the
    protocol of S3 will do."""

    blobs_region: str = "us-east-1"
    """Region of the bucket of `blobs_url`. Default: us-east-1."""

    synchronous: str = "FULL"
    """SQLite's `synchronous` pragma. Default: FULL, because an acknowledged change must survive
    a power cut; `NORMAL` or `OFF` trade that for speed on disposable machines."""
