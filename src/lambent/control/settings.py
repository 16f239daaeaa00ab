"""What an operator may choose about the control plane."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """What differs from account to account at AWS, and how deployment behaves."""

    total_code_size_bytes: int = 300 * 1024**3
    """Bytes of packages one account may keep in one region, each version counting its full copy.
    Default: 300 GiB, as in AWS."""

    signing_roots: str = ""
    """PEM file with the root certificates of whoever signs packages for code signing
    configurations, AWS Signer's or one's own. Default: empty, which means that no package counts
    as signed."""

    unreserved_concurrency_min: int = 100
    """Concurrent executions of an account and region that must stay for functions that reserve
    nothing. Default: 100, as in AWS."""

    parallel_preparations: int = 2
    """How many versions are prepared (unpacked) at the same time. Default: 2, since unpacking
    fills one core and the others are wanted for invocations."""
