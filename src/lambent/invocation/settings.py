"""Settings of invocations."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InvocationSettings:
    """Settings of the `invocation` room."""

    concurrent_executions: int = 1000
    """Maximum concurrent invocations per account and region; more are throttled with 429. Default:
    1,000, as in AWS."""

    @property
    def tenant_environments_max(self) -> int:
        """Environments of tenants, active and idle, per account and region: 2,500
        for each 1,000 of concurrency, as in AWS."""
        return self.concurrent_executions * 5 // 2
