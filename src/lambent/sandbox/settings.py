"""Settings of sandboxes."""

import dataclasses
import os

_PREPARED_SHARE, _PREPARED_MB_MAX = 0.05, 512


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Settings of the `sandbox` room."""

    isolation: str = "auto"
    """The isolation tier: `auto` uses the strongest that this host allows; with `root`,
    `root-no-cgroups`, `rootless` or `process` the platform starts only with that one. `lambent
    doctor` explains them."""
    allow_weak: bool = False
    """Whether to start in the tier `process` although `--auth strict`, or a rule of `egress`, asks
    for what it cannot do: isolate functions from each other, from networks and from this host's
    services. Default: false."""
    platform_uid: int = 64_999
    """User and group id of the platform after root has started it. No account may have this id."""
    uid_base: int = 1_900_000_000
    """First of the user ids of sandboxes on the host, one for each; the 100,000 ids from here on
    must be unused. In a container without such ids, those from 45,000 to 59,999 are used."""
    prepared_memory_mb: int = 0
    """Maximum MB of memory for runtimes that are prepared ahead of demand; 0 means 5 % of the
    host's, at most 512. New environments beyond them start a little slower."""
    request_deadline_s: float = 15.0
    """Timeout of a request to the launcher, in seconds."""

    @property
    def prepared_mb(self) -> int:
        """What `prepared_memory_mb` means on this host."""
        total_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        return self.prepared_memory_mb or min(int(total_mb * _PREPARED_SHARE), _PREPARED_MB_MAX)
