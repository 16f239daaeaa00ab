"""What an operator may choose about execution environments."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings of the `worker` room."""

    init_limit_s: float = 10.0
    """Seconds the init phase may take before it is cut and repeated inside the first
    invocation; AWS allows 10."""
    starts_at_once: int = 8
    """Environments whose sandboxes are built at the same time, half of them of one function and
    three quarters of one account at most. More are started in turn: accounts take turns, and so do
    the functions of each."""
    start_wait_s: float = 300.0
    """Seconds a new environment may wait for its turn before the call that needs it is
    throttled."""
    snapshots_mb: int = 4096
    """Most MB of memory for snapshots of versions that use SnapStart; 0 turns them off. Without
    one, because there was no room for it, a version is initialised for each environment."""
    code_mb: int = 20_480
    """Most MB of disk for unpacked packages, their layers and bytecode. Beyond it those that no
    environment uses are deleted, the ones used longest ago first; they are unpacked again when they
    are needed. Those of deleted functions and of replaced code go anyway."""
    runtimes_dir: str = ""
    """Directory of the prepared runtime clients, shared by all data directories of this user;
    empty means `$XDG_CACHE_HOME/lambent/runtimes`."""
