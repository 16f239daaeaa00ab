"""A record about a finished event that has to be delivered, as a value."""

import dataclasses
from collections.abc import Mapping, Sequence
from enum import StrEnum

from lambent.model.arn import Arn
from lambent.model.function import FunctionKey


class DeliveryKind(StrEnum):
    """Why a record is delivered."""

    ON_SUCCESS = "on-success"
    ON_FAILURE = "on-failure"
    DEAD_LETTER = "dead-letter"


_SERVICES = {
    "sqs": ("SQS", "sqs:SendMessage"),
    "sns": ("SNS", "sns:Publish"),
    "events": ("EventBridge", "events:PutEvents"),
    "s3": ("S3", "s3:PutObject"),
    "lambda": ("Lambda", "lambda:InvokeFunction"),
}
"""The service's name, and what delivering is there, by the service in an ARN."""


def service_of(target: str) -> str:
    """The service in an ARN."""
    return Arn.parse(target).service


def object_prefix(function: str) -> str:
    """Where a bucket has the records of a function's asynchronous invocations, by its name."""
    return f"aws/lambda/async/{function}/"


def rights_at(target: str, prefix: str) -> Sequence[tuple[str, str, str]]:
    """What a role must be allowed so that records are delivered to a target, in a bucket below a
    prefix: the service's name, the action, and on what."""
    name, action = _SERVICES[service_of(target)]
    if name == "S3":
        objects = f"{target}/{prefix}*"
        return (name, action, objects), (name, "s3:ListBucket", target)
    return ((name, action, target),)


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
    object_prefix: str
    """What its key begins with in a bucket."""
    trace_id: str
    role: str
    """The ARN of the execution role; empty if the function was gone by then."""
    created_at: float
    due_at: float
    attempts: int = 0
    """Those that failed."""
