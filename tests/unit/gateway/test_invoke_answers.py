"""Answers to calls of functions that cannot be written."""

from collections.abc import Callable
from typing import Any

import pytest

from lambent.gateway.services.lambda_.invoke_answers import answer_as_stream, answer_whole
from lambent.model.invocation import Invocation, Succeeded


class Request:
    """One whose answer is what it failed with."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []

    @property
    def exchange(self) -> Any:
        raise LookupError("no such exchange")

    def fail(self, error: Exception) -> None:
        self.failures.append(error)


@pytest.mark.parametrize("prepare", [answer_whole, answer_as_stream])
def test_an_outcome_that_cannot_be_answered_fails_its_request(
    prepare: Callable[[Any, Invocation], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has run the function hears nothing of it."""
    function: Any = None
    invocation = Invocation(
        request_id="r", function=function, invoked_arn="a", event=b"{}", on_done=lambda _: None
    )
    request = Request()
    prepare(request, invocation)
    invocation.on_done(Succeeded(b"1"))
    (failure,) = request.failures
    assert isinstance(failure, LookupError)
    assert "no such exchange" in caplog.text
