"""X-Ray's daemon, as a function sees it: a UDP port in its box that takes segments.

A datagram is a line of JSON, `{"format": "json", "version": 1}`, then one segment document. There
is no response, so what is wrong is dropped. The platform reads the socket, frozen or not the box
is; documents belong to the function's account and Region, whatever they say. They are checked
later, in a thread.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
"""

import asyncio
import json
import socket
from collections.abc import Callable

from lambent.model.arn import Scope
from lambent.node.ports import TraceSink
from lambent.sandbox.datagrams import Allowance
from lambent.telemetry.traces.documents import DOCUMENT_BYTES_MAX
from lambent.telemetry.traces.received import ReceivedText

_HEADER_BYTES_MAX = 256
_DATAGRAM_BYTES_MAX = 65_535
_READS_AT_ONCE = 16
_LEFT_MAX = 1_000
"""Datagrams that are still read when the box ends."""
_PER_S, _AT_ONCE = 500.0, 1_000.0
_KB_PER_S, _KB_AT_ONCE = 1_000.0, 4_000.0
_BUFFER_BYTES = 1 << 20
_PAUSE_S = 0.05

Sender = tuple[str, int]


class TraceDaemon:
    """Reads the socket of one box until it is closed. A function that sends too much is not read
    for a while; the kernel drops what its socket has no room for."""

    def __init__(
        self,
        listener: socket.socket,
        scope: Scope,
        traces: TraceSink,
        admits: Callable[[Sender], bool],
    ) -> None:
        """The socket belongs to the caller. `admits` says whether a sender is in the box."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._scope = scope
        self._traces = traces
        self._admits = admits
        now = self._loop.time()
        self._datagrams = Allowance(_PER_S, _AT_ONCE, now)
        self._kilobytes = Allowance(_KB_PER_S, _KB_AT_ONCE, now)
        self._pause: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._loop.add_reader(listener, self._receive)

    def close(self) -> None:
        """Read what has arrived, and stop."""
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()
        for _ in range(_LEFT_MAX):
            if not self._datagrams.take(self._loop.time()) or not self._read():
                return

    def _receive(self) -> None:
        for _ in range(_READS_AT_ONCE):
            if not self._datagrams.take(self._loop.time()):
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(_PAUSE_S, self._resume)
                return
            if not self._read():
                return

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._receive)

    def _read(self) -> bool:
        """Take one datagram; returns whether there was one."""
        try:
            data, sender = self._listener.recvfrom(_DATAGRAM_BYTES_MAX)
        except OSError:
            return False
        if self._kilobytes.take(self._loop.time(), 1 + len(data) / 1024) and self._admits(sender):
            text = document_in(data)
            if text is not None:
                self._traces.record(self._scope, ReceivedText(text))
        return True


def document_in(data: bytes) -> str | None:
    """The document in a datagram; None if there is none."""
    header, separator, body = data.partition(b"\n")
    if not separator or len(header) > _HEADER_BYTES_MAX or len(body) > DOCUMENT_BYTES_MAX:
        return None
    try:
        read = json.loads(header)
        text = body.decode()
    except (ValueError, RecursionError):
        return None
    is_known = isinstance(read, dict) and read.get("format") == "json" and read.get("version") == 1
    return text if is_known and body else None
