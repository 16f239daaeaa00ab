"""The cache as viewers and origins see it."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from lambent.model.arn import Scope
from lambent.triggers.edge.errors import OriginFailed
from lambent.triggers.edge.messages import Whole
from lambent.triggers.edge.origins import OriginRequest
from tests.unit.triggers.edge.edges import (
    OPTIMIZED,
    OTHER,
    SCOPE,
    Edge,
    Seen,
    behavior,
    listed,
    open_edge,
    origin,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with open_edge(tmp_path) as edge:
        yield edge


async def test_a_response_is_kept_for_as_long_as_the_origin_says(edge: Edge) -> None:
    id = await edge.distribute()
    first = await edge.get(id, "/a")
    assert (first.status, first.body, first.cache) == (200, b"hello", "Miss")
    edge.clock.advance(59)
    second = await edge.get(id, "/a")
    assert (second.body, second.cache, second.headers["age"]) == (b"hello", "Hit", "59")
    assert len(edge.origin.requests) == 1
    edge.clock.advance(2)
    assert (await edge.get(id, "/a")).cache == "Miss"
    assert len(edge.origin.requests) == 2


async def test_head_is_served_from_what_get_has_brought(edge: Edge) -> None:
    id = await edge.distribute()
    assert (await edge.get(id, "/a", method="HEAD")).cache == "Miss"
    await edge.get(id, "/a")
    found = await edge.get(id, "/a", method="HEAD")
    assert (found.cache, found.headers["content-length"], found.body) == ("Hit", "5", b"")
    assert [request.method for request in edge.origin.requests] == ["HEAD", "GET"]


async def test_what_is_stale_is_revalidated(edge: Edge) -> None:
    def serve(request: OriginRequest) -> tuple[int, dict[str, str], bytes]:
        sent = dict((name.lower(), value) for name, value in request.headers)
        headers = {"cache-control": "max-age=10", "etag": '"1"'}
        if sent.get("if-none-match") == '"1"':
            return 304, headers, b""
        return 200, headers, b"once"

    edge.origin.serve = serve
    id = await edge.distribute()
    await edge.get(id, "/a")
    edge.clock.advance(11)
    again = await edge.get(id, "/a")
    assert (again.status, again.body, again.cache) == (200, b"once", "RefreshHit")
    assert (await edge.get(id, "/a")).cache == "Hit"
    known = await edge.get(id, "/a", {"If-None-Match": 'W/"1"'})
    assert (known.status, known.body) == (304, b"")
    assert "content-length" not in known.headers
    assert len(edge.origin.requests) == 2


async def test_conditions_of_a_viewer_do_not_reach_the_origin(edge: Edge) -> None:
    """A 304 for one viewer is nothing that others could be served."""
    id = await edge.distribute()
    found = await edge.get(id, "/a", {"If-None-Match": '"x"', "If-Modified-Since": "now"})
    assert found.status == 200
    sent = {name.lower() for name, _ in edge.origin.requests[0].headers}
    assert not sent & {"if-none-match", "if-modified-since"}


async def test_an_origin_that_fails_does_not_take_away_what_is_kept(edge: Edge) -> None:
    id = await edge.distribute()
    await edge.get(id, "/a")
    edge.clock.advance(61)
    edge.origin.serve = lambda _: (503, {}, b"down")
    found = await edge.get(id, "/a")
    assert (found.status, found.body) == (200, b"hello")
    assert (await edge.get(id, "/a")).cache == "Hit"
    assert len(edge.origin.requests) == 2
    edge.clock.advance(11)
    edge.origin.serve = lambda _: OriginFailed(502, "gone")
    assert (await edge.get(id, "/a")).body == b"hello"
    assert len(edge.origin.requests) == 3


async def test_an_origin_may_forbid_stale_responses(edge: Edge) -> None:
    edge.origin.serve = lambda _: (200, {"cache-control": "max-age=5, must-revalidate"}, b"x")
    id = await edge.distribute()
    await edge.get(id, "/a")
    edge.clock.advance(6)
    edge.origin.serve = lambda _: (500, {}, b"down")
    assert (await edge.get(id, "/a")).status == 500


async def test_errors_are_kept_for_a_while(edge: Edge) -> None:
    edge.origin.serve = lambda _: (404, {}, b"none")
    id = await edge.distribute(
        CustomErrorResponses=listed({"ErrorCode": 404, "ErrorCachingMinTTL": 3})
    )
    assert [(await edge.get(id, "/a")).cache for _ in range(2)] == ["Error", "Error"]
    assert len(edge.origin.requests) == 1
    edge.clock.advance(4)
    await edge.get(id, "/a")
    assert len(edge.origin.requests) == 2


async def test_an_error_page_comes_from_the_origin_and_the_cache(edge: Edge) -> None:
    def serve(request: OriginRequest) -> tuple[int, dict[str, str], bytes]:
        if request.uri == "/app.html":
            return 200, {"cache-control": "max-age=60"}, b"app"
        return 403, {}, b"no"

    edge.origin.serve = serve
    page = {"ErrorCode": 403, "ResponsePagePath": "/app.html", "ResponseCode": "200"}
    id = await edge.distribute(CustomErrorResponses=listed(page))
    for _ in range(2):
        found = await edge.get(id, "/deep/link")
        assert (found.status, found.body, found.cache) == (200, b"app", "Error")
    # An error 403 without Cache-Control is not kept; the page is.
    assert [request.uri for request in edge.origin.requests] == [
        *("/deep/link", "/app.html", "/deep/link"),
    ]


async def test_requests_for_one_object_ask_the_origin_once(edge: Edge) -> None:
    edge.origin.gate = anyio.Event()
    id = await edge.distribute()
    found: list[Seen] = []

    async def ask() -> None:
        found.append(await edge.get(id, "/a"))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
        while not edge.origin.requests:
            await anyio.lowlevel.checkpoint()
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        edge.origin.gate.set()
    assert len(edge.origin.requests) == 1
    assert {each.body for each in found} == {b"hello"}
    assert sorted(each.cache for each in found) == [*["Hit"] * 9, "Miss"]
    assert edge.cache.flights == {}


async def test_requests_for_what_is_not_kept_do_not_wait_for_each_other(edge: Edge) -> None:
    edge.origin.gate = anyio.Event()
    edge.origin.serve = lambda _: (200, {"cache-control": "private"}, b"mine")
    id = await edge.distribute()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(edge.get, id, "/a")
        while not edge.origin.requests:
            await anyio.lowlevel.checkpoint()
        edge.origin.gate.set()
    assert len(edge.origin.requests) == 3


async def test_an_origin_that_cannot_be_reached_is_asked_once_in_a_while(edge: Edge) -> None:
    edge.origin.gate = anyio.Event()
    edge.origin.serve = lambda _: OriginFailed(502, "gone")
    page = {"ErrorCode": 502, "ErrorCachingMinTTL": 5}
    id = await edge.distribute(CustomErrorResponses=listed(page))
    found: list[Seen] = []

    async def ask() -> None:
        found.append(await edge.get(id, "/a"))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask)
        while not edge.origin.requests:
            await anyio.lowlevel.checkpoint()
        edge.origin.gate.set()
    assert {(each.status, each.cache) for each in found} == {(502, "Error")}
    assert len(edge.origin.requests) == 1
    edge.clock.advance(6)
    await edge.get(id, "/a")
    assert len(edge.origin.requests) == 2


async def test_a_viewer_that_leaves_hands_the_question_on(edge: Edge) -> None:
    edge.origin.gate = anyio.Event()
    id = await edge.distribute()
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope():
            exchange = edge.ask(id, "/a")
            while not edge.origin.requests:
                await anyio.lowlevel.checkpoint()
        found: list[Seen] = []

        async def ask() -> None:
            found.append(await edge.get(id, "/a"))

        tasks.start_soon(ask)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        exchange.close()
        while len(edge.origin.requests) < 2:
            await anyio.lowlevel.checkpoint()
        edge.origin.gate.set()
    assert [each.body for each in found] == [b"hello"]
    assert edge.cache.flights == {}


async def test_an_invalidation_is_in_force_at_once(edge: Edge) -> None:
    id = await edge.distribute()
    for path in ("/a/1", "/a/2", "/b", "/b?x=1"):
        await edge.get(id, path)
    await edge.invalidate(id, "/a/*", "/b")
    found = {path: (await edge.get(id, path)).cache for path in ("/a/1", "/a/2", "/b", "/b?x=1")}
    assert found == {"/a/1": "Miss", "/a/2": "Miss", "/b": "Miss", "/b?x=1": "Hit"}
    await edge.invalidate(id, "/*")
    assert (await edge.get(id, "/b?x=1")).cache == "Miss"
    # Neither an earlier invalidation nor another change empties the cache again.
    await edge.change(id, Comment="changed")
    assert (await edge.get(id, "/b?x=1")).cache == "Hit"


async def test_what_was_under_way_during_an_invalidation_is_not_kept(edge: Edge) -> None:
    edge.origin.gate = anyio.Event()
    id = await edge.distribute()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(edge.get, id, "/a")
        while not edge.origin.requests:
            await anyio.lowlevel.checkpoint()
        await edge.invalidate(id, "/*")
        edge.origin.gate.set()
    assert (await edge.get(id, "/a")).cache == "Miss"


async def test_distributions_and_accounts_share_nothing(edge: Edge) -> None:
    first = await edge.distribute()
    second = await edge.distribute(Scope(OTHER, SCOPE.region))
    edge.origin.serve = lambda _: (200, {"cache-control": "max-age=60"}, b"first")
    await edge.get(first, "/a")
    edge.origin.serve = lambda _: (200, {"cache-control": "max-age=60"}, b"second")
    found = await edge.get(second, "/a")
    assert (found.body, found.cache) == (b"second", "Miss")
    assert (await edge.get(first, "/a")).body == b"first"


async def test_a_distribution_that_is_gone_serves_nothing(edge: Edge) -> None:
    id = await edge.distribute()
    await edge.get(id, "/a")
    await edge.change(id, Enabled=False)
    assert (await edge.get(id, "/a")).status == 403
    etag = (await edge.distributions.get(SCOPE, {"Id": id}))["ETag"]
    await edge.distributions.delete(SCOPE, {"Id": id, "IfMatch": etag})
    assert (await edge.get(id, "/a")).status == 403
    assert edge.cache.size == (0, 0)


async def test_parts_of_what_is_kept(edge: Edge) -> None:
    edge.origin.serve = lambda _: (
        200,
        {"cache-control": "max-age=60", "etag": '"1"'},
        b"0123456789",
    )
    id = await edge.distribute()
    await edge.get(id, "/a")

    async def part(text: str, **more: str) -> tuple[int, bytes, str | None]:
        found = await edge.get(id, "/a", {"Range": text, **more})
        return found.status, found.body, found.headers.get("content-range")

    assert await part("bytes=2-4") == (206, b"234", "bytes 2-4/10")
    assert await part("bytes=8-") == (206, b"89", "bytes 8-9/10")
    assert await part("bytes=-3") == (206, b"789", "bytes 7-9/10")
    assert await part("bytes=4-99") == (206, b"456789", "bytes 4-9/10")
    assert await part("bytes=10-") == (416, b"", "bytes */10")
    assert await part("bytes=0-1,3-4") == (200, b"0123456789", None)
    assert await part("lines=1-2") == (200, b"0123456789", None)
    assert await part("bytes=2-4", **{"If-Range": '"2"'}) == (200, b"0123456789", None)
    assert await part("bytes=2-4", **{"If-Range": '"1"'}) == (206, b"234", "bytes 2-4/10")
    assert len(edge.origin.requests) == 1


async def test_a_part_of_what_is_not_kept_is_passed_through(edge: Edge) -> None:
    """The part is not taken for the whole."""

    def serve(request: OriginRequest) -> tuple[int, dict[str, str], bytes]:
        ranges = [value for name, value in request.headers if name == "Range"]
        if ranges:
            return 206, {"content-range": "bytes 0-1/9", "cache-control": "max-age=60"}, b"ab"
        return 200, {"cache-control": "max-age=60"}, b"abcdefghi"

    edge.origin.serve = serve
    id = await edge.distribute()
    assert (await edge.get(id, "/a", {"Range": "bytes=0-1"})).body == b"ab"
    assert (await edge.get(id, "/a")).body == b"abcdefghi"


async def test_large_objects_are_kept_in_files(tmp_path: Path, edge: Edge) -> None:
    body = bytes(range(256)) * 1024
    edge.origin.serve = lambda _: Whole(body)
    id = await edge.distribute()
    assert (await edge.get(id, "/large")).body == body
    assert edge.cache.size == (0, 1)
    found = await edge.get(id, "/large")
    assert (found.cache, found.body) == ("Hit", body)
    found = await edge.get(id, "/large", {"Range": "bytes=65530-65545"})
    assert (found.status, found.body) == (206, body[65530:65546])
    await edge.invalidate(id, "/large")
    await edge.get(id, "/other")
    assert len(list((tmp_path / "cache").iterdir())) == 1


async def test_the_cache_is_bounded(tmp_path: Path) -> None:
    async with open_edge(tmp_path, memory_bytes=20_000, disk_bytes=800_000) as edge:
        id = await edge.distribute()
        edge.origin.serve = lambda _: (200, {"cache-control": "max-age=60"}, b"x" * 4000)
        for number in range(10):
            await edge.get(id, f"/{number}")
            await edge.get(id, "/0")
        assert edge.cache.size[0] == 3
        # What is asked for often stays.
        assert (await edge.get(id, "/0")).cache == "Hit"
        assert (await edge.get(id, "/5")).cache == "Miss"
        edge.origin.serve = lambda _: Whole(b"y" * 150_000)
        for number in range(10):
            await edge.get(id, f"/large/{number}")
        assert edge.cache.size[1] == 5
        assert len(list((tmp_path / "cache").iterdir())) == 5
        edge.origin.serve = lambda _: Whole(b"z" * 250_000)
        for _ in range(2):
            assert (await edge.get(id, "/huge")).cache == "Miss"


async def test_the_cache_is_empty_after_a_start(tmp_path: Path) -> None:
    async with open_edge(tmp_path) as edge:
        id = await edge.distribute()
        edge.origin.serve = lambda _: Whole(b"y" * 100_000)
        await edge.get(id, "/a")
        assert any((tmp_path / "cache").iterdir())
    async with open_edge(tmp_path) as edge:
        assert not any((tmp_path / "cache").iterdir())
        assert (await edge.get(id, "/a")).cache == "Miss"


class Breaking:
    """A body that breaks off."""

    length = 100_000

    def __init__(self) -> None:
        self._chunks = [b"a" * 50_000]

    async def read(self) -> bytes:
        """See `Content`."""
        if self._chunks:
            return self._chunks.pop()
        raise OSError("the connection is gone")


async def test_a_response_that_breaks_off_is_not_kept(tmp_path: Path, edge: Edge) -> None:
    edge.origin.serve = lambda _: Breaking()
    id = await edge.distribute()
    with pytest.raises(OSError, match="broke off"):
        await edge.get(id, "/a")
    assert edge.cache.size == (0, 0)
    assert not any((tmp_path / "cache").iterdir())
    assert edge.cache.flights == {}


async def test_responses_are_compressed_once_for_each_form(edge: Edge) -> None:
    text = b"<p>hello</p>" * 500
    edge.origin.serve = lambda _: (
        200,
        {"content-type": "text/html", "cache-control": "max-age=60", "etag": '"1"'},
        text,
    )
    id = await edge.distribute(DefaultCacheBehavior=behavior(OPTIMIZED, Compress=True))
    seen = {}
    for accepted in ("gzip, deflate, br", "gzip", "identity", "br;q=0, gzip"):
        found = await edge.get(id, "/a", {"Accept-Encoding": accepted})
        seen[accepted] = (found.headers.get("content-encoding"), found.cache)
        if found.headers.get("content-encoding"):
            assert len(found.body) < len(text) / 10
            assert (found.headers["vary"], found.headers["etag"]) == ("Accept-Encoding", 'W/"1"')
        else:
            assert found.body == text
    assert seen == {
        "gzip, deflate, br": ("br", "Miss"),
        "gzip": ("gzip", "Miss"),
        "identity": (None, "Miss"),
        "br;q=0, gzip": ("gzip", "Hit"),
    }


async def test_an_origin_group_fails_over(edge: Edge) -> None:
    group = {
        "Id": "both",
        "FailoverCriteria": {"StatusCodes": listed(500, 502)},
        "Members": listed({"OriginId": "main"}, {"OriginId": "spare"}),
    }
    id = await edge.distribute(
        Origins=listed(origin(), origin("spare")),
        OriginGroups=listed(group),
        DefaultCacheBehavior=behavior(
            OPTIMIZED,
            TargetOriginId="both",
            AllowedMethods=listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"),
        ),
    )

    def serve(request: OriginRequest) -> tuple[int, dict[str, str], bytes]:
        host = dict(request.headers)["Host"]
        return (500, {}, b"") if host == "main.example.com" else (200, {}, host.encode())

    edge.origin.serve = serve
    assert (await edge.get(id, "/a")).body == b"spare.example.com"
    assert edge.origin.domains == ["main.example.com", "spare.example.com"]
    # What changes something is not sent twice.
    assert (await edge.get(id, "/a", method="POST", body=b"x")).status == 500
