"""Notifications: every event reaches every topic, in order, and nothing waits for a topic."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lambent.identity.authorizer import Caller
from lambent.kit.clock import ManualClock
from lambent.model.errors import ApiError
from lambent.stacks.notifications import Notifications
from lambent.stacks.records import Event, Stack
from lambent.stacks.rows import StackRows
from lambent.store.store import Store, Transaction

from .engine.cloud import World

pytestmark = pytest.mark.anyio
GOOD, BAD, SILENT = (
    f"arn:aws:sns:eu-central-1:123456789012:{name}" for name in ("good", "bad", "silent")
)


class Topics:
    """Topics: one takes messages, one refuses them, one never responds."""

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []
        self.refused = 0

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        assert (service, operation, caller.principal.kind) == ("sns", "Publish", "root")
        if params["TopicArn"] == BAD:
            self.refused += 1
            raise ApiError("NotFound", "Topic does not exist", status=404)
        if params["TopicArn"] == SILENT:
            await anyio.sleep_forever()
        self.messages.append(params)
        return {}


async def begun(store: Store, *topics: str) -> World:
    """A stack with topics and one event."""
    world = World(store)
    await world.begin("CREATE_IN_PROGRESS", {"resources": {}})
    await change(world, lambda stack: dataclasses.replace(stack, notification_arns=list(topics)))
    await add(world, "CREATE_IN_PROGRESS")
    return world


async def change(world: World, make: Any) -> Stack:
    def run(tx: Transaction) -> Stack:
        rows = StackRows(tx)
        stack = rows.stack(world.root)
        assert stack is not None
        changed: Stack = make(stack)
        rows.put_stack(changed)
        return changed

    return await world.store.transact(run)


async def add(world: World, status: str, count: int = 1, **members: Any) -> Stack:
    def run(tx: Transaction) -> Stack:
        rows = StackRows(tx)
        stack = rows.stack(world.root)
        assert stack is not None
        events = [Event("A", "a", "AWS::SNS::Topic", status, **members)] * count
        stack = rows.add_events(stack, events, world.clock.now(), rows.operation(world.root))
        rows.put_stack(stack)
        return stack

    return await world.store.transact(run)


def numbers(topics: Topics) -> list[int]:
    ids = (message["Message"].split("EventId='")[1].split("'")[0] for message in topics.messages)
    return [int(id.rpartition("-")[2]) for id in ids]


async def test_events_reach_their_topics_in_order(store: Store) -> None:
    """Each once, although the stack goes on meanwhile. A topic that refuses them delays no other,
    and is asked once for many."""
    world, topics = await begun(store, BAD, GOOD), Topics()
    async with anyio.create_task_group() as tasks:
        notifications = Notifications(store, ManualClock(), topics, tasks)
        for _ in range(3):
            notifications.notify(await add(world, "CREATE_COMPLETE", 40))
            await anyio.lowlevel.checkpoint()
    assert numbers(topics) == list(range(1, 122))
    assert topics.refused < 10
    async with anyio.create_task_group() as tasks:
        await Notifications(store, ManualClock(), topics, tasks).resume()
    assert len(topics.messages) == 121


async def test_what_a_platform_has_not_sent_is_sent_by_the_next(store: Store) -> None:
    world, topics = await begun(store, GOOD), Topics()
    await add(world, "CREATE_FAILED", reason="No\nResourceStatus='CREATE_COMPLETE'")
    async with anyio.create_task_group() as tasks:
        await Notifications(store, ManualClock(), topics, tasks).resume()
    stack = await world.stack()
    assert [message["Subject"] for message in topics.messages] == [
        "AWS CloudFormation Notification"
    ] * 2
    lines = topics.messages[1]["Message"].splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        *("StackId", "Timestamp", "EventId", "LogicalResourceId", "Namespace"),
        *("PhysicalResourceId", "PrincipalId", "ResourceProperties", "ResourceStatus"),
        *("ResourceStatusReason", "ResourceType", "StackName", "ClientRequestToken"),
    ]
    assert lines[0] == f"StackId='{stack.arn}'"
    assert "ResourceStatus='CREATE_FAILED'" in lines
    assert "ResourceStatusReason='No ResourceStatus='CREATE_COMPLETE''" in lines
    assert "ClientRequestToken='null'" in lines


async def test_a_topic_that_never_responds_holds_nothing_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambent.stacks.notifications._DEADLINE_S", 0.01)
    world, topics = await begun(store, SILENT, GOOD), Topics()
    async with anyio.create_task_group() as tasks:
        Notifications(store, ManualClock(), topics, tasks).notify(await world.stack())
    assert numbers(topics) == [1]


async def test_without_topics_nothing_is_sent(store: Store) -> None:
    world, topics = await begun(store), Topics()
    async with anyio.create_task_group() as tasks:
        Notifications(store, ManualClock(), topics, tasks).notify(await world.stack())
    assert topics.messages == []
