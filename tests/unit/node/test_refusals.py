"""Responses to callers when an environment failed by no fault of its function."""

from lambent.model.errors import ApiError
from lambent.node.environment.failures import refusal
from lambent.sandbox.ports import SandboxBusy, SandboxError


def test_a_host_without_time_throttles() -> None:
    """It may have more later: 429, for clients to try again."""
    refused = refusal(SandboxBusy("cannot start: the launcher did not answer within 15 s"))
    assert refused.is_throttled
    error = refused.error
    assert (error.status, error.code) == (429, "TooManyRequestsException")


def test_a_host_that_cannot_is_a_service_error() -> None:
    """With the reason."""
    refused = refusal(SandboxError("cannot find a free loop device"))
    assert not refused.is_throttled
    error = refused.error
    assert (error.status, error.code) == (500, "ServiceException")
    assert "free loop device" in error.message


def test_what_has_been_said_is_passed_on() -> None:
    """The caller gets an API error unchanged."""
    error = ApiError("SnapStartException", "no", status=400)
    assert refusal(error).error is error
