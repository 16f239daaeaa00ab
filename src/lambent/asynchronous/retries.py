"""When an event gets its next attempt, if it gets one.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.asynchronous.settings import AsynchronousSettings
from lambent.model.async_event import AsyncEvent

RETRIES_DEFAULT = 2
AGE_MAX_S_DEFAULT = 21_600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and for how long an event is tried."""

    retries: int = RETRIES_DEFAULT
    """Attempts after the first, when the function fails."""
    age_max_s: float = AGE_MAX_S_DEFAULT


def policy_of(configuration: Mapping[str, Any] | None) -> RetryPolicy:
    """What an event-invoke configuration says; AWS's defaults for what it does not say."""
    found = configuration or {}
    return RetryPolicy(
        retries=found.get("MaximumRetryAttempts", RETRIES_DEFAULT),
        age_max_s=found.get("MaximumEventAgeInSeconds", AGE_MAX_S_DEFAULT),
    )


def after_function_error(
    event: AsyncEvent, policy: RetryPolicy, settings: AsynchronousSettings, now: float
) -> float | None:
    """When to try again after the attempt that `event` has counted already; None if never."""
    if event.function_errors > policy.retries:
        return None
    return _within(event, policy, now + settings.retry_s * 2 ** (event.function_errors - 1))


def after_system_error(
    event: AsyncEvent, policy: RetryPolicy, settings: AsynchronousSettings, now: float
) -> float | None:
    """The same when the function was not reached, which costs no retry."""
    delay_s = settings.backoff_s * 2 ** min(event.system_errors - 1, 32)
    return _within(event, policy, now + min(delay_s, settings.backoff_max_s))


def _within(event: AsyncEvent, policy: RetryPolicy, at: float) -> float | None:
    return at if at - event.accepted_at <= policy.age_max_s else None
