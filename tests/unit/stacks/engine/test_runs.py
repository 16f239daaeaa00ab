"""Operations on stacks, from their beginning to their end."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lambent.stacks.engine import graph
from lambent.stacks.records import Event
from lambent.stacks.rows import StackRows
from lambent.store.store import Store, Transaction

from .cloud import SCOPE, Thing, World

pytestmark = pytest.mark.slow
QUEUE: dict[str, Any] = {"properties": {"Delay": 1}}
READER: dict[str, Any] = {"properties": {"Queue": {"Ref": "Queue"}}}
TWO: dict[str, Any] = {"resources": {"Reader": READER, "Queue": QUEUE}}


def changed(**resources: Any) -> dict[str, Any]:
    """`TWO` with other resources; None removes one."""
    merged = {**TWO["resources"], **resources}
    return {"resources": {id: resource for id, resource in merged.items() if resource is not None}}


@pytest.fixture
async def world(store: Store) -> World:
    return World(store)


async def test_a_stack_is_created_in_the_order_of_references(world: World) -> None:
    stack = await world.create({**TWO, "outputs": {"Q": "Queue"}})
    assert stack.status == "CREATE_COMPLETE"
    (queue,) = [id for id in world.cloud.things if id.startswith("Queue")]
    assert world.existing() == {"Queue": {"Delay": 1}, "Reader": {"Queue": queue}}
    assert await world.events() == [
        "Queue CREATE_IN_PROGRESS",
        "Queue CREATE_IN_PROGRESS",
        "Queue CREATE_COMPLETE",
        "Reader CREATE_IN_PROGRESS",
        "Reader CREATE_IN_PROGRESS",
        "Reader CREATE_COMPLETE",
        "app CREATE_COMPLETE",
    ]
    assert stack.outputs == [{"OutputKey": "Q", "OutputValue": queue, "ExportName": "x-Q"}]


async def test_later_events_have_later_times(world: World) -> None:
    """Also when the clock stands still or goes back: clients ask for events after a time."""
    await world.begin("CREATE_IN_PROGRESS", TWO)
    rounds = []
    for now in (7.0, 7.0, 6.0):

        def add(tx: Transaction, now: float = now) -> list[float]:
            rows = StackRows(tx)
            stack = rows.stack(world.root)
            assert stack is not None
            event = Event("Queue", "queue", "AWS::SQS::Queue", "CREATE_COMPLETE")
            rows.put_stack(rows.add_events(stack, [event, event], now, None))
            return [body["time"] for _, body in rows.events(world.root, limit=2)]

        rounds.append(await world.store.transact(add))
    assert rounds == [[7.0] * 2, [7.001] * 2, [7.002] * 2]


async def test_an_update_changes_what_differs_and_nothing_else(world: World) -> None:
    await world.create(TWO)
    world.cloud.calls.clear()
    stack = await world.update(changed(Queue={"properties": {"Delay": 2}}))
    assert stack.status == "UPDATE_COMPLETE"
    assert world.cloud.calls == ["update Queue"]
    assert world.existing()["Queue"] == {"Delay": 2}


async def test_a_replaced_resource_is_deleted_after_what_used_it_has_changed(world: World) -> None:
    await world.create(changed(Queue={"properties": {"FixedName": "a"}}))
    world.cloud.calls.clear()
    stack = await world.update(changed(Queue={"properties": {"FixedName": "b"}}))
    assert stack.status == "UPDATE_COMPLETE"
    assert world.cloud.calls == ["create Queue", "update Reader", "delete Queue"]
    (queue,) = [id for id in world.cloud.things if id.startswith("Queue")]
    assert world.existing() == {"Queue": {"FixedName": "b"}, "Reader": {"Queue": queue}}
    assert (await world.events())[-4:] == [
        "app UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "Queue DELETE_IN_PROGRESS",
        "Queue DELETE_COMPLETE",
        "app UPDATE_COMPLETE",
    ]


async def test_a_resource_with_a_name_of_the_template_is_not_replaced(world: World) -> None:
    await world.create(changed(Queue={"properties": {"Name": "q", "FixedSize": 1}}))
    stack = await world.update(changed(Queue={"properties": {"Name": "q", "FixedSize": 2}}))
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert any("Rename q and update the stack again." in text for text in await world.reasons())
    assert world.existing()["Queue"] == {"Name": "q", "FixedSize": 1}
    assert (await world.resources())["Queue"].status == "UPDATE_COMPLETE"


@pytest.mark.parametrize("policy", ["Retain", "Snapshot"])
async def test_what_the_template_no_longer_has_is_deleted_unless_it_is_retained(
    world: World, policy: str
) -> None:
    """What should be kept as a snapshot is kept itself."""
    kept = {"properties": {}, "policy": policy}
    await world.create(changed(Kept=kept, Gone={}))
    await world.update(TWO)
    assert world.existing().keys() == {"Queue", "Reader", "Kept"}
    assert (await world.resources()).keys() == {"Queue", "Reader"}
    assert "Kept DELETE_SKIPPED" in await world.events()


@pytest.mark.parametrize("fail", ["create", "later", "bug"])
async def test_a_failed_creation_is_rolled_back(world: World, fail: str) -> None:
    stack = await world.create(changed(Bad={"properties": {"Fail": fail}, "needs": ["Reader"]}))
    assert stack.status == "ROLLBACK_COMPLETE"
    assert world.existing() == {}
    assert (
        "The following resource(s) failed to create: [Bad]. Rollback requested by user."
        in await world.reasons()
    )
    assert world.cloud.calls[-2:] == ["delete Reader", "delete Queue"]


async def test_others_are_cancelled_when_one_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is under way gets a few seconds; what it has made by then is found and deleted."""
    monkeypatch.setattr(graph, "GRACE_S", 0.5)
    bad, slow = {"properties": {"Fail": "create"}}, {"properties": {"Slow": 9_000}}
    stack = await world.create(changed(Bad=bad, Slow=slow, After={"needs": ["Slow"]}))
    assert stack.status == "ROLLBACK_COMPLETE"
    reasons = await world.reasons()
    assert "Resource creation cancelled" in reasons
    assert any("failed to create: [Bad, Slow]" in reason for reason in reasons)
    assert world.existing() == {}
    assert not any("After" in call for call in world.cloud.calls)


