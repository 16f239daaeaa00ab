"""The invoker sends calls to the nodes that are warm, and runs what comes back."""

import dataclasses

import pytest

from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.placement import Placement
from lambent.invocation.settings import InvocationSettings
from lambent.kit.clock import ManualClock
from lambent.model.alias import Route
from lambent.model.changes import Changes
from lambent.model.concurrency import no_capacity, throttled
from lambent.model.debugging import debugged
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import (
    NOT_RUN,
    InvocationRequest,
    Outcome,
    OutcomeKind,
    Refusal,
    Refused,
    Reply,
    RunReport,
    Succeeded,
)
from lambent.model.invocation_ended import InvocationEnded
from lambent.model.placement import COPY_S, NODE_LOST, find_homes
from tests.unit.invocation.fake_node import FakeNode
from tests.unit.invocation.test_invoker import Ends, a_call
from tests.unit.invocation.versions import version_of

NODES = (1, 2, 3)
DONE = Succeeded(b"1")


@dataclasses.dataclass
class Other:
    """Another node that takes calls."""

    busy: float = 0.0
    calls: list[tuple[InvocationRequest, Reply]] = dataclasses.field(default_factory=list)

    def call(self, request: InvocationRequest, reply: Reply) -> None:
        self.calls.append((request, reply))


class World:
    """A node that is no home of `f`, and the two that are."""

    def __init__(self, *, copy_after_calls: int = 3, own: int | None = None) -> None:
        self.version = version_of("f")
        self.homes = find_homes(f"{self.version.key.arn}:", NODES)
        (stranger,) = set(NODES) - set(self.homes)
        self.own = stranger if own is None else self.homes[own]
        self.others = {number: Other() for number in NODES if number != self.own}
        self.node = FakeNode()
        self.clock = ManualClock()
        self.busy = 0.0
        self.provisioned = 0
        self.placement = Placement(
            *(self.node, self.others.get, self.clock, self.own),
            copy_after_calls=copy_after_calls,
            load=lambda: self.busy,
            provisioned=lambda _: self.provisioned,
        )
        self.placement.note_nodes(NODES)
        self.facts: list[InvocationEnded] = []
        self.ends = Ends()

        async def load(key: FunctionKey, qualifier: str) -> Route | None:
            return None

        self.catalog = Catalog(load)
        self.admission = Admission(InvocationSettings(concurrent_executions=2))
        self.invoker = Invoker(
            *(self.admission, self.catalog, self.node, self.clock), placement=self.placement
        )
        self.invoker.on_ended(self.facts.append)

    def call(self, version: FunctionVersion | None = None, tenant_id: str = "") -> None:
        """A caller's call."""
        route = Route(version or self.version)
        self.invoker.run(a_call(tenant_id=tenant_id), route, self.ends.make_reply)

    def home(self, place: int) -> Other:
        """A home that is another node."""
        return self.others[self.homes[place]]


def test_a_free_environment_is_used_here() -> None:
    world = World()
    world.node.warm = {world.version.configuration_id}
    world.call()
    assert len(world.node.taken) == 1


def test_a_home_gets_the_call() -> None:
    """The first one, unless it is clearly busier. What it reports is the outcome; this node counts
    nothing and reports nothing."""
    world = World()
    world.call()
    world.home(0).busy = 3.0
    world.call()
    assert [len(world.home(0).calls), len(world.home(1).calls)] == [1, 1]
    request, reply = world.home(0).calls[0]
    assert request == world.ends.requests[0]
    assert world.admission.running == 0
    reply.finish(DONE, RunReport(duration_s=1.0))
    assert world.ends.outcomes == [DONE]
    assert world.facts == []
    assert world.node.taken == []


@pytest.mark.parametrize("is_there", [True, False])
def test_without_homes_calls_stay(is_there: bool) -> None:
    """If no home responds, or there are no nodes that take on work."""
    world = World()
    if is_there:
        world.others.clear()
    else:
        world.placement.note_nodes(())
    world.call()
    assert len(world.node.taken) == 1


