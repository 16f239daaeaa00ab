"""Calls between two nodes, over real connections."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from lambent.cluster.calling import NOT_SENT, CallingLink
from lambent.cluster.handshake import HandshakeError
from lambent.kit.http.server import HttpServer
from lambent.model.concurrency import no_capacity, throttled
from lambent.model.invocation import (
    NOT_RUN,
    Crashed,
    FunctionFailed,
    InvocationRequest,
    Outcome,
    Refused,
    Reply,
    RunReport,
    Succeeded,
    TimedOut,
)
from lambent.model.placement import NODE_LOST
from tests.unit.cluster.linked import CALLEE, Callee, Taken, callee, request, until
from tests.unit.kit.test_http_tls import certificate

__all__ = ["certificate"]
pytestmark = pytest.mark.anyio
REPORT = RunReport(0.5, 0.25, 1.5, 64, True, 17, b"the log", True)


@pytest.fixture(params=["tcp", "tls", "unix"])
async def linked(
    request: pytest.FixtureRequest, tmp_path: Path, certificate: Path
) -> AsyncIterator[tuple[Callee, CallingLink]]:
    """A node, and a link to it."""
    kind = request.param
    async with callee(
        certificate=certificate if kind == "tls" else None,
        unix=tmp_path / "node" if kind == "unix" else None,
    ) as there:
        link = await there.dial()
        yield there, link
        link.abort()


@pytest.fixture
async def plain() -> AsyncIterator[tuple[Callee, CallingLink]]:
    """The same over TCP only."""
    async with callee() as there:
        link = await there.dial()
        yield there, link
        link.abort()


async def test_calls_and_outcomes_cross(linked: tuple[Callee, CallingLink]) -> None:
    """Every member of a request, and every kind of outcome with its report."""
    there, link = linked
    outcomes: list[Outcome] = [
        Succeeded(b'"yes"'),
        Succeeded(b"<p>", "text/html"),
        FunctionFailed(b"{}", "ValueError", '{"cause": 1}'),
        TimedOut(b'{"errorMessage": "late"}'),
        Crashed(b"{}", "Runtime.ExitError"),
        no_capacity(),
        throttled(),
    ]
    asked = request(
        b'{"n": 1}',
        qualifier="live",
        client_context='{"custom": {}}',
        trace_id="Root=1-0-0",
        tenant_id="t",
    )._replace(wants_log_tail=True)
    for outcome in outcomes:
        there.on_call = lambda _, reply, outcome=outcome: reply.finish(outcome, REPORT)  # type: ignore[misc]
        taken = Taken()
        link.call(asked, taken)
        found = await taken.wait()
        if isinstance(found, Refused):
            assert isinstance(outcome, Refused)
            assert (found.reason, found.error.code) == (outcome.reason, outcome.error.code)
            assert found.error.members == outcome.error.members
        else:
            assert found == outcome
        assert taken.report == REPORT
    assert [taken for taken, _ in there.calls] == [asked] * len(outcomes)
    assert link.sent == there.links.taken == len(outcomes)


async def test_large_events_and_results(linked: tuple[Callee, CallingLink]) -> None:
    """6 MB both ways, several at once, while small calls pass."""
    there, link = linked

    def echo(request: InvocationRequest, reply: Reply) -> None:
        reply.finish(Succeeded(request.event), NOT_RUN)

    there.on_call = echo
    events = [bytes([n]) * 6_291_556 for n in range(12)]
    large = [Taken() for _ in events]
    for event, taken in zip(events, large, strict=True):
        link.call(request(event), taken)
    small = Taken()
    link.call(request(b"small"), small)
    assert await small.wait() == Succeeded(b"small")
    assert not any(taken.ended.is_set() for taken in large[8:])
    for event, taken in zip(events, large, strict=True):
        assert await taken.wait() == Succeeded(event)


async def test_a_stream_waits_for_its_reader(plain: tuple[Callee, CallingLink]) -> None:
    """A reader that is behind stops the writer after less than 1 MB; other calls go on."""
    there, link = plain
    taken = Taken()
    taken.is_behind = True
    link.call(request(wants_stream=True), taken)
    await there.wait_calls(1)
    reply, more = there.calls[0][1], anyio.Event()
    assert there.calls[0][0].wants_stream
    reply.begin("text/plain", more.set)
    written = 0
    while reply.write(b"x" * 100_000):
        written += 1
        assert written < 10
    there.on_call = lambda _, reply: reply.finish(Succeeded(b"1"), NOT_RUN)
    another = Taken()
    link.call(request(), another)
    assert await another.wait() == Succeeded(b"1")
    assert not more.is_set()
    taken.is_behind = False
    taken.resume()
    with anyio.fail_after(20):
        await more.wait()
    assert reply.write(b"end")
    reply.finish(Succeeded(b""), REPORT)
    assert await taken.wait() == Succeeded(b"")
    assert taken.content_type == "text/plain"
    assert bytes(taken.streamed) == b"x" * 100_000 * (written + 1) + b"end"


async def test_versions_are_defined_once(plain: tuple[Callee, CallingLink]) -> None:
    """Also when there are more than a link remembers."""
    there, link = plain
    there.on_call = lambda request, reply: reply.finish(
        Succeeded(request.function.key.name.encode()), NOT_RUN
    )
    asked = [request(name=f"f{number}") for number in range(5000)]
    for wanted in (*asked, *asked[:10], *asked[-10:]):
        taken = Taken()
        link.call(wanted, taken)
        assert await taken.wait() == Succeeded(wanted.function.key.name.encode())
    got = [request.function for request, _ in there.calls[: len(asked)]]
    assert got == [wanted.function for wanted in asked]


async def test_loads_are_known(plain: tuple[Callee, CallingLink]) -> None:
    there, link = plain
    there.running = 8
    await until(lambda: link.load.running == 8)
    assert link.busy == 2
    link.call(request(), Taken())
    assert link.busy > 2  # Before the node says so.
    there.running = 9
    await until(lambda: link.load.running == 9)
    assert link.is_usable


async def test_a_node_that_is_lost(plain: tuple[Callee, CallingLink]) -> None:
    """What may have run has no outcome; what has not arrived completely has certainly not run."""
    there, link = plain
    small, large = Taken(), Taken()
    link.call(request(), small)
    await there.wait_calls(1)
    link.pause_writing()
    link.call(request(b"x" * 6_000_000), large)
    assert not link.is_usable
    await there.http.close()
    assert await small.wait() is NODE_LOST
    assert await large.wait() is NOT_SENT
    assert link.lost == 1
    assert not link.is_usable


async def test_a_caller_that_is_lost(plain: tuple[Callee, CallingLink]) -> None:
    """Its calls end as any others; writers do not wait for it."""
    there, link = plain
    link.call(request(wants_stream=True), Taken())
    await there.wait_calls(1)
    reply, more = there.calls[0][1], anyio.Event()
    reply.begin("text/plain", more.set)
    while reply.write(b"x" * 100_000):
        pass
    link.abort()
    with anyio.fail_after(20):
        await more.wait()
    assert reply.write(b"x" * 1_000_000)
    reply.finish(Succeeded(b""), REPORT)


async def test_a_node_that_closes_ends_what_it_has(plain: tuple[Callee, CallingLink]) -> None:
    """It gets no more calls, and closes when the last one has ended."""
    there, link = plain
    taken = Taken()
    link.call(request(), taken)
    await there.wait_calls(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(close_in_order, there.http)
        await until(lambda: not link.is_usable)
        assert not link.over.is_set()
        large = b"y" * 3_000_000
        there.calls[0][1].finish(Succeeded(large), NOT_RUN)
        assert await taken.wait() == Succeeded(large)
        await until(link.over.is_set)


async def close_in_order(http: HttpServer) -> None:
    await http.close(30)


async def test_a_call_that_cannot_be_run(plain: tuple[Callee, CallingLink]) -> None:
    """A fault of the platform ends one call, not the link."""
    there, link = plain

    def fail(request: InvocationRequest, reply: Reply) -> None:
        raise RuntimeError("a fault")

    there.on_call = fail
    taken = Taken()
    link.call(request(), taken)
    outcome = await taken.wait()
    assert isinstance(outcome, Refused)
    assert outcome.error.status == 500
    assert link.is_usable


async def test_only_the_right_node_of_the_database() -> None:
    """A link begins only with the node that is meant, and with one of the same database."""
    async with callee() as there:
        with pytest.raises(HandshakeError, match="proof is wrong"):
            await there.dial(secret=b"of another database")
        with pytest.raises(HandshakeError, match=f"it is node {CALLEE}"):
            await there.dial(callee=CALLEE + 1)
        there.links.run = None
        with pytest.raises(HandshakeError, match="503"):
            await there.dial()
    with pytest.raises(OSError):  # noqa: PT011
        await there.dial()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there.url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lambent.cluster.calling._CONNECT_S", 0.2)
            with pytest.raises(TimeoutError):
                await there.dial()
