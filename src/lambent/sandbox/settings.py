"""What an operator may choose about sandboxes."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Settings of the `sandbox` room."""

    isolation: str = "auto"
    """Which tier to use: `auto` takes the strongest this host gives; `root`, `root-no-cgroups`,
    `rootless` or `process` insist on one and refuse to start without it. `lambent doctor` names
    them."""
    allow_weak: bool = False
    """Whether to start in the tier `process` although `--auth strict`, or a rule of `egress`, asks
    for what it cannot keep: functions apart from each other, from networks and from this host's
    services. Default false."""
    platform_uid: int = 64_999
    """User and group the platform becomes after it was started by root. A number no account has."""
    uid_base: int = 1_900_000_000
    """First of the user numbers that boxes run as on the host, one per box; 100,000 numbers from
    here on must belong to nobody. A container that has no such numbers takes those from 45,000 to
    59,999."""
    prepared_memory_mb: int = 0
    """MB of memory that runtimes prepared ahead of demand may take; 0 means 5 % of the host's, at
    most 512. A burst of new environments beyond them starts a little slower."""
    request_deadline_s: float = 15.0
    """Seconds the launcher may take to answer before a box counts as not to be had."""
