"""Nodes end what is not current any more."""

import dataclasses

import anyio
import anyio.lowlevel
import pytest

from lambent.invocation.retirement import Retirement
from lambent.model.changes import Changes
from lambent.model.concurrency import Reservation
from lambent.model.function import FunctionKey, FunctionVersion
from tests.unit.invocation.fake_node import FakeNode
from tests.unit.invocation.versions import version_of

pytestmark = pytest.mark.anyio


async def follow(retirement: Retirement, node: FakeNode, count: int) -> None:
    """Follow changes until the node was called so often."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(retirement.follow_changes)
        with anyio.fail_after(5):
            while len(node.retired) < count:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_versions_that_are_gone_or_changed_are_retired() -> None:
    """Those of other functions and those that are still current stay."""
    latest, one, two = (version_of("f", version) for version in ("$LATEST", "1", "2"))
    other = version_of("g")
    now = {
        ("f", "$LATEST"): dataclasses.replace(latest, configuration_id="newer"),
        ("f", "2"): two,
    }
    node = FakeNode(held=[latest, one, two, two, other])
    resolved: list[str] = []

    async def resolve(key: FunctionKey, version: str) -> FunctionVersion | None:
        resolved.append(version)
        return now.get((key.name, version))

    retirement = Retirement(node, resolve)
    retirement.note_changes(Changes(functions={latest.key: Reservation()}))
    await follow(retirement, node, 1)
    assert node.retired == [{latest.configuration_id, one.configuration_id}]
    assert resolved == ["$LATEST", "1", "2"]


async def test_every_change_reaches_the_node() -> None:
    """Without environments, too: unpacked code may have become superfluous."""
    node = FakeNode()

    async def resolve(key: FunctionKey, version: str) -> FunctionVersion | None:
        raise AssertionError("nothing is held")

    retirement = Retirement(node, resolve)
    retirement.note_changes(Changes(functions={version_of("f").key: Reservation()}))
    await follow(retirement, node, 1)
    assert node.retired == [set()]


async def test_a_change_that_cannot_be_looked_up_is_kept() -> None:
    """The database may be away for a while: the loop begins again, and does it then."""
    version = version_of("f", "1")
    node = FakeNode(held=[version])
    failures = [OSError("the database is away")]

    async def resolve(key: FunctionKey, version: str) -> FunctionVersion | None:
        if failures:
            raise failures.pop()
        return None

    retirement = Retirement(node, resolve)
    retirement.note_changes(Changes(functions={version.key: Reservation()}))
    with pytest.raises(OSError, match="away"):
        await retirement.follow_changes()
    assert node.retired == []
    await follow(retirement, node, 1)
    assert node.retired == [{version.configuration_id}]


async def test_all_versions_are_looked_at_if_anything_may_have_changed() -> None:
    """Also those of functions that the change does not name."""
    one, other = version_of("f", "1"), version_of("g", "2")
    node = FakeNode(held=[one, other])

    async def resolve(key: FunctionKey, version: str) -> FunctionVersion | None:
        return other if key == other.key else None

    retirement = Retirement(node, resolve)
    retirement.note_changes(Changes(is_everything=True))
    await follow(retirement, node, 2)
    assert node.retired == [{one.configuration_id}, set()]
