"""The sender of telemetry never waits, repeats what a collector could not take, and gives up."""

import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest
from aiohttp import web

from lambent.kit.clock import ManualClock
from lambent.telemetry.otlp import OtlpSender, check_endpoint, open_otlp
from lambent.telemetry.settings import TelemetrySettings

pytestmark = pytest.mark.anyio


class Collector:
    """Responds with these statuses, then with 200."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self.statuses = list(statuses)
        self.received: list[tuple[str, bytes, str | None]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.headers["Content-Type"] == "application/x-protobuf"
        # The server has unpacked it.
        assert request.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        self.received.append((request.path, body, request.headers.get("X-Key")))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def collecting(*statuses: int) -> AsyncIterator[tuple[Collector, OtlpSender, ManualClock]]:
    collector, clock = Collector(statuses), ManualClock()
    application = web.Application()
    application.router.add_post("/{path:.*}", collector.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        settings = TelemetrySettings(
            otlp_endpoint=f"http://127.0.0.1:{runner.addresses[0][1]}/",
            otlp_headers={"X-Key": "k"},
        )
        async with open_otlp(settings, clock) as sender:
            yield collector, sender, clock
    finally:
        await runner.cleanup()


async def until(collector: Collector, requests: int, clock: ManualClock) -> None:
    with anyio.fail_after(20):
        while len(collector.received) < requests:
            clock.advance(30)
            await anyio.sleep(0.005)


async def test_requests_arrive_in_order() -> None:
    """Each at the path of its signal, with the headers that the operator chose."""
    async with collecting() as (collector, sender, clock):
        assert sender.is_enabled
        sender.send("/v1/metrics", b"first")
        sender.send("/v1/traces", b"second")
        await until(collector, 2, clock)
    assert collector.received == [("/v1/metrics", b"first", "k"), ("/v1/traces", b"second", "k")]


async def test_a_busy_collector_gets_it_again() -> None:
    """After 503 and 429; what it refuses otherwise is dropped, and the next request is sent."""
    async with collecting(503, 429, 200, 400) as (collector, sender, clock):
        for body in (b"first", b"bad", b"last"):
            sender.send("/v1/metrics", body)
        await until(collector, 5, clock)
        assert [body for _, body, _ in collector.received] == [
            *[b"first"] * 3,
            b"bad",
            b"last",
        ]
        assert sender.dropped == 1


async def test_a_collector_that_is_gone_costs_a_bounded_queue(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What has no room is dropped and counted, and the log says so once, without the password."""
    settings = TelemetrySettings(otlp_endpoint="http://user:hidden@127.0.0.1:1")
    async with open_otlp(settings, ManualClock()) as sender:
        for _ in range(300):
            sender.send("/v1/metrics", b"x")
        assert sender.dropped == 300 - 256
        sender.send("/v1/traces", b"x" * (9 << 20))
        assert sender.dropped == 300 - 256 + 1
    assert len(caplog.records) == 1
    assert "hidden" not in caplog.text


async def test_without_an_endpoint_nothing_is_sent() -> None:
    """Nor kept."""
    async with open_otlp(TelemetrySettings(), ManualClock()) as sender:
        assert not sender.is_enabled
        sender.send("/v1/metrics", b"x" * (9 << 20))
        assert sender.dropped == 0


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://", "http:///v1"])
def test_an_endpoint_is_a_url_of_http(endpoint: str) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match=r"telemetry\.otlp_endpoint"):
        check_endpoint(endpoint)
    check_endpoint("https://collector.example/otlp")
