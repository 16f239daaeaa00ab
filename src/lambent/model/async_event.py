"""An event that was accepted for later, as a value."""

import dataclasses

from lambent.model.function import FunctionKey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AsyncEvent:
    """One asynchronous invocation on its way."""

    request_id: str
    """The same for all attempts."""
    key: FunctionKey
    qualifier: str | None
    payload: bytes = dataclasses.field(repr=False)
    trace_id: str
    tenant_id: str = ""
    """Empty unless the function isolates tenants."""
    accepted_at: float
    """Epoch seconds, like all times here."""
    due_at: float
    """When the next attempt may be made."""
    function_errors: int = 0
    """Attempts that the function failed."""
    system_errors: int = 0
    """Attempts that never reached it."""

    @property
    def arn(self) -> str:
        """The function's ARN as it was invoked."""
        return f"{self.key.arn}:{self.qualifier}" if self.qualifier else self.key.arn
