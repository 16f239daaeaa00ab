"""What an operator may choose about the local emulator for other AWS services."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServicesSettings:
    """Settings of the `services` room."""

    enabled: bool = False
    """Whether an emulator for SQS, SNS, S3, EventBridge, DynamoDB and others runs beside the
    platform, for services that have no `aws.*.endpoint_url`. Default: false; `--services` says
    true."""
    packages_dir: str = ""
    """Directory of the emulator's packages, shared by all data directories of this user; empty
    means `$XDG_CACHE_HOME/lambent/services`."""
    memory_mb: int = 4096
    """Most MB of memory for the emulator, which holds much of what it keeps in memory. Default:
    4096; whoever may use it could take all of the host's otherwise."""
    start_deadline_s: float = 60.0
    """Seconds the emulator may be silent, at its start and later, until it is started again.
    Default: 60; it starts in one on a machine that has nothing else to do."""
