"""A small HTTP load generator: raw sockets on uvloop, so that it takes little of the machine.

Each connection sends its next request when the answer to the last has arrived (closed loop).
"""

import asyncio
import dataclasses
import time
from typing import cast
from urllib.parse import urlsplit

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=" + "0" * 64
)


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """What one run measured."""

    latencies_s: list[float]
    """Of every answered request, in the order of the answers."""
    duration_s: float
    errors: int
    """Answers that were no success or carried a function error."""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies_s) / self.duration_s

    def percentile_ms(self, percent: float) -> float:
        """Latency in milliseconds below which `percent` of the answers lie."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


class _Connection(asyncio.Protocol):
    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._received = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._run.connected(self)

    def begin(self) -> None:
        """Send the first request."""
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        request = self._run.next_request()
        if request is None:
            self._transport.close()
            self._run.connection_done()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._received[:head_end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) < head_end + 4 + length:
            return
        is_error = b" 20" not in head[:12] or b"x-amz-function-error" in head
        self._received = b""
        self._run.answered(time.perf_counter() - self._sent, is_error)
        if self._run.pause_s:
            asyncio.get_running_loop().call_later(self._run.pause_s, self._send)
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.connection_lost()


class _Run:
    def __init__(self, requests: list[bytes], connections: int, count: int, pause_s: float) -> None:
        self.pause_s = pause_s
        self.started = 0.0
        self._requests = requests
        self._connections: list[_Connection] = []
        self._count = count
        self._next = 0
        self._open = connections
        self.latencies_s: list[float] = []
        self.errors = 0
        self.done = asyncio.get_running_loop().create_future()

    def connected(self, connection: _Connection) -> None:
        """Begin when all are connected."""
        self._connections.append(connection)
        if len(self._connections) == self._open:
            self.started = time.perf_counter()
            for connection in self._connections:
                connection.begin()

    def next_request(self) -> bytes | None:
        if self._next >= self._count:
            return None
        self._next += 1
        return self._requests[(self._next - 1) % len(self._requests)]

    def answered(self, latency_s: float, is_error: bool) -> None:
        self.latencies_s.append(latency_s)
        self.errors += is_error

    def connection_done(self) -> None:
        self._open -= 1
        if self._open == 0 and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self) -> None:
        if self._next < self._count and not self.done.done():
            self.done.set_exception(ConnectionError("the server closed a connection"))


def invoke_request(endpoint: str, function: str, event: bytes = b"{}") -> bytes:
    """The bytes of one synchronous Invoke."""
    return post_request(endpoint, f"/2015-03-31/functions/{function}/invocations", event)


def post_request(endpoint: str, path: str, event: bytes = b"{}") -> bytes:
    """The bytes of one POST of JSON."""
    host = urlsplit(endpoint).netloc
    return (
        f"POST {path} HTTP/1.1\r\n"
        f"Host: {host}\r\nAuthorization: {AUTHORIZATION}\r\nX-Amz-Date: 20260101T000000Z\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(event)}\r\n\r\n"
    ).encode() + event


async def run(
    endpoint: str,
    requests: list[bytes],
    *,
    connections: int,
    count: int,
    pause_s: float = 0,
    deadline_s: float = 300,
) -> Sample:
    """Send `count` requests, taken in turn from `requests`, over `connections` connections that are
    all open before the first is sent; each waits `pause_s` after an answer."""
    address = urlsplit(endpoint)
    loop = asyncio.get_running_loop()
    assert address.hostname is not None
    assert address.port is not None
    host, port = address.hostname, address.port
    state = _Run(requests, connections, count, pause_s)
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(state), host, port)
    async with asyncio.timeout(deadline_s):
        await state.done
    return Sample(state.latencies_s, time.perf_counter() - state.started, state.errors)
