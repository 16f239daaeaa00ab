"""What is to be told elsewhere about an event that is over, as a value."""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum

from lambent.model.function import FunctionKey


class DeliveryKind(StrEnum):
    """Why something is told."""

    ON_SUCCESS = "on-success"
    ON_FAILURE = "on-failure"
    DEAD_LETTER = "dead-letter"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A record for a destination, or an event for a dead-letter queue, on its way."""

    id: int = 0
    """What the store knows it by; grows with time."""
    key: FunctionKey
    """Whose event it was."""
    arn: str
    """The function's ARN with the qualifier it was invoked with, `$LATEST` if with none."""
    target: str
    """The ARN of what gets it."""
    kind: DeliveryKind
    body: bytes = dataclasses.field(repr=False)
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Of the message in a dead-letter queue; `ErrorCode` is a number."""
    trace_id: str
    role: str
    """The ARN of the execution role; empty if the function was gone by then."""
    created_at: float
    due_at: float
    attempts: int = 0
    """Those that failed."""
