"""Settings of the control plane."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """Quotas that AWS sets per account, and deployment."""

    total_code_size_bytes: int = 300 * 1024**3
    """Maximum bytes of packages of one account in one region; each version counts in full.
    Default: 300 GiB, as in AWS."""

    buckets_bytes_max: int = 10 * 1024**3
    """Maximum bytes of all objects in the platform's own buckets, over all accounts. Default: 10
    GiB."""

    signing_roots: str = ""
    """PEM file with the root certificates of the signers of packages for code signing
    configurations: AWS Signer's or your own. Default: empty, no package counts as signed."""

    unreserved_concurrency_min: int = 100
    """Concurrent executions of an account and region that cannot be reserved. Default: 100, as in
    AWS."""

    parallel_preparations: int = 2
    """Versions that are prepared (unpacked) at the same time. Default: 2: unpacking keeps one core
    busy, and the others are for invocations."""
