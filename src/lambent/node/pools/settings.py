"""What an operator may choose about capacity."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingSettings:
    """Settings of the `scheduling` room."""

    environments_max: int = 2000
    """Most execution environments on this host at once, idle ones included. The oldest idle
    environment of any function makes room for a new one; with none idle the call is throttled."""
    scaling_per_10_s: int = 1000
    """New environments of one function that calls may start in 10 seconds; further calls that
    need one are throttled. They come back evenly, 100 each second by default, as in AWS. 0 means
    as fast as the host can."""
    freeze_after_s: float = 0.1
    """Idle seconds after which an environment is frozen. AWS freezes at once; a short grace
    keeps back-to-back calls free of two system calls and costs nothing visible."""
    keep_alive_s: float = 600.0
    """Idle seconds after which an environment is removed; AWS keeps them some 5 to 15 minutes."""
    environment_age_max_s: float = 14_400.0
    """Seconds an environment may live, busy or not, before it is replaced. Default: 4 hours, so
    that the credentials it was given never expire under it."""
    sweep_every_s: float = 0.05
    """Seconds between two looks for environments to freeze or to remove."""
    memory_reserve_mb: int = 0
    """MB of the host's memory that environments leave alone: with less available the longest idle
    ones are removed, and new ones wait. 0 means 5 % of the host's, at least 256."""
    memory_wait_s: float = 10.0
    """Seconds a call may wait for memory before it is throttled."""
