"""The invoker counts what runs, and every call gets its outcome."""

import dataclasses

import anyio
import pytest

from lambent.invocation.admission import Admission
from lambent.invocation.call import Call, CallResult
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.settings import InvocationSettings
from lambent.kit.clock import ManualClock
from lambent.model.alias import Route
from lambent.model.errors import FunctionNotFound
from lambent.model.function import FunctionKey
from lambent.model.invocation import (
    NOT_RUN,
    FunctionFailed,
    InvocationKind,
    InvocationRequest,
    Outcome,
    OutcomeKind,
    Refusal,
    Refused,
    Reply,
    RunReport,
    Succeeded,
    WholeReply,
)
from lambent.model.invocation_ended import Concurrency, InvocationEnded
from lambent.model.traces import LOOPS_MAX
from tests.unit.invocation.fake_node import FakeNode
from tests.unit.invocation.versions import version_of


def make_invoker(
    node: FakeNode, *, limit: int = 100, route: Route | None = None, is_known: bool = True
) -> Invoker:
    """An invoker of one function, `f`, which is in memory if it is known."""
    found = route or Route(version_of("f"))

    async def load(key: FunctionKey, qualifier: str) -> Route | None:
        return found if key == found.version.key else None

    catalog = Catalog(load)
    if is_known:
        catalog._known[found.version.key] = {"$LATEST": found}
    admission = Admission(InvocationSettings(concurrent_executions=limit))
    return Invoker(admission, catalog, node, ManualClock())


def a_call(
    name: str = "f",
    kind: InvocationKind = InvocationKind.REQUEST_RESPONSE,
    trace_header: str | None = None,
    tenant_id: str = "",
) -> Call:
    return Call(
        request_id="r",
        kind=kind,
        key=version_of(name).key,
        qualifier=None,
        event=b"{}",
        trace_header=trace_header,
        tenant_id=tenant_id,
    )


class Ends:
    """Makes replies that remember how their calls ended."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.requests: list[InvocationRequest] = []

    def make_reply(self, request: InvocationRequest) -> Reply:
        self.requests.append(request)
        return WholeReply(lambda outcome, _: self.outcomes.append(outcome))


def test_the_invoker_releases_what_it_took() -> None:
    """When a call has ended, and when the node refuses it; `finish` has the count right."""
    node = FakeNode()
    invoker = make_invoker(node, limit=2)
    ends = Ends()

    def call() -> None:
        assert invoker.begin(a_call(), ends.make_reply)

    def call_refused() -> None:
        call()
        refused = ends.outcomes.pop()
        assert isinstance(refused, Refused)
        assert refused.is_throttled

    node.is_full = True
    for _ in range(5):
        call_refused()
    node.is_full = False
    call()
    call()
    call_refused()
    assert ends.outcomes == []
    node.taken[0].finish(Succeeded(b"1"), NOT_RUN)
    assert ends.outcomes == [Succeeded(b"1")]
    call()
    call_refused()


def test_an_outcome_that_cannot_be_delivered_harms_no_other_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The environment goes on, and the count is released."""
    node = FakeNode()
    invoker = make_invoker(node, limit=1)

    def fail(_: Outcome, __: RunReport) -> None:
        raise ValueError("no such header")

    for _ in range(3):
        assert invoker.begin(a_call(), lambda _: WholeReply(fail))
        node.taken[-1].finish(Succeeded(b""), NOT_RUN)
    assert len(caplog.records) == 3


@pytest.mark.anyio
async def test_a_function_that_is_not_in_memory() -> None:
    """Nothing happens until it is looked up; then it is."""
    node, ends = FakeNode(), Ends()
    invoker = make_invoker(node, is_known=False)
    assert not invoker.begin(a_call(), ends.make_reply)
    assert not ends.requests
    await invoker.start(a_call(), ends.make_reply)
    assert invoker.begin(a_call(), ends.make_reply)
    assert len(node.taken) == 2


@pytest.mark.anyio
async def test_a_function_that_does_not_exist() -> None:
    """`start` raises, `call` returns it."""
    ends = Ends()
    invoker = make_invoker(FakeNode())
    with pytest.raises(FunctionNotFound, match=r"function:g:\$LATEST"):
        await invoker.start(a_call("g"), ends.make_reply)
    assert not ends.requests
    result = await invoker.call(a_call("g"))
    assert isinstance(result.outcome, Refused)
    assert result.outcome.reason is Refusal.NOT_FOUND
    assert result.function is None


