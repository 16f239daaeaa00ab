"""What an operator can configure about sandboxes."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Settings of the `sandbox` room."""

    isolation: str = "auto"
    """Which tier to use: `auto` takes the strongest that this host allows; `root`,
    `root-no-cgroups`, `rootless` or `process` require this tier and refuse to start without it.
    `lambent doctor` names them."""
    allow_weak: bool = False
    """Whether to start in the tier `process` although `--auth strict`, or a rule of `egress`,
    requires what it cannot enforce: to isolate functions from each other, from networks and from
    this host's services. Default false."""
    platform_uid: int = 64_999
    """User and group that the platform becomes after root started it. No account has this
    number."""
    uid_base: int = 1_900_000_000
    """First of the user IDs that boxes run as on the host, one per box; the next 100,000 IDs must
    be unused. A container that does not have these IDs uses those from 45,000 to 59,999."""
    prepared_memory_mb: int = 0
    """MB of memory that prewarmed runtimes may use; 0 means 5 % of the host's memory, at most 512.
    A burst of new environments beyond them starts a little slower."""
    request_deadline_s: float = 15.0
    """Seconds that the launcher may take to reply before a box counts as unavailable."""
