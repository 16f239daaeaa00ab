"""An event that was accepted for later, as a value."""

import dataclasses
import math

from lambent.model.function import FunctionKey


@dataclasses.dataclass(slots=True, kw_only=True)
class AsyncEvent:
    """One asynchronous invocation on its way. Not frozen, which would make it three times as slow
    to make: nothing but `expires_at` is set later."""

    id: int = 0
    """What the store knows it by; grows with time. The request id is the caller's to choose."""
    request_id: str
    """The same for all attempts."""
    key: FunctionKey
    qualifier: str | None
    payload: bytes = dataclasses.field(repr=False)
    """Empty if it lies beside the row and has not been read."""
    is_offloaded: bool = False
    """Whether the payload is too large for a row and lies beside it."""
    trace_id: str
    tenant_id: str = ""
    """Empty unless the function isolates tenants."""
    accepted_at: float
    """Epoch seconds, like all times here."""
    due_at: float
    """When the next attempt may be made."""
    expires_at: float = math.inf
    """When it is too old for another, by its function's configuration as it was when the event was
    claimed. Not stored."""
    function_errors: int = 0
    """Attempts that the function failed."""
    system_errors: int = 0
    """Attempts that never reached it."""

    @property
    def arn(self) -> str:
        """The function's ARN as it was invoked."""
        return f"{self.key.arn}:{self.qualifier}" if self.qualifier else self.key.arn
