"""Questions between nodes: who answers, what is missing, and what strangers can do."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import anyio.abc
import pytest
from aiohttp import web

from lambent.cluster.messages import Counts, Rejected, seal, unseal
from lambent.cluster.peers import PATH, QUESTION_BYTES_MAX, HttpPeers
from lambent.kit.clock import SystemClock
from lambent.kit.http.messages import Exchange
from lambent.model.nodes import Node
from lambent.model.peers import NoAnswer, NodeGone
from lambent.store.membership import Membership
from tests.servers.processes import free_port
from tests.unit.model.test_nodes import NODE

pytestmark = pytest.mark.anyio
SECRET = b"of one database"


class Members:
    """A membership that the test changes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.nodes: list[Node] = []
        self._changed = anyio.Event()

    async def wait_changed(self) -> None:
        await self._changed.wait()

    def change(self, *nodes: Node) -> None:
        self.nodes = [*nodes]
        self._changed.set()
        self._changed = anyio.Event()


@dataclasses.dataclass
class Asked:
    """A request, and its response when there is one."""

    query: str
    body: bytes
    method: str = "POST"
    client_address: str = "192.0.2.1"
    status: int = 0
    answer: bytes = b""
    responded: anyio.Event = dataclasses.field(default_factory=anyio.Event)

    def respond(self, status: int, _: object = (), body: bytes = b"") -> None:
        self.status, self.answer = status, body
        self.responded.set()


class Served:
    """A node that serves."""

    def __init__(self, number: int, secret: bytes, tasks: anyio.abc.TaskGroup) -> None:
        self.members = Members(number)
        self.peers = HttpPeers(cast(Membership, self.members), secret, SystemClock(), tasks)
        self.port = free_port()
        self.node = dataclasses.replace(
            NODE, number=number, url=f"http://127.0.0.1:{self.port}", data_dir=f"/{number}"
        )
        self.requests: list[tuple[str, bytes]] = []

    async def handle(self, query: str, body: bytes, method: str = "POST") -> Asked:
        """Have a request served."""
        asked = Asked(query, body, method)
        self.peers.handle(cast(Exchange, asked))
        with anyio.fail_after(20):
            await asked.responded.wait()
        return asked

    async def respond(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request.rel_url.raw_query_string, body))
        asked = await self.handle(request.rel_url.raw_query_string, body)
        return web.Response(status=asked.status, body=asked.answer)


@asynccontextmanager
async def nodes(count: int, *, secrets: Any = None) -> AsyncIterator[list[Served]]:
    """Nodes that know each other."""
    async with anyio.create_task_group() as tasks:
        found = [Served(n, (secrets or {}).get(n, SECRET), tasks) for n in range(1, count + 1)]
        runners = []
        for each in found:
            each.members.change(*(other.node for other in found))
            app = web.Application(client_max_size=64 << 20)
            app.router.add_post(PATH, each.respond)
            runners.append(web.AppRunner(app, shutdown_timeout=0.1))
            await runners[-1].setup()
            await web.TCPSite(runners[-1], "127.0.0.1", each.port).start()
            tasks.start_soon(each.peers.run)
        try:
            async with found[0].peers.asking():
                yield found
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                for runner in runners:
                    await runner.cleanup()


async def echo(value: Any) -> Any:
    return value


async def test_all_nodes_answer_at_once() -> None:
    """Also large values; and each node gets its own."""
    async with nodes(3) as (one, two, three):
        gate = anyio.Event()
        arrived: list[int] = []

        async def both(value: Any) -> Any:
            arrived.append(value)
            if len(arrived) == 2:
                gate.set()
            await gate.wait()
            return "x" * 100_000 + str(value)

        for each in (two, three):
            each.peers.serve("test/both", both)
        assert one.peers.numbers() == [2, 3]
        answers = await one.peers.ask_each("test/both", {2: 20, 3: 30}, within_s=20)
        assert {n: text[-2:] for n, text in answers.found.items()} == {2: "20", 3: "30"}
        assert not answers.missing
        two.peers.serve("test/echo", echo)
        large = ["é" * 50_000, 1 << 100, None, {"a": [True, 1.5]}]
        assert await one.peers.ask_one(2, "test/echo", large, within_s=20) == large


