"""Settings of invocations."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InvocationSettings:
    """Settings of the `invocation` room."""

    concurrent_executions: int = 1000
    """Maximum concurrent invocations per account and region; more are throttled with 429. Default:
    1,000, as in AWS."""

    copy_after_calls: int = 5
    """With several nodes on one database: a node that has sent so many calls of a function to other
    nodes within 10 seconds starts an environment itself, for further calls. Default: 5. 0 means
    never: then functions stay on the two nodes that their names choose."""

    @property
    def tenant_environments_max(self) -> int:
        """Environments of tenants, active and idle, per account and region: 2,500
        for each 1,000 of concurrency, as in AWS."""
        return self.concurrent_executions * 5 // 2
