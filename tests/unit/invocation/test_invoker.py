"""The invoker counts what runs, and every call gets its outcome."""

import pytest

from lambent.invocation.admission import Admission
from lambent.invocation.invoker import Invoker
from lambent.invocation.settings import InvocationSettings
from lambent.model.concurrency import no_capacity
from lambent.model.invocation import (
    NOT_RUN,
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refused,
    Reply,
    RunReport,
    Succeeded,
    WholeReply,
)
from tests.unit.invocation.versions import version_of


class FakeScheduler:
    """Takes requests, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[Reply] = []
        self.is_full = False

    def submit(self, request: InvocationRequest, reply: Reply) -> None:
        if self.is_full:
            reply.finish(no_capacity(), NOT_RUN)
        else:
            self.taken.append(reply)


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
    """When a call has ended, and when the scheduler refuses it; `finish` has the count right."""
    counts, scheduler = admission(2), FakeScheduler()
    invoker = Invoker(counts, None, scheduler)  # type: ignore[arg-type]
    outcomes: list[Outcome] = []

    def call() -> None:
        invoker.invoke(request(), WholeReply(lambda outcome, _: outcomes.append(outcome)))

    def call_refused() -> Refused:
        call()
        refused = outcomes.pop()
        assert isinstance(refused, Refused)
        assert refused.is_throttled
        return refused

    scheduler.is_full = True
    for _ in range(5):
        call_refused()
    scheduler.is_full = False
    call()
    call()
    call_refused()
    assert outcomes == []
    scheduler.taken[0].finish(Succeeded(b"1"), NOT_RUN)
    assert outcomes == [Succeeded(b"1")]
    call()
    call_refused()


def test_an_outcome_that_cannot_be_told_is_nobody_elses_trouble(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The environment goes on, and what was counted is given back."""
    counts = admission(1)
    scheduler = FakeScheduler()
    invoker = Invoker(counts, None, scheduler)  # type: ignore[arg-type]

    def fail(_: Outcome, __: RunReport) -> None:
        raise ValueError("no such header")

    for _ in range(3):
        invoker.invoke(request(), WholeReply(fail))
        scheduler.taken[-1].finish(Succeeded(b""), NOT_RUN)
    assert len(caplog.records) == 3