async def test_without_rollback_a_failed_stack_stays_and_goes_on_later(world: World) -> None:
    stack = await world.create(
        changed(Bad={"properties": {"Fail": "later"}}), on_failure="DO_NOTHING"
    )
    assert stack.status == "CREATE_FAILED"
    assert world.existing().keys() >= {"Queue", "Bad"}
    stack = await world.update(changed(Bad={"properties": {}}))
    assert stack.status == "UPDATE_COMPLETE"
    assert world.existing().keys() == {"Queue", "Reader", "Bad"}
    assert world.existing()["Bad"] == {}


async def test_a_failed_update_goes_back(world: World) -> None:
    before = changed(Queue={"properties": {"FixedName": "a"}}, Other={"properties": {"X": 1}})
    await world.create(before)
    existing = dict(world.cloud.things)
    stack = await world.update(
        changed(
            Queue={"properties": {"FixedName": "b"}},
            Other={"properties": {"X": 2}},
            New={"needs": ["Other"]},
            Bad={"properties": {"Fail": "later"}, "needs": ["Reader", "New"]},
        )
    )
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.cloud.things.keys() == existing.keys()
    (queue,) = [id for id in world.cloud.things if id.startswith("Queue")]
    assert world.existing()["Reader"] == {"Queue": queue}
    assert world.existing()["Other"] == {"X": 1}
    assert (await world.resources()).keys() == {"Queue", "Reader", "Other"}


async def test_a_rollback_that_fails_can_be_continued(world: World) -> None:
    await world.create(changed(Stuck={"properties": {"X": 1, "Fail": "update"}}))
    await world.begin(
        "UPDATE_IN_PROGRESS",
        changed(
            Stuck={"properties": {"X": 2}},
            Bad={"properties": {"Fail": "create"}, "needs": ["Stuck"]},
        ),
    )
    stack = await world.run()
    assert stack.status == "UPDATE_ROLLBACK_FAILED"
    await world.begin("UPDATE_ROLLBACK_IN_PROGRESS", skipped=["Stuck"])
    stack = await world.run()
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.existing().keys() == {"Queue", "Reader", "Stuck"}


async def test_a_cancelled_update_goes_back(world: World) -> None:
    await world.create(TWO)
    await world.begin("UPDATE_IN_PROGRESS", changed(More={}), is_cancelled=True)
    assert (await world.run()).status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.existing().keys() == {"Queue", "Reader"}


async def test_a_deleted_stack_leaves_what_is_retained_and_frees_its_name(world: World) -> None:
    await world.create(changed(Kept={"policy": "Retain"}))
    world.cloud.calls.clear()
    await world.begin("DELETE_IN_PROGRESS")
    assert (await world.run()).status == "DELETE_COMPLETE"
    assert world.existing().keys() == {"Kept"}
    assert world.cloud.calls == ["delete Reader", "delete Queue"]
    assert await world.store.read(lambda tx: StackRows(tx).named(SCOPE, "app")) is None


async def test_what_cannot_be_deleted_can_be_left(world: World) -> None:
    await world.create(changed(Reader={**READER, "properties": {"Fail": "delete"}, "needs": []}))
    await world.begin("DELETE_IN_PROGRESS")
    stack = await world.run()
    assert stack.status == "DELETE_FAILED"
    assert stack.reason == "The following resource(s) failed to delete: [Reader]. "
    assert world.existing().keys() == {"Reader"}
    await world.begin("DELETE_IN_PROGRESS", retained=["Reader"])
    assert (await world.run()).status == "DELETE_COMPLETE"


