"""Delivers telemetry to an extension's server in the box.

Records are buffered until there are enough of them or enough time has passed; then one task sends
them. A subscriber that is too slow loses the records that do not fit into the buffer, and is sent
their number. The server is the function's code: a bounded buffer is all that it can cost the
platform.
"""

import asyncio
import contextlib
import json
import math
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from lambent.kit.clock import Clock
from lambent.node.apis.telemetry_api import SubscriptionRequest
from lambent.sandbox.ports import SandboxError
from lambent.telemetry import events

_BUFFERS_MAX = 2
"""How many batches, of the size it requested, are buffered for a slow subscriber."""
_RETRY_S_MIN, _RETRY_S_MAX = 0.1, 5.0
_DEADLINE_S = 30.0
"""Seconds for one delivery, not counting the time for which the box is frozen."""
_ANSWER_BYTES_MAX = 16 * 1024
_DROPPED = (
    "Some logs were dropped because the downstream consumer is slower than the logs production rate"
)
_DROPPED_LEGACY = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
_LEGACY_ONLY = ("platform.end", "platform.fault", "platform.logsSubscription")
_LEGACY = {*_LEGACY_ONLY, "platform.start", "platform.report", "platform.extension"}
_LEGACY |= {"platform.logsDropped"}
_LEGACY_SINCE_2021 = {*_LEGACY, "platform.runtimeDone"}

OpenSocket = Callable[[], Awaitable[socket.socket]]
"""Makes an unconnected TCP socket in the box. Raises SandboxError."""


class Subscription:
    """Accepts records at once, and delivers them later. `run` is its task; `close` ends it."""

    def __init__(
        self, extension: str, request: SubscriptionRequest, open_socket: OpenSocket, clock: Clock
    ) -> None:
        self.extension = extension
        self.request = request
        self._open_socket = open_socket
        self._clock = clock
        self._records: list[bytes] = []
        self._bytes = 0
        self._dropped_records = 0
        self._dropped_bytes = 0
        self._first_at = 0.0
        """Arrival of the oldest record, in monotonic seconds."""
        self._arrived = asyncio.Event()
        self._is_due = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_flushing = False
        self._writer: asyncio.StreamWriter | None = None
        self._scope = anyio.CancelScope()
        self._attempt: anyio.CancelScope | None = None
        self._is_thawed = asyncio.Event()
        self._is_thawed.set()

    def offer(self, kind: str, at: float, content: Any) -> None:
        """Accept a record, if it was subscribed to; `at` is in epoch seconds."""
        if kind not in self.request.types:
            return
        if kind == "platform":
            type_, record = content
            if not _is_for(self.request, type_):
                return
        else:
            type_, record = kind, content
            if not isinstance(record, str) and not self.request.takes_objects:
                record = json.dumps(record, ensure_ascii=False)
        self._add(events.encode(at, (type_, record)))

    def _add(self, record: bytes) -> None:
        request = self.request
        if (
            self._bytes + len(record) > _BUFFERS_MAX * request.bytes_max
            or len(self._records) >= _BUFFERS_MAX * request.items_max
        ):
            self._dropped_records += 1
            self._dropped_bytes += len(record)
            return
        self._keep(record)

    def _keep(self, record: bytes) -> None:
        request = self.request
        if not self._records:
            self._first_at = self._clock.monotonic()
        self._records.append(record)
        self._bytes += len(record)
        self._is_empty.clear()
        self._arrived.set()
        if self._bytes >= request.bytes_max or len(self._records) >= request.items_max:
            self._is_due.set()

    def freeze(self) -> None:
        """The box is frozen: begin no delivery, and suspend the deadline of one in progress."""
        self._is_thawed.clear()
        if self._attempt is not None:
            self._attempt.deadline = math.inf

    def thaw(self) -> None:
        """The box was thawed."""
        self._is_thawed.set()
        if self._attempt is not None:
            self._attempt.deadline = anyio.current_time() + _DEADLINE_S

    async def flush(self) -> None:
        """Return when everything accepted so far has been delivered."""
        self._is_flushing = True
        self._is_due.set()
        try:
            await self._is_empty.wait()
        finally:
            self._is_flushing = False

    def close(self) -> None:
        """Deliver nothing more. Idempotent."""
        self._scope.cancel()

    async def run(self) -> None:
        """Deliver until closed."""
        with self._scope:
            try:
                while True:
                    await self._arrived.wait()
                    await self._wait_until_due()
                    await self._deliver_batch()
            finally:
                self._is_empty.set()
                self._disconnect()

    async def _wait_until_due(self) -> None:
        left_s = self._first_at + self.request.timeout_s - self._clock.monotonic()
        if left_s > 0 and not self._is_flushing:
            with anyio.move_on_after(left_s):
                await self._is_due.wait()
        self._is_due.clear()

    async def _deliver_batch(self) -> None:
        records, self._records, self._bytes = self._records, [], 0
        self._arrived.clear()
        pause_s = _RETRY_S_MIN
        while not await self._try_to_deliver(records):
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _RETRY_S_MAX)
        if self._dropped_records:
            reason = _DROPPED_LEGACY if self.request.is_legacy else _DROPPED
            event = events.logs_dropped(reason, self._dropped_records, self._dropped_bytes)
            self._dropped_records = self._dropped_bytes = 0
            # Exempt from the bound: this record must not be lost.
            self._keep(events.encode(self._clock.now(), event))
        if not self._records:
            self._is_empty.set()

    async def _try_to_deliver(self, records: list[bytes]) -> bool:
        await self._is_thawed.wait()
        was_taken = False
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + _DEADLINE_S) as self._attempt:
                if self.request.path is None:
                    await self._send_lines(records)
                    was_taken = True
                else:
                    was_taken = await self._post(self.request.path, records)
        except (OSError, SandboxError, ValueError):
            pass
        self._attempt = None
        if not was_taken:
            self._disconnect()
        return was_taken

    async def _send_lines(self, records: list[bytes]) -> None:
        """Send the records over the TCP connection, which stays open."""
        if self._writer is None or self._writer.is_closing():
            _, self._writer = await self._connect()
        self._writer.write(b"".join(record + b"\n" for record in records))
        await self._writer.drain()

    async def _post(self, path: str, records: list[bytes]) -> bool:
        """Post the records in one request, on a new connection; returns whether that succeeded."""
        body, request = b"[" + b",".join(records) + b"]", self.request
        reader, self._writer = await self._connect()
        head = (
            f"{request.method} {path} HTTP/1.1\r\nHost: sandbox.localdomain:{request.port}"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        status = (await reader.readline()).split(b" ", 2)
        self._writer.close()
        return len(status) > 1 and status[1].startswith(b"2")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = await self._open_socket()
        try:
            sock.setblocking(False)
            address = ("127.0.0.1", self.request.port)
            await asyncio.get_running_loop().sock_connect(sock, address)
            return await asyncio.open_connection(sock=sock, limit=_ANSWER_BYTES_MAX)
        except BaseException:
            sock.close()
            raise

    def _disconnect(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.transport.abort()


def _is_for(request: SubscriptionRequest, type_: str) -> bool:
    """Whether the API that the extension subscribed at has this type of platform event."""
    if not request.is_legacy:
        return type_ not in _LEGACY_ONLY
    return type_ in (_LEGACY_SINCE_2021 if request.schema >= "2021-03-18" else _LEGACY)
