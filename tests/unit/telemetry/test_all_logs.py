"""Pages of the logs of several nodes: complete and in order, whatever is on which node."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from lambent.gateway.services.logs.tokens import (
    cursor_of,
    cursor_token,
    position_of,
    position_token,
)
from lambent.kit.clock import SystemClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.telemetry.all_logs import AllLogs, Cursor, Wanted
from lambent.telemetry.logs import open_logs
from lambent.telemetry.queries import Bounds
from lambent.telemetry.settings import TelemetrySettings
from tests.unit.linked_peers import Linked, linked

pytestmark = pytest.mark.anyio
SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
GROUP = "/g"
STREAMS = ("a", "b")


@asynccontextmanager
async def nodes(tmp_path: Path, seed: int) -> AsyncIterator[tuple[list[AllLogs], list[Linked]]]:
    """Three nodes whose streams have the same names, with events at few different times."""
    chance = random.Random(seed)
    peers = linked(3)
    async with AsyncExitStack() as stack:
        found = []
        for each in peers:
            place = tmp_path / str(each.number)
            logs = await stack.enter_async_context(
                open_logs(TelemetrySettings(), place, SystemClock())
            )
            found.append(AllLogs(logs, each))
            for stream in STREAMS:
                writer = logs.open_stream(*SCOPE, GROUP, stream)
                times = sorted(chance.randrange(1000, 1010) for _ in range(chance.randrange(30)))
                for number, at in enumerate(times):
                    text = f"{each.number} {stream} {number} {'x' * chance.randrange(60)}"
                    writer.append(at, text.encode())
        yield found, peers


def bounds(events_max: int, bytes_max: int = 1 << 20) -> Bounds:
    return Bounds(start_ms=0, end_ms=1 << 60, events_max=events_max, bytes_max=bytes_max)


async def pages(logs: AllLogs, limits: Bounds, *, is_forward: bool = True) -> list[tuple[int, str]]:
    """Times and texts of a group, page by page, over tokens."""
    found: list[tuple[int, str]] = []
    token: str | None = None
    while True:
        way, cursor = (is_forward, Cursor()) if token is None else cursor_of(token)
        wanted = Wanted(bounds=limits, is_forward=way)
        page = await logs.group_page(*SCOPE, GROUP, wanted, cursor)
        assert page.found or page.following is None
        found += [(each.event.timestamp_ms, each.event.message.decode()) for each in page.found]
        if page.following is None:
            return found
        token = cursor_token(page.following, is_forward=way)


@pytest.mark.parametrize("seed", range(2))
async def test_pages_of_a_group_are_complete(tmp_path: Path, seed: int) -> None:
    """In both directions, by number and by size, the same through each node."""
    async with nodes(tmp_path, seed) as (all_logs, _):
        whole = await pages(all_logs[0], bounds(10_000))
        assert len(whole) == len({text for _, text in whole}) > 20
        assert [at for at, _ in whole] == sorted(at for at, _ in whole)
        for logs in all_logs:
            for limits in (bounds(7), bounds(1), bounds(100, 300)):
                assert await pages(logs, limits) == whole
                assert await pages(logs, limits, is_forward=False) == whole[::-1]


@pytest.mark.parametrize("seed", range(2))
async def test_what_a_silent_node_has_comes_later(tmp_path: Path, seed: int) -> None:
    """Pages go on without it, name it, and have all of its events when it answers again."""
    async with nodes(tmp_path, seed) as (all_logs, peers):
        whole = await pages(all_logs[0], bounds(10_000))
        found: list[str] = []
        cursor: Cursor | None = Cursor()
        number = 0
        while cursor is not None:
            peers[2].is_silent = number in (0, 2, 3)
            wanted = Wanted(bounds=bounds(9))
            page = await all_logs[0].group_page(*SCOPE, GROUP, wanted, cursor)
            assert list(page.missing) == ([3] if peers[2].is_silent else [])
            found += [each.event.message.decode() for each in page.found]
            cursor = page.following
            if cursor is not None:
                _, cursor = cursor_of(cursor_token(cursor, is_forward=True))
            number += 1
        assert sorted(found) == sorted(text for _, text in whole)


@pytest.mark.parametrize("seed", range(2))
async def test_pages_of_a_stream_are_complete(tmp_path: Path, seed: int) -> None:
    """In both directions; at either end the token stays."""
    async with nodes(tmp_path, seed) as (all_logs, peers):
        logs = all_logs[1]
        streams = await logs.describe_streams(*SCOPE, GROUP)
        assert streams is not None
        for stream in STREAMS:
            texts: dict[str, list[str]] = {"f": [], "b": []}
            for way in ("f", "b"):
                token = None
                for number in range(1000):
                    peers[0].is_silent = number % 3 == 1
                    is_forward, positions, position = position_of(token, way == "f")
                    page = await logs.stream_page(
                        *(*SCOPE, GROUP, stream, bounds(4, 200), positions),
                        is_forward=is_forward,
                        position=position,
                    )
                    before = token
                    following = page.forward if way == "f" else page.backward
                    token = position_token(way, following)
                    if not page.events and not page.missing:
                        assert token == before or before is None
                        break
                    some = [event.message.decode() for event in page.events]
                    texts[way] = [*texts[way], *some] if way == "f" else [*some, *texts[way]]
            assert sorted(texts["f"]) == sorted(texts["b"])
            assert len(set(texts["f"])) == len(texts["f"])
            for node in "123":
                own = [text for text in texts["f"] if text.startswith(node)]
                assert own == sorted(own, key=lambda text: int(text.split()[2]))


async def test_what_must_happen_everywhere_fails_while_a_node_is_silent(tmp_path: Path) -> None:
    """It can be repeated. What is not there is only known when all have answered."""
    async with nodes(tmp_path, 1) as ((one, two, _), peers):
        peers[2].is_silent = True
        with pytest.raises(ApiError) as error:
            await one.delete_group(*SCOPE, GROUP)
        assert error.value.status == 503
        for ask in (one.has_group(*SCOPE, "no"), one.describe_streams(*SCOPE, "no")):
            with pytest.raises(ApiError, match="node 3 did not answer"):
                await ask
        assert await one.has_group(*SCOPE, GROUP)
        peers[2].is_silent = False
        assert await one.delete_group(*SCOPE, GROUP)
        assert not await two.has_group(*SCOPE, GROUP)


@pytest.mark.parametrize("token", ["f/", "f/1:2", "b/-1", "x", "f/" + "9" * 40, "f/1,2", ""])
def test_tokens_that_are_none(token: str) -> None:
    """They are refused."""
    with pytest.raises(ApiError):
        position_of(token, from_head=True)
    with pytest.raises(ApiError):
        cursor_of(token)
