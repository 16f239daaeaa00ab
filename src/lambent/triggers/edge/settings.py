"""Settings of the edge."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """The cache of CloudFront's distributions."""

    memory_mb: int = 64
    """MB of responses of at most 64 KiB, which are kept in memory. When it is full, those that were
    not asked for the longest go. Default: 64."""

    disk_mb: int = 1024
    """MB of larger responses, which are kept in files below the data directory. No response may
    take more than a quarter of it. The cache is empty after a start. Default: 1024."""
