"""Settings of the emulator of other AWS services."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServicesSettings:
    """Settings of the `services` room."""

    enabled: bool = False
    """Whether the platform also runs an emulator of SQS, SNS, S3, EventBridge, DynamoDB and others,
    for services without an `aws.*.endpoint_url`. Default: false; `--services` sets it to true."""
    packages_dir: str = ""
    """Directory of the emulator's packages, shared by all data directories of this user; empty
    means `$XDG_CACHE_HOME/lambent/services`."""
    memory_mb: int = 4096
    """Maximum MB of memory for the emulator, which keeps much of its data in memory. Default: 4096;
    without a limit its users could exhaust the host's memory."""
    start_deadline_s: float = 60.0
    """Seconds without a response, at its start or later, after which the emulator is restarted.
    Default: 60; on an idle machine it starts in one second."""
