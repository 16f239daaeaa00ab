"""What an operator may choose about execution environments."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings of the `worker` room."""

    init_limit_s: float = 10.0
    """Seconds the init phase may take before it is cut and repeated inside the first
    invocation; AWS allows 10."""
    runtimes_dir: str = ""
    """Directory of the prepared runtime clients, shared by all data directories of this user;
    empty means `$XDG_CACHE_HOME/lambent/runtimes`."""
