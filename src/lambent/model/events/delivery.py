"""An event on its way from a rule or a schedule to a target, as a value."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.arn import Scope
from lambent.model.async_event import AsyncEvent

ATTEMPTS_MAX = 185
"""Retries of a target without a retry policy, as in AWS."""
AGE_S_MAX = 86_400.0
"""How long an event of a target without a retry policy is retried, in seconds, as in AWS."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventDelivery:
    """One event for one target."""

    id: int = 0
    """What the store knows it by; grows with time."""
    target: str
    """The ARN of what gets it."""
    service: str
    """Who sends it: `events.amazonaws.com` or `scheduler.amazonaws.com`."""
    source_arn: str
    """The rule or schedule that sends it."""
    scope: Scope
    """Of the rule or schedule."""
    role: str = ""
    """The ARN of the role that the service acts with; empty if it acts as itself."""
    body: bytes = dataclasses.field(repr=False)
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    """Further members of the request to the target's service, such as `MessageGroupId`."""
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Attributes of a message in a dead-letter queue."""
    dead_letter: str = ""
    """The ARN of the queue for an event that cannot be delivered; empty if there is none."""
    trace_id: str = ""
    created_at: float
    """Epoch seconds, like all times here."""
    due_at: float
    attempts: int = 0
    """Those that failed."""
    attempts_max: int = ATTEMPTS_MAX
    """How many retries follow the first attempt."""
    age_s_max: float = AGE_S_MAX

    @property
    def source_of_role(self) -> str:
        """What a role's trust policy may ask for: the rule, or the group of the schedule."""
        place, is_schedule, name = self.source_arn.partition(":schedule/")
        if not is_schedule:
            return self.source_arn
        return f"{place}:schedule-group/{name.partition('/')[0]}"


class Next(NamedTuple):
    """What follows when a target has its event: written by the transaction that ends the
    delivery."""

    events: Sequence[AsyncEvent] = ()
    """For the queue of asynchronous invocations, without ids."""
    deliveries: Sequence[EventDelivery] = ()
    """For the targets of another bus, without ids."""


class NotHandedOver(Exception):
    """One attempt that failed."""

    def __init__(self, code: str, message: str, *, is_permanent: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        """As dead-letter queues have it: `NO_PERMISSIONS`, `SDK_CLIENT_ERROR`, …"""
        self.message = message
        self.is_permanent = is_permanent
        """Whether it would fail again."""


def dead_letter_of(
    delivery: EventDelivery, code: str, message: str, condition: str, now: float
) -> EventDelivery:
    """The message for the dead-letter queue of an event that was given up. `condition` is empty if
    the failure was permanent, else what was exhausted."""
    attributes = {
        "RULE_ARN": delivery.source_arn,
        "TARGET_ARN": delivery.target,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message,
        "EXHAUSTED_RETRY_CONDITION": condition,
        "RETRY_ATTEMPTS": str(max(delivery.attempts - 1, 0)),
    }
    return dataclasses.replace(
        delivery,
        id=0,
        target=delivery.dead_letter,
        parameters={},
        attributes={name: value for name, value in attributes.items() if value},
        dead_letter="",
        created_at=now,
        due_at=now,
        attempts=0,
        attempts_max=ATTEMPTS_MAX,
        age_s_max=AGE_S_MAX,
    )