@pytest.mark.anyio
async def test_waiting_for_the_outcome() -> None:
    """Of a call that runs, and of one that is refused at once."""
    node = FakeNode()
    invoker = make_invoker(node)
    results: list[CallResult] = []

    async def call() -> None:
        results.append(await invoker.call(a_call()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        assert not results
        node.taken[0].finish(Succeeded(b"1"), NOT_RUN)
    assert (results[0].outcome, results[0].function) == (Succeeded(b"1"), version_of("f"))
    node.is_full = True
    assert (await invoker.call(a_call())).outcome.is_throttled


@pytest.mark.parametrize("may_loop", [False, True])
def test_a_chain_of_calls_ends(may_loop: bool) -> None:
    """After as many of the same function as AWS allows, unless it may loop."""
    node, ends = FakeNode(), Ends()
    invoker = make_invoker(node, route=Route(version_of("f"), may_loop=may_loop))
    header: str | None = None
    for _ in range(LOOPS_MAX + 1):
        invoker.begin(a_call(trace_header=header), ends.make_reply)
        header = ends.requests[-1].trace_id
    assert len(node.taken) == LOOPS_MAX + may_loop
    loops = [outcome for outcome in ends.outcomes if isinstance(outcome, Refused)]
    assert [loop.reason for loop in loops] == [Refusal.LOOP] * (not may_loop)


def test_a_url_has_no_lineage() -> None:
    """As in AWS, a function that calls its own URL is not stopped."""
    ends = Ends()
    invoker = make_invoker(FakeNode())
    header: str | None = None
    for _ in range(2 * LOOPS_MAX):
        invoker.begin(a_call(kind=InvocationKind.URL, trace_header=header), ends.make_reply)
        header = ends.requests[-1].trace_id
    assert not ends.outcomes
    assert header is not None
    assert "Lineage" not in header


def test_a_version_that_is_not_ready() -> None:
    """Its state is the caller's answer, and nothing is counted."""
    ends = Ends()
    pending = dataclasses.replace(version_of("f"), state="Pending")
    node = FakeNode()
    make_invoker(node, route=Route(pending)).begin(a_call(), ends.make_reply)
    (refused,) = ends.outcomes
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.error.status) == (Refusal.NOT_READY, 409)
    assert not node.taken


@pytest.mark.parametrize(("isolation", "tenant_id"), [(None, "t"), ("PER_TENANT", "")])
def test_tenants_have_to_fit_the_function(isolation: str | None, tenant_id: str) -> None:
    """However it is called: no environment serves two tenants, or one and calls without a
    tenant."""
    ends = Ends()
    version = dataclasses.replace(version_of("f"), tenant_isolation=isolation)
    node = FakeNode()
    invoker = make_invoker(node, route=Route(version))
    for kind in InvocationKind:
        invoker.begin(a_call(kind=kind, tenant_id=tenant_id), ends.make_reply)
    reasons = {outcome.reason for outcome in ends.outcomes if isinstance(outcome, Refused)}
    assert (reasons, len(ends.outcomes)) == ({Refusal.INVALID}, len(InvocationKind))
    assert not node.taken


def test_every_call_is_one_fact() -> None:
    """Those that ran say how, after the caller has its outcome; those that did not say why."""
    node, ends = FakeNode(), Ends()
    invoker = make_invoker(node)
    facts: list[InvocationEnded] = []

    def listen(fact: InvocationEnded) -> None:
        assert len(ends.outcomes) == len(facts) + 1
        facts.append(fact)

    invoker.on_ended(listen)
    now = ManualClock().now()
    for _ in range(2):
        invoker.begin(a_call(), ends.make_reply)
    report = RunReport(
        queued_s=0.5, init_s=0.2, duration_s=1.5, memory_used_mb=40, response_bytes=3
    )
    node.taken[0].finish(Succeeded(b"abc"), report)
    node.taken[1].finish(FunctionFailed(b"{}", "ValueError"), RunReport(duration_s=1.0))
    node.is_full = True
    invoker.begin(a_call(kind=InvocationKind.EVENT), ends.make_reply)
    invoker.begin(a_call(tenant_id="t"), ends.make_reply)
    assert [fact.outcome for fact in facts] == [
        OutcomeKind.SUCCEEDED,
        OutcomeKind.FUNCTION_FAILED,
        OutcomeKind.THROTTLED,
        OutcomeKind.REFUSED,
    ]
    assert facts[0] == InvocationEnded(
        key=version_of("f").key,
        version="$LATEST",
        qualifier=None,
        kind=InvocationKind.REQUEST_RESPONSE,
        request_id="r",
        trace_id=ends.requests[0].trace_id,
        started_at=now - 2.0,
        queued_s=0.5,
        init_s=0.2,
        duration_s=1.5,
        outcome=OutcomeKind.SUCCEEDED,
        error_type=None,
        request_bytes=2,
        response_bytes=3,
        memory_mb=128,
        memory_used_mb=40,
        is_provisioned=False,
        concurrency=Concurrency(2, 2, 2, 0, 0, 2),
    )
    assert (facts[1].error_type, facts[1].concurrency.function) == ("ValueError", 1)
    assert (facts[2].kind, facts[2].error_type) == (
        InvocationKind.EVENT,
        "TooManyRequestsException",
    )
    assert (facts[2].duration_s, facts[2].concurrency.function) == (0.0, 0)
    assert facts[3].error_type == "InvalidParameterValueException"


def test_a_listener_that_raises_harms_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """Nor the listeners after it; it is logged, once."""
    node, ends = FakeNode(), Ends()
    invoker = make_invoker(node)
    facts: list[InvocationEnded] = []

    def fail(_: InvocationEnded) -> None:
        raise LookupError("no such metric")

    invoker.on_ended(fail)
    invoker.on_ended(facts.append)
    for _ in range(3):
        invoker.begin(a_call(), ends.make_reply)
        node.taken[-1].finish(Succeeded(b"1"), NOT_RUN)
    assert (len(ends.outcomes), len(facts)) == (3, 3)
    assert len(caplog.records) == 1
