"""What becomes of an event after an attempt.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, assert_never

from lambent.asynchronous.settings import AsynchronousSettings
from lambent.model.async_event import AsyncEvent
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refusal,
    Refused,
    Succeeded,
    TimedOut,
)

RETRIES_DEFAULT = 2
AGE_S_MIN = 60.0
AGE_S_DEFAULT = 21_600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and for how long an event is tried."""

    retries: int = RETRIES_DEFAULT
    """Attempts after the first, when the function fails."""
    age_max_s: float = AGE_S_DEFAULT


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """There is another attempt."""

    event: AsyncEvent
    """With this one counted."""
    due_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """There is none."""

    event: AsyncEvent
    """With this one counted."""
    condition: str
    """`Success`, `RetriesExhausted`, `EventAgeExceeded`, `ZeroReservedConcurrency`; `FunctionGone`
    if nobody is left who could want to know."""

    @property
    def invoke_count(self) -> int:
        """How often the function ran."""
        return self.event.function_errors + (self.condition == "Success")


def policy_for(configuration: Mapping[str, Any] | None) -> RetryPolicy:
    """What an event-invoke configuration says; AWS's defaults for what it does not say."""
    found = configuration or {}
    return RetryPolicy(
        retries=found.get("MaximumRetryAttempts", RETRIES_DEFAULT),
        age_max_s=found.get("MaximumEventAgeInSeconds", AGE_S_DEFAULT),
    )


def after_attempt(
    event: AsyncEvent,
    outcome: Outcome,
    policy: RetryPolicy,
    settings: AsynchronousSettings,
    now: float,
) -> Retry | Done:
    """What follows from how an attempt ended.

    A function that fails is tried again after one and two minutes, as often as the policy says.
    One that was not reached costs no retry: 1 s, doubled each time, at most 5 minutes. Neither
    begins when the event would be too old by then.
    """
    match outcome:
        case Succeeded():
            return Done(event, "Success")
        case Refused(reason=Refusal.NOT_FOUND):
            return Done(event, "FunctionGone")
        case Refused(reason=Refusal.SWITCHED_OFF):
            return Done(event, "ZeroReservedConcurrency")
        case Refused(reason=Refusal.LOOP | Refusal.INVALID):
            return Done(event, "RetriesExhausted")
        case Refused():
            event = dataclasses.replace(event, system_errors=event.system_errors + 1)
            delay_s = settings.backoff_s * 2 ** min(event.system_errors - 1, 32)
            due_at = now + min(delay_s, settings.backoff_max_s)
        case FunctionFailed() | TimedOut() | Crashed():
            event = dataclasses.replace(event, function_errors=event.function_errors + 1)
            if event.function_errors > policy.retries:
                return Done(event, "RetriesExhausted")
            due_at = now + settings.retry_s * 2 ** (event.function_errors - 1)
        case _:
            assert_never(outcome)
    if due_at - event.accepted_at >= policy.age_max_s:
        return Done(event, "EventAgeExceeded")
    return Retry(event, due_at)