async def test_what_does_not_answer_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A node that hangs, fails, does not know the question, or cannot be reached. The log says so
    once, and when it answers again."""
    async with nodes(5) as (one, two, three, four, five):

        async def hang(_: Any) -> Any:
            await anyio.sleep_forever()

        async def fail(_: Any) -> Any:
            raise RuntimeError

        two.peers.serve("test/it", hang)
        three.peers.serve("test/it", fail)
        five.peers.serve("test/it", echo)
        one.members.change(
            *(each.node for each in (one, two, three, four, five)),
            dataclasses.replace(NODE, number=6, url=f"http://127.0.0.1:{free_port()}"),
        )
        for _ in range(2):
            answers = await one.peers.ask("test/it", 1, within_s=0.5)
            assert answers.found == {5: 1}
            assert sorted(answers.missing) == [2, 3, 4, 6]
        said = [record.message for record in caplog.records if "does not answer" in record.message]
        assert len(said) == 4
        with pytest.raises(NoAnswer):
            await one.peers.ask_one(2, "test/it", 1, within_s=0.1)
        with pytest.raises(NodeGone):
            await one.peers.ask_one(7, "test/it", 1)
        two.peers.serve("test/it", echo)
        assert await one.peers.ask_one(2, "test/it", 1, within_s=20) == 1
        assert "node 2 answers again" in caplog.text


async def test_a_lost_node_is_not_waited_for() -> None:
    """And it is known for a day that it was there, unless it starts again in its place."""
    async with nodes(2) as (one, two):
        began = anyio.Event()

        async def hang(_: Any) -> Any:
            began.set()
            await anyio.sleep_forever()

        two.peers.serve("test/it", hang)

        async def lose() -> None:
            await began.wait()
            one.members.change(one.node)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lose)
            with anyio.fail_after(20), pytest.raises(NodeGone):
                await one.peers.ask_one(2, "test/it", within_s=60)
        assert one.peers.lost == [2]
        assert one.peers.numbers() == []
        one.members.change(one.node, dataclasses.replace(two.node, number=9))
        assert one.peers.lost == []
        assert one.peers.place_of(9) == two.node.place != one.node.place


async def test_strangers_are_refused() -> None:
    """A node of another database, a copy, a changed message, a message for another node or another
    question, unknown senders and bodies that are none: none of them reaches a question."""
    async with nodes(3, secrets={3: b"of another"}) as (one, two, three):
        reached: list[Any] = []

        async def note(value: Any) -> Any:
            reached.append(value)
            return "done"

        for each in (two, three):
            each.peers.serve("test/note", note)
            each.peers.serve("test/other", note)
        answers = await one.peers.ask("test/note", "it", within_s=20)
        assert answers.found == {2: "done"}
        assert answers.missing == [3]
        assert reached == ["it"]
        ((query, body),) = two.requests
        assert (await two.handle(query, body)).status == 403  # A copy.
        other = query.replace("test/note", "test/other").replace("count=", "count=9")
        for changed, content in (
            (query.replace("count=", "count=9"), body),
            (query.replace("within=2", "within=3"), body),
            (other, body),
            (query.replace("from=1", "from=3"), body),
            (query.replace("from=1", "from=4"), body),
            (other, b""),
            (other, b"\0" * 16),
            (other, bytes([body[0] ^ 1, *body[1:]])),
            (other, body[:-1]),
            (other, body[:-1] + bytes([body[-1] ^ 1])),
            (other, seal(b"guessed", f"{other}&to=2", b'"x"')),
            (other, seal(SECRET, f"{other}&to=3", b'"x"')),
            (other, seal(SECRET, f"{other}&to=2", b"no JSON")),
            (other, b"x" * (QUESTION_BYTES_MAX + 1)),
        ):
            assert (await two.handle(changed, content)).status == 403, (changed, content[:20])
        for malformed in ("", "question=a", f"{query}&x=1", query.replace("note", "../note")):
            assert (await two.handle(malformed, body)).status == 400
        assert (await two.handle(query, body, "GET")).status == 400
        assert reached == ["it"]
        good = other.replace("count=9", "count=8")
        asked = await two.handle(good, seal(SECRET, f"{good}&to=2", b'"x"'))
        assert asked.status == 200
        assert reached == ["it", "x"]


async def test_an_answer_is_for_one_question() -> None:
    """A server in between that answers with what it has heard before is not believed."""
    async with nodes(2) as (one, two):
        two.peers.serve("test/it", echo)
        kept: list[bytes] = []
        genuine = two.respond

        async def respond(request: web.Request) -> web.Response:
            response = await genuine(request)
            assert isinstance(response.body, bytes)
            kept.append(response.body)
            return web.Response(body=kept[0])

        app = web.Application()
        app.router.add_post(PATH, respond)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        one.members.change(one.node, dataclasses.replace(two.node, url=f"http://127.0.0.1:{port}"))
        assert await one.peers.ask_one(2, "test/it", 1, within_s=20) == 1
        with pytest.raises(NoAnswer):
            await one.peers.ask_one(2, "test/it", 2, within_s=20)
        await runner.cleanup()


async def test_large_answers_end_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the limit is held."""
    monkeypatch.setattr("lambent.cluster.peers.ANSWER_BYTES_MAX", 100_000)
    async with nodes(2) as (one, two):
        two.peers.serve("test/it", echo)
        with pytest.raises(NoAnswer):
            await one.peers.ask_one(2, "test/it", "x" * 200_000, within_s=20)
        assert await one.peers.ask_one(2, "test/it", "x", within_s=20) == "x"


async def test_no_node_is_asked_before_the_start_and_after_the_end() -> None:
    """Those questions have no answer."""
    async with nodes(2) as (_, two):
        answers = await two.peers.ask("test/it")
        assert answers.missing == [1]


def test_messages_are_secret() -> None:
    """They cannot be read without the secret, and two of the same content differ."""
    one, other = (seal(SECRET, "p", b"content" * 10) for _ in range(2))
    assert b"content" not in one
    assert one[16:] != other[16:]
    assert unseal(SECRET, "p", one) == b"content" * 10
    with pytest.raises(Rejected):
        unseal(SECRET, "q", one)


def test_counts_are_taken_once() -> None:
    """In any order within a window; memory is bounded."""
    counts = Counts()
    for count in (5, 3, 4, 1, 10_000, 9_999):
        counts.take(count)
    for count in (5, 10_000, 2, 5_000):
        with pytest.raises(Rejected):
            counts.take(count)
    for count in range(10_001, 40_000):
        counts.take(count)
    assert len(counts._seen) < 10_000
    with pytest.raises(Rejected):
        counts.take(39_000)
