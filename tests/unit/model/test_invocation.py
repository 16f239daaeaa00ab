"""Requests as values, and the facts that outcomes have."""

from typing import Any

import pytest

from lambent.model.concurrency import no_capacity, throttled
from lambent.model.errors import ApiError
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    Succeeded,
    TimedOut,
)


def test_nothing_is_written_into_a_request() -> None:
    """It is a value."""
    request: Any = InvocationRequest(
        request_id="r", kind=InvocationKind.EVENT, function=None, event=b""
    )  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        request.event = b"other"


ERROR = ApiError("X", "m")


@pytest.mark.parametrize(
    ("outcome", "facts"),
    [
        (Succeeded(b"1"), (True, True, False, False, None)),
        (FunctionFailed(b"{}", "ValueError"), (False, True, False, True, "ValueError")),
        (TimedOut(b"{}"), (False, True, False, True, "Sandbox.Timedout")),
        (Crashed(b"{}", "Runtime.ExitError"), (False, True, False, True, "Runtime.ExitError")),
        (Refused(ERROR), (False, False, False, True, "X")),
        (Refused(ERROR, Refusal.NOT_READY), (False, False, False, True, "X")),
        (Refused(ERROR, Refusal.NOT_FOUND), (False, False, False, False, "X")),
        (Refused(ERROR, Refusal.LOOP), (False, False, False, False, "X")),
        (throttled(), (False, False, True, True, "TooManyRequestsException")),
        (no_capacity(), (False, False, True, True, "TooManyRequestsException")),
        (
            throttled(reason=Refusal.SWITCHED_OFF),
            (False, False, True, False, "TooManyRequestsException"),
        ),
    ],
)
def test_facts_of_outcomes(outcome: Outcome, facts: tuple[object, ...]) -> None:
    """Each way a call may end says of itself what callers ask."""
    assert facts == (
        outcome.has_succeeded,
        outcome.has_run,
        outcome.is_throttled,
        outcome.is_retryable,
        outcome.error_type,
    )
