"""Settings of execution environments."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Execution environments, their code and runtimes."""

    init_limit_s: float = 10.0
    """Timeout of the init phase, in seconds; after it, init is repeated in the first invocation.
    Default: 10, as in AWS."""
    starts_at_once: int = 8
    """Sandboxes that are built at the same time; at most half of them for one function and three
    quarters for one account. More wait: accounts take turns, and so do the functions of each."""
    start_wait_s: float = 300.0
    """Seconds that a new environment may wait for its turn; then its invocation is throttled."""
    snapshots_mb: int = 4096
    """Maximum MB of memory for snapshots of versions that use SnapStart; 0 turns them off. A
    version without a snapshot, for lack of memory, is initialised in each environment."""
    code_mb: int = 20_480
    """Maximum MB of disk for unpacked packages, their layers and bytecode. Beyond it, packages that
    no environment uses are deleted, least recently used first, and unpacked again when needed.
    Those of deleted functions and of replaced code are deleted in any case."""
    runtimes_dir: str = ""
    """Directory of the prepared runtime clients, shared by all data directories of this user;
    empty means `$XDG_CACHE_HOME/lambent/runtimes`."""
