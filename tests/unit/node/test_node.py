"""A whole node against scripted boxes: from a request to its outcome, and back to nothing."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Set
from pathlib import Path
from typing import Any

import anyio
import pytest

from lambent.invocation.ports import Node, NodeLoad
from lambent.model.concurrency import ProvisionedState
from lambent.model.invocation import Succeeded
from lambent.node import node as node_module
from lambent.node.code.cache import CodeCache
from lambent.node.node import LocalNode, open_node
from lambent.node.pools.settings import SchedulingSettings
from lambent.node.settings import WorkerSettings
from lambent.sandbox.ports import Traffic
from tests.unit.node.playbook import SNAP_STARTED, Call, Play
from tests.unit.pools.house import Memory

KEEP_ALIVE_S = 600.0


class Cache:
    """A code cache without threads, for the virtual clock."""

    def __init__(self) -> None:
        self.changes = 0

    def note_change(self) -> None:
        self.changes += 1

    async def keep_small(self, *_: object) -> None:
        await anyio.sleep_forever()


class NodePlay(Play):
    """A play of a whole node. Its environments begin when requests need them."""

    def __init__(self, directory: Path, **more: Any) -> None:
        super().__init__(**more)
        self._code = directory
        self._node: LocalNode | None = None
        self._closes = anyio.Event()
        self._node_life = self.loop.begin(self._keep_node_open())

    async def _keep_node_open(self) -> None:
        async with open_node(
            WorkerSettings(),
            SchedulingSettings(memory_reserve_mb=100, keep_alive_s=KEEP_ALIVE_S),
            sandboxes=self.sandboxes,
            network=lambda box, owner, front: contextlib.nullcontext(Traffic()),
            runtimes=None,  # type: ignore[arg-type]
            code_directory=self._code,
            memory=Memory(1000),
            clock=self.clock,
            packages=self,
            roles=self,
            api=self,
            logs=self.logs,
            metrics=self.metrics,
            tenant_environments_max=10,
        ) as self._node:
            await self._closes.wait()

    async def read(self, key: str) -> bytes:
        raise AssertionError("nothing is unpacked")

    async def needed(self) -> Set[str]:
        return set()

    @property
    def node(self) -> LocalNode:
        assert self._node is not None
        return self._node

    def submit(self) -> Call:
        """Send a request."""
        self._calls += 1
        call = Call(self.function, f"id-{self._calls}", b"{}", None, {})
        self.loop.do(self.node.submit, call.request, call)
        return call

    def end(self) -> None:
        """Close the node: everything ends."""
        self.loop.do(self._closes.set)
        self.passes(10.0)
        self._node_life.result()
        assert self.node.load().busy == self.node.load().idle == self.node.load().changing == 0
        assert all(box.is_closed for box in self.boxes)
        assert all(volume.is_closed for volume in self.sandboxes.volumes)
        super().end()


@pytest.fixture
def open_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., NodePlay]]:
    """Makes a play of a node whose functions are laid out already."""
    plays: list[NodePlay] = []

    @contextlib.asynccontextmanager
    async def launch(code: CodeCache, runtimes: object, function: object) -> AsyncIterator[Any]:
        yield plays[0].launch_spec

    @contextlib.asynccontextmanager
    async def open_cache(*_: object) -> AsyncIterator[Cache]:
        yield Cache()

    monkeypatch.setattr(node_module, "_launch", launch)
    monkeypatch.setattr(node_module, "open_code_cache", open_cache)

    def make(**more: Any) -> NodePlay:
        plays.append(NodePlay(tmp_path / "code", **more))
        return plays[0]

    yield make
    for play in plays:
        play.end()


@pytest.mark.slow
def test_a_request_from_nothing_to_its_outcome(open_play: Callable[..., NodePlay]) -> None:
    """An environment starts, runs it, is frozen, runs the next, and goes when it is not used."""
    play = open_play()
    node: Node = play.node
    call = play.submit()
    assert node.load() == NodeLoad(
        changing=1, waiting=1, memory_available_mb=1000, memory_total_mb=16_000
    )
    play.runtime.asks()
    assert (node.load().busy, node.load().waiting) == (1, 0)
    play.runtime.responds(b"1")
    play.runtime.asks()
    assert call.outcome == Succeeded(b"1", "application/json")
    assert node.load().idle == 1
    play.passes(1.0)
    assert play.box.is_frozen
    assert node.load().frozen == 1
    call = play.submit()
    play.runtime.responds(b"2")
    play.runtime.asks()
    assert call.outcome == Succeeded(b"2", "application/json")
    assert len(play.boxes) == 1
    play.passes(KEEP_ALIVE_S + 1.0)
    assert play.box.is_closed
    assert node.versions(play.function.key) == []


@pytest.mark.slow
def test_provisioned_environments(open_play: Callable[..., NodePlay]) -> None:
    """They are kept as long as they are wanted."""
    play = open_play()
    play.node.provision(play.function, 2)
    play.passes(1.0)
    for box in play.boxes:
        box.programs[0].asks()  # type: ignore[attr-defined]
    assert len(play.boxes) == 2
    assert play.node.provisioned(play.function.configuration_id) == ProvisionedState(2)
    assert play.node.provisioned("another") == ProvisionedState(0)
    play.passes(KEEP_ALIVE_S + 1.0)
    assert play.node.load().frozen == 2
    play.loop.do(play.node.provision, play.function, 0)
    assert all(box.is_closed for box in play.boxes)


def test_what_is_not_current_is_retired(open_play: Callable[..., NodePlay]) -> None:
    """At once if it is idle, else after its request. Other configurations stay."""
    play = open_play()
    call = play.submit()
    play.runtime.asks()
    (held,) = play.node.versions(play.function.key)
    play.loop.do(play.node.retire, {"another"})
    play.loop.do(play.node.retire, {held.configuration_id})
    assert not play.box.is_closed
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")
    assert play.box.is_closed
    play.function = dataclasses.replace(play.function, configuration_id="newer")
    play.submit()
    assert len(play.boxes) == 2


def test_a_version_that_uses_snap_start_is_captured_when_it_is_prepared(
    open_play: Callable[..., NodePlay],
) -> None:
    """And its environments are restored, until it is not current any more."""
    play = open_play(forked=True, **SNAP_STARTED)
    play.launch_spec = dataclasses.replace(play.launch_spec, compiler_argv=())
    task = play.loop.begin(play.node.prepare(play.function))
    play.runtime.awaits_restore()
    task.result()
    assert [version.version for version in play.node.versions(play.function.key)] == ["1"]
    play.submit()
    assert play.sandboxes.restored == play.sandboxes.snapshots
    play.runtime.asks()
    play.runtime.responds(b"1")
    play.loop.do(play.node.retire, {play.function.configuration_id})
    assert play.sandboxes.snapshots[0].is_closed


def test_requests_that_wait_are_refused_when_the_node_closes(
    open_play: Callable[..., NodePlay],
) -> None:
    """Those that run are refused when their environment ends."""
    play = open_play()
    call = play.submit()
    play.loop.do(play.node.close)
    assert call.refusal.message == "The platform is being shut down."
    assert play.submit().refusal.status == 500