@pytest.mark.parametrize(("own", "stays"), [(0, True), (1, False)])
def test_a_home_prefers_the_first(own: int, stays: bool) -> None:
    world = World(own=own)
    world.call()
    assert len(world.node.taken) == stays


def test_a_drained_home_gets_no_calls() -> None:
    world = World()
    world.placement.note_nodes([number for number in NODES if number != world.homes[0]])
    world.call()
    assert world.home(0).calls == []


def test_a_debugged_call_stays() -> None:
    world = World()
    world.call(debugged(dataclasses.replace(world.version, runtime="python3.12"), 5678, ()))
    assert len(world.node.taken) == 1


def test_provisioned_environments_are_homes() -> None:
    """Of a version with one provisioned environment, the node that keeps it; after a change."""
    world = World()
    world.call()
    world.provisioned = 1
    world.placement.note_changes(Changes())
    for _ in range(4):
        world.call()
        for other in world.others.values():
            other.busy += 10.0
    counts = sorted(len(other.calls) for other in world.others.values())
    assert sum(counts) + len(world.node.taken) == 5
    assert counts[-1] >= 4 or len(world.node.taken) == 4


def test_what_is_sent_away_often_is_copied() -> None:
    world = World()
    for _ in range(2):
        world.call()
    assert world.node.warmed_up == []
    world.call()
    assert world.node.warmed_up == [world.version]
    for _ in range(10):
        world.clock._elapsed += COPY_S * 0.6
        world.call()
    assert world.node.warmed_up == [world.version]


def test_a_home_without_room_does_not_refuse_the_call() -> None:
    """The node that sent it runs it, and is the one that reports it."""
    world = World()
    world.call()
    world.home(0).calls[0][1].finish(no_capacity(), NOT_RUN)
    assert world.ends.outcomes == []
    world.node.taken[0].finish(DONE, NOT_RUN)
    assert world.ends.outcomes == [DONE]
    assert [fact.outcome for fact in world.facts] == [OutcomeKind.SUCCEEDED]
    world.call()
    world.home(0).calls[1][1].finish(throttled(), NOT_RUN)
    assert isinstance(world.ends.outcomes[1], Refused)


def test_a_lost_node_is_reported_here() -> None:
    """No other node does it."""
    world = World()
    world.call()
    world.home(0).calls[0][1].finish(NODE_LOST, NOT_RUN)
    assert world.ends.outcomes == [NODE_LOST]
    assert [fact.outcome for fact in world.facts] == [OutcomeKind.REFUSED]
    assert NODE_LOST.is_retryable
    assert not NODE_LOST.is_throttled


def sent(world: World, outcomes: list[Outcome]) -> None:
    """A call that another node has sent."""
    reply = world.ends.make_reply
    request = InvocationRequest("r", a_call().kind, world.version, b"{}")
    world.invoker.run_sent(request, reply(request))
    outcomes += world.ends.outcomes


def test_a_call_that_was_sent_is_sent_no_further() -> None:
    """It counts here, and is reported here; if there is no room, the other node goes on with it."""
    world = World()
    outcomes: list[Outcome] = []
    sent(world, outcomes)
    assert world.admission.running == 1
    world.node.taken[0].finish(DONE, NOT_RUN)
    assert [fact.outcome for fact in world.facts] == [OutcomeKind.SUCCEEDED]
    assert world.admission.running == 0
    assert not any(other.calls for other in world.others.values())
    world.node.is_full = True
    sent(world, outcomes)
    last = world.ends.outcomes[-1]
    assert isinstance(last, Refused)
    assert last.reason is Refusal.NO_CAPACITY
    assert len(world.facts) == 1
    assert world.admission.running == 0
    world.node.is_full = False
    for _ in range(3):
        sent(world, outcomes)
    assert world.facts[-1].outcome is OutcomeKind.THROTTLED
