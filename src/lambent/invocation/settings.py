"""What an operator may choose about invocations."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InvocationSettings:
    """Settings of the `invocation` room."""

    concurrent_executions: int = 1000
    """Invocations that may run at the same time per account and region; more are answered
    with 429. AWS's default is 1,000."""

    @property
    def tenant_environments_max(self) -> int:
        """Environments of tenants, active and idle, per account and region: as AWS has it 2,500
        for each 1,000 of concurrency."""
        return self.concurrent_executions * 5 // 2
