"""The invoker counts what runs, and every call gets its outcome."""

import pytest

from lambent.invocation.admission import Admission
from lambent.invocation.invoker import Invoker
from lambent.invocation.settings import InvocationSettings
from lambent.model.invocation import (
    NOT_RUN,
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refused,
    RunReport,
    Succeeded,
    WholeReply,
)
from tests.unit.invocation.fake_node import FakeNode
from tests.unit.invocation.versions import version_of


def admission(limit: int) -> Admission:
    return Admission(InvocationSettings(concurrent_executions=limit))


def request() -> InvocationRequest:
    return InvocationRequest(
        request_id="r",
        kind=InvocationKind.REQUEST_RESPONSE,
        function=version_of("f"),
        event=b"{}",
    )


def test_the_invoker_gives_back_what_it_took() -> None:
    """When a call has ended, and when the node refuses it; `finish` has the count right."""
    counts, node = admission(2), FakeNode()
    invoker = Invoker(counts, None, node)
    outcomes: list[Outcome] = []

    def call() -> None:
        invoker.invoke(request(), WholeReply(lambda outcome, _: outcomes.append(outcome)))

    def call_refused() -> Refused:
        call()
        refused = outcomes.pop()
        assert isinstance(refused, Refused)
        assert refused.is_throttled
        return refused

    node.is_full = True
    for _ in range(5):
        call_refused()
    node.is_full = False
    call()
    call()
    call_refused()
    assert outcomes == []
    node.taken[0].finish(Succeeded(b"1"), NOT_RUN)
    assert outcomes == [Succeeded(b"1")]
    call()
    call_refused()


def test_an_outcome_that_cannot_be_told_is_nobody_elses_trouble(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The environment goes on, and what was counted is given back."""
    counts = admission(1)
    node = FakeNode()
    invoker = Invoker(counts, None, node)

    def fail(_: Outcome, __: RunReport) -> None:
        raise ValueError("no such header")

    for _ in range(3):
        invoker.invoke(request(), WholeReply(fail))
        node.taken[-1].finish(Succeeded(b""), NOT_RUN)
    assert len(caplog.records) == 3
