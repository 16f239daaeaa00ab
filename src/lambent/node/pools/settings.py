"""Settings of capacity."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingSettings:
    """Pools of execution environments."""

    environments_max: int = 2000
    """Maximum execution environments on this host, idle ones included. The oldest idle environment
    of any function is removed for a new one; if none is idle, the invocation is throttled."""
    scaling_per_10_s: int = 1000
    """New environments of one function in 10 seconds; further invocations that need one are
    throttled. The rate refills evenly: by default 100 each second, as in AWS. 0 means no limit."""
    freeze_after_s: float = 0.1
    """Idle seconds after which an environment is frozen. AWS freezes at once; a short delay saves
    two system calls between back-to-back invocations."""
    keep_alive_s: float = 600.0
    """Idle seconds after which an environment is removed; AWS keeps them some 5 to 15 minutes."""
    environment_age_max_s: float = 14_400.0
    """Maximum age of an environment, in seconds, before it is replaced. Default: 4 hours, so that
    its credentials never expire."""
    sweep_every_s: float = 0.05
    """Seconds between two searches for environments to freeze or to remove."""
    memory_reserve_mb: int = 0
    """MB of the host's memory that environments leave free: with less available, the environments
    that were idle the longest are removed, and new ones wait. 0 means 5 % of the host's memory, at
    least 256."""
    memory_wait_s: float = 10.0
    """Seconds that an invocation may wait for memory before it is throttled."""
