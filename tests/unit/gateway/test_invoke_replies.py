"""Answers to calls of functions that cannot be written."""

from collections.abc import Callable
from typing import Any

import pytest

from lambent.gateway.services.lambda_.invoke_replies import InvokeReply, StreamReply
from lambent.model.invocation import (
    NOT_RUN,
    InvocationKind,
    InvocationRequest,
    Reply,
    Succeeded,
)


class Request:
    """One whose answer is what it failed with."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []

    @property
    def exchange(self) -> Any:
        raise LookupError("no such exchange")

    def fail(self, error: Exception) -> None:
        self.failures.append(error)


@pytest.mark.parametrize("make_reply", [InvokeReply, StreamReply])
def test_an_outcome_that_cannot_be_sent_fails_its_request(
    make_reply: Callable[[Any, InvocationRequest], Reply], caplog: pytest.LogCaptureFixture
) -> None:
    """The node that ran the function does not notice."""
    function: Any = None
    invocation = InvocationRequest(
        request_id="r", kind=InvocationKind.REQUEST_RESPONSE, function=function, event=b"{}"
    )
    request = Request()
    make_reply(request, invocation).finish(Succeeded(b"1"), NOT_RUN)
    (failure,) = request.failures
    assert isinstance(failure, LookupError)
    assert "no such exchange" in caplog.text
