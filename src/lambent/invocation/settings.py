"""What an operator may choose about invocations."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InvocationSettings:
    """Settings of the `invocation` room."""

    concurrent_executions: int = 1000
    """Invocations that may run at the same time per account and region; more are answered
    with 429. AWS's default is 1,000."""
