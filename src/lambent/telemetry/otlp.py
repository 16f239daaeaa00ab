"""Sends metrics and traces to an OpenTelemetry collector: OTLP over HTTP, in protobuf.

`send` adds to a bounded queue and never waits. One loop sends, in order, and repeats what a
collector could not take for the moment, as the protocol asks. What the queue has no room for is
dropped: the platform never waits for a collector.
https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import gzip
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import anyio
import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.telemetry.settings import TelemetrySettings

logger = logging.getLogger(__name__)

SignalPath = Literal["/v1/metrics", "/v1/traces"]
"""Where a collector takes each kind of data, below the endpoint."""

_QUEUE_BYTES_MAX = 8 << 20
_QUEUE_REQUESTS_MAX = 256
_REQUEST_S_MAX = 10.0
_ATTEMPTS_MAX = 6
_PAUSE_S_MIN, _PAUSE_S_MAX = 1.0, 30.0
_RETRIED = frozenset({429, 502, 503, 504})
"""The statuses that the protocol lets clients retry."""


def check_endpoint(endpoint: str) -> None:
    """Raises `ValueError` if `telemetry.otlp_endpoint` is not empty and no URL of HTTP."""
    parts = urlsplit(endpoint)
    if endpoint and not (parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError(
            f"cannot use telemetry.otlp_endpoint = {endpoint!r}: it must be a URL such as"
            " http://127.0.0.1:4318"
        )


class OtlpSender:
    """The queue and the loop that sends it."""

    def __init__(
        self,
        endpoint: str,
        headers: Mapping[str, str],
        session: aiohttp.ClientSession,
        clock: Clock,
    ) -> None:
        """`check_endpoint` has accepted the endpoint; if it is empty, nothing is sent."""
        self._endpoint = endpoint.rstrip("/")
        self._headers = {
            **headers,
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
        }
        self._session = session
        self._clock = clock
        self._queue: deque[tuple[SignalPath, bytes]] = deque()
        self._bytes = 0
        self._bell = anyio.Event()
        self._is_failing = False
        self.dropped = 0
        """Requests that were not sent, since the platform started."""

    @property
    def is_enabled(self) -> bool:
        """Whether there is a collector. Callers need not encode anything without one."""
        return bool(self._endpoint)

    def send(self, path: SignalPath, body: bytes) -> None:
        """Send a request to the collector soon. `body` is an `Export…ServiceRequest` in protobuf.
        Beyond the limits of the queue it is dropped."""
        if not self._endpoint:
            return
        if len(self._queue) >= _QUEUE_REQUESTS_MAX or self._bytes + len(body) > _QUEUE_BYTES_MAX:
            self.dropped += 1
            self._note_failure("the queue is full")
            return
        self._queue.append((path, body))
        self._bytes += len(body)
        self._bell.set()

    async def run(self) -> None:
        """Send what is in the queue, forever."""
        while True:
            while self._queue:
                path, body = self._queue.popleft()
                self._bytes -= len(body)
                await self._deliver(path, body)
            self._bell = anyio.Event()
            await self._bell.wait()

    async def _deliver(self, path: SignalPath, body: bytes) -> None:
        packed = await anyio.to_thread.run_sync(gzip.compress, body, 5)
        pause_s = _PAUSE_S_MIN
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            failure, wait_s, is_final = await self._post(path, packed)
            if failure is None:
                if self._is_failing:
                    logger.info("%s takes telemetry again", self._endpoint_shown)
                self._is_failing = False
                return
            self._note_failure(failure)
            if is_final or attempt == _ATTEMPTS_MAX:
                break
            await self._clock.sleep(pause_s if wait_s is None else min(wait_s, _PAUSE_S_MAX))
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)
        self.dropped += 1

    async def _post(self, path: SignalPath, packed: bytes) -> tuple[str | None, float | None, bool]:
        """Why the request failed (None if it did not), for how long the collector wants us to
        wait, and whether another attempt is useless."""
        try:
            with anyio.fail_after(_REQUEST_S_MAX):
                async with self._session.post(
                    self._endpoint + path,
                    data=packed,
                    headers=self._headers,
                    allow_redirects=False,
                ) as response:
                    if response.status < 300:
                        return None, None, True
                    retry_after = response.headers.get("Retry-After", "")
                    wait_s = float(retry_after) if retry_after.isdecimal() else None
                    return f"status {response.status}", wait_s, response.status not in _RETRIED
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return f"{type(error).__name__}", None, False

    def _note_failure(self, failure: str) -> None:
        """A failure is logged once, until the collector works again."""
        if not self._is_failing:
            self._is_failing = True
            logger.warning(
                "cannot send telemetry to %s: %s. What does not fit into the queue is dropped",
                self._endpoint_shown,
                failure,
            )

    @property
    def _endpoint_shown(self) -> str:
        """Without credentials."""
        parts = urlsplit(self._endpoint)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@asynccontextmanager
async def open_otlp(settings: TelemetrySettings, clock: Clock) -> AsyncIterator[OtlpSender]:
    """Open a sender, with its loop. At the end what is still in the queue is lost."""
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        anyio.create_task_group() as tasks,
    ):
        sender = OtlpSender(settings.otlp_endpoint, settings.otlp_headers, session, clock)
        start_loop(tasks, clock, sender.run)
        try:
            yield sender
        finally:
            tasks.cancel_scope.cancel()
