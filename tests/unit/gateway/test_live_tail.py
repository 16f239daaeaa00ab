"""Sessions of Live Tail: when they end, and what they hold for a client that does not read."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from botocore.eventstream import EventStreamBuffer

from lambent.gateway.services.logs.live_tail import live_tail_writer
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.peers import NoPeers
from lambent.telemetry.live_tail import SESSIONS_MAX, Followed, LiveTails
from lambent.telemetry.logs import LogStore, open_logs
from lambent.telemetry.settings import TelemetrySettings

pytestmark = pytest.mark.anyio

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
GROUP = "/aws/lambda/hello"


class Client:
    """A client that reads what it is sent, or is behind."""

    def __init__(self) -> None:
        self.is_open = True
        self.is_behind = False
        self.is_finished = False
        self.sent = b""
        self._resume: Callable[[], None] = lambda: None

    def on_writable(self, resume: Callable[[], None]) -> None:
        self._resume = resume

    def start(self, status: int, headers: object) -> None:
        assert status == 200

    def write(self, data: bytes) -> bool:
        self.sent += data
        return not self.is_behind

    def finish(self) -> None:
        self.is_finished = True

    def catch_up(self) -> None:
        self.is_behind = False
        self._resume()

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Names and contents of all messages."""
        buffer = EventStreamBuffer()
        buffer.add_data(self.sent)
        return [
            (
                each.headers.get(":event-type") or each.headers[":exception-type"],
                json.loads(each.payload),
            )
            for each in buffer
        ]

    @property
    def lines(self) -> list[str]:
        """All log events."""
        return [
            event["message"]
            for name, update in self.events
            if name == "sessionUpdate"
            for event in update["sessionResults"]
        ]


class World:
    """A session under way."""

    def __init__(self, logs: LogStore, clock: ManualClock) -> None:
        self.logs, self.clock = logs, clock
        self.tails = LiveTails(logs, NoPeers(), clock)
        self.client = Client()
        self.is_closing = False
        self.has_ended = False

    async def serve(self) -> None:
        followed = Followed(scope=SCOPE, groups=(GROUP,), matches=lambda _: True)
        write = live_tail_writer(self.tails, self.clock, lambda: self.is_closing)
        request: Any = type("Request", (), {"exchange": self.client, "request_id": "r"})
        await write(request, {"followed": followed, "sessionStart": {"sessionId": "s"}})
        self.has_ended = True

    async def pass_seconds(self, count: int, each_s: float = 1.0) -> None:
        """Move time on, and let the session do what it does then."""
        for _ in range(count):
            updates = len(self.client.events)
            self.clock.advance(each_s)
            with anyio.fail_after(5):
                for _ in range(200):
                    await checkpoint()
                    if self.has_ended or len(self.client.events) > updates:
                        break
                    await checkpoint()

    def log(self, text: str) -> None:
        self.logs.open_stream(*SCOPE, GROUP, "s").append(0, text.encode())


@asynccontextmanager
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = ManualClock()
    async with open_logs(TelemetrySettings(flush_every_s=1e9), tmp_path, clock) as logs:
        made = World(logs, clock)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(made.serve)
            await until(lambda: made.client.events)
            await checkpoint()
            yield made
            tasks.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - a level of another task
            await anyio.sleep(0.001)


async def test_a_session_begins_and_has_an_update_each_second(tmp_path: Path) -> None:
    """Empty ones, too; lines from before the session are not in it."""
    async with world(tmp_path) as session:
        await session.pass_seconds(1)
        await until(lambda: len(session.client.events) == 3)
        session.log("one")
        await session.pass_seconds(1)
        await until(lambda: session.client.lines == ["one"])
        names = [name for name, _ in session.client.events]
        assert names == ["initial-response", "sessionStart", "sessionUpdate", "sessionUpdate"]


async def test_a_session_ends_after_three_hours(tmp_path: Path) -> None:
    """With an exception that says so."""
    async with world(tmp_path) as session:
        session.clock.advance(3 * 3600)
        await until(lambda: session.has_ended)
        assert session.client.events[-1][0] == "SessionTimeoutException"
        assert session.client.is_finished


@pytest.mark.parametrize("cause", ["client", "platform"])
async def test_a_session_ends_with_its_client_and_its_platform(tmp_path: Path, cause: str) -> None:
    """And its taps are gone."""
    async with world(tmp_path) as session:
        assert session.logs.taps
        if cause == "client":
            session.client.is_open = False
        else:
            session.is_closing = True
        session.clock.advance(1)
        await until(lambda: session.has_ended)
        assert not session.logs.taps
        assert session.client.is_finished


async def test_a_client_that_does_not_read_gets_no_more(tmp_path: Path) -> None:
    """Lines beyond the limit are dropped; the next update says so."""
    async with world(tmp_path) as session:
        session.client.is_behind = True
        await session.pass_seconds(1)
        await until(lambda: len(session.client.events) == 3)
        for number in range(100):
            session.log("x" * 100_000 + str(number))
        session.clock.advance(1)
        for _ in range(50):
            await checkpoint()
        assert len(session.client.events) == 3
        session.client.catch_up()
        session.clock.advance(1)
        await until(lambda: len(session.client.events) == 4)
        _, update = session.client.events[-1]
        assert update["sessionMetadata"]["sampled"] is True
        assert 0 < len(update["sessionResults"]) < 50


async def test_the_number_of_sessions_is_counted(tmp_path: Path) -> None:
    """Per account."""
    async with world(tmp_path) as session:
        followed = Followed(scope=SCOPE, groups=(GROUP,), matches=lambda _: True)
        opened = [session.tails.open(followed) for _ in range(SESSIONS_MAX - 1)]
        for each in opened:
            each.__enter__()
        assert not session.tails.has_room(SCOPE.account)
        assert session.tails.has_room(AccountId("111111111111"))
        opened[0].__exit__(None, None, None)
        assert session.tails.has_room(SCOPE.account)
