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


SERVICES: Mapping[str, tuple[str, str]] = {
    "sqs": ("sqs:SendMessage", "SQS"),
    "sns": ("sns:Publish", "SNS"),
    "events": ("events:PutEvents", "EventBridge"),
    "s3": ("s3:PutObject", "S3"),
    "lambda": ("lambda:InvokeFunction", "Lambda"),
}
"""What a role must be allowed to do at a target, and the service's name, by the service in its
ARN."""


def service_of(target: str) -> str:
    """The service in an ARN."""
    return target.split(":")[2]


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
    object_prefix: str = ""
    """What the keys of objects in a bucket begin with; empty: as records of asynchronous
    invocations do."""
    trace_id: str
    role: str
    """The ARN of the execution role; empty if the function was gone by then."""
    created_at: float
    due_at: float
    attempts: int = 0
    """Those that failed."""