async def test_a_busy_service_is_asked_again(world: World) -> None:
    world.cloud.busy = 4
    assert (await world.create(TWO)).status == "CREATE_COMPLETE"


async def test_exports_are_unique_and_stay_while_they_are_used(store: Store) -> None:
    first, second = World(store), World(store, "other")
    outputs = {**TWO, "outputs": {"Shared": "Queue"}}
    await first.create(outputs)
    stack = await second.create(outputs)
    assert stack.status == "ROLLBACK_COMPLETE"
    assert any(
        "Export with name x-Shared is already exported by stack app." in text
        for text in await second.reasons()
    )


async def test_a_killed_update_goes_on_and_makes_nothing_twice(store: Store) -> None:
    """Whatever the step: the same end as without a kill, and nothing is left over."""
    before = changed(
        Queue={"properties": {"FixedName": "a"}}, Gone={}, Other={"properties": {"X": 1}}
    )
    wanted = changed(
        Queue={"properties": {"FixedName": "b"}}, Other={"properties": {"X": 2}}, New={}
    )
    async for world in killed(store, before, wanted, step=4):
        assert (await world.stack()).status == "UPDATE_COMPLETE"
        assert world.existing().keys() == {"Queue", "Reader", "Other", "New"}
        (queue,) = [id for id in world.cloud.things if id.startswith("Queue")]
        assert world.existing()["Reader"] == {"Queue": queue}


async def test_a_killed_update_that_fails_goes_back(store: Store) -> None:
    """The kill comes in the update or in its rollback."""
    before = changed(Queue={"properties": {"FixedName": "a"}}, Other={"properties": {"X": 1}})
    wanted = changed(
        Queue={"properties": {"FixedName": "b"}},
        Other={"properties": {"X": 2}},
        Bad={"properties": {"Fail": "later"}, "needs": ["Reader", "Other"]},
    )
    async for world in killed(store, before, wanted, step=5):
        assert (await world.stack()).status == "UPDATE_ROLLBACK_COMPLETE"
        assert world.existing().keys() == {"Queue", "Reader", "Other"}
        (queue,) = [id for id in world.cloud.things if id.startswith("Queue")]
        assert world.existing() == {
            "Queue": {"FixedName": "a"},
            "Reader": {"Queue": queue},
            "Other": {"X": 1},
        }


async def test_a_killed_creation_that_fails_leaves_nothing(store: Store) -> None:
    bad = {"properties": {"Fail": "create"}, "needs": ["Reader"]}
    async for world in killed(store, None, changed(Bad=bad), step=3):
        assert (await world.stack()).status == "ROLLBACK_COMPLETE"
        assert world.existing() == {}


async def test_a_killed_creation_takes_no_resource_of_another(store: Store) -> None:
    """A name of the template's that another resource has fails the stack, wherever it is killed,
    and the other resource stays. What the stack has made itself is known by its name."""
    named = changed(Own={"properties": {"Name": "own"}}, Taken={"properties": {"Name": "n"}})

    def prepare(world: World) -> None:
        world.cloud.things["Other-1"] = Thing("Thing", "other", {"Name": "n"})

    async for world in killed(store, None, named, step=3, prepare=prepare):
        assert (await world.stack()).status == "ROLLBACK_COMPLETE"
        assert world.cloud.things.keys() == {"Other-1"}
        assert any("with identifier 'n' already exists" in each for each in await world.reasons())


async def test_what_a_kill_interrupts_before_a_rollback_is_cancelled(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resource has failed, another was being made: its events say how that has ended."""
    monkeypatch.setattr(graph, "GRACE_S", 0.02)
    bad, slow = {"properties": {"Fail": "create"}}, {"properties": {"Slow": 9_000}}
    for at in range(14):
        world = World(store, f"app{at}")
        await world.begin("CREATE_IN_PROGRESS", changed(Bad=bad, Slow=slow))
        await world.run_killed(at)
        await world.run()
        assert (await world.stack()).status == "ROLLBACK_COMPLETE"
        begun = set()
        for event in await world.events():
            logical_id, status = event.split()
            if status == "CREATE_IN_PROGRESS":
                begun.add(logical_id)
            elif status.startswith("CREATE"):
                begun.discard(logical_id)
            assert status != "ROLLBACK_IN_PROGRESS" or not begun
        assert not begun


async def killed(
    store: Store,
    before: dict[str, Any] | None,
    wanted: dict[str, Any],
    step: int,
    prepare: Callable[[World], None] = lambda _: None,
) -> AsyncIterator[World]:
    """Worlds that were killed in the middle and have gone on to the end: each at a later step."""
    at = random.randrange(step)
    while True:
        world = World(store, f"app{at}")
        if before is not None:
            await world.create(before)
        prepare(world)
        status = "CREATE_IN_PROGRESS" if before is None else "UPDATE_IN_PROGRESS"
        await world.begin(status, wanted)
        if not await world.run_killed(at):
            assert at > 20
            return
        await world.run()
        yield world
        at += step
