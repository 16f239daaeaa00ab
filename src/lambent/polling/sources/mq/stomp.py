"""A client of STOMP 1.2: frames on one connection, and heart-beats.

The one maintained client for Python does not do: its threads have no deadlines, it notices the end
of a TLS connection only when heart-beats are missing, and it does not limit the size of a message.
https://stomp.github.io/stomp-specification-1.2.html
"""

import dataclasses
import math
import re
import ssl
from collections.abc import Mapping

import anyio
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from lambent.kit.clock import Clock

_HEADERS_BYTES_MAX = 256 * 1024
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"}
_UNESCAPES = {escaped: plain for plain, escaped in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\[\\nrc]")
_UNESCAPED_COMMANDS = ("CONNECT", "CONNECTED")
"""These have no escapes, as in version 1.0."""
_CHUNK_BYTES = 64 * 1024
_GRACE = 2.5
"""The number of heart-beats that may be missing."""
_ENDS = (
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.IncompleteRead,
    OSError,
    TimeoutError,
)


class ConnectionEnded(Exception):
    """The connection has ended, or the peer breaks the protocol."""


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """One frame."""

    command: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    body: bytes | None = dataclasses.field(default=b"", repr=False)
    """None if it was too large, and skipped."""

    def encode(self) -> bytes:
        """The bytes to send."""
        assert self.body is not None
        escape = str if self.command in _UNESCAPED_COMMANDS else _escape
        lines = [self.command, *(f"{escape(k)}:{escape(v)}" for k, v in self.headers.items())]
        return "\n".join([*lines, "", ""]).encode() + self.body + b"\0"


class FrameReader:
    """Reads frames from a stream. Must not be used after a read that was cancelled."""

    def __init__(self, stream: ByteStream, *, body_bytes_max: int) -> None:
        self._stream = BufferedByteReceiveStream(stream)
        self._body_bytes_max = body_bytes_max
        self.patience_s = math.inf
        """How long the peer may be silent."""

    async def read(self) -> Frame:
        """The next one. Raises `ConnectionEnded`."""
        try:
            return await self._read()
        except (*_ENDS, anyio.DelimiterNotFound, UnicodeDecodeError, ValueError) as error:
            raise ConnectionEnded(str(error) or type(error).__name__) from error

    async def _read(self) -> Frame:
        command = ""
        while not command:  # Empty lines are heart-beats.
            command = await self._line()
        unescape = str if command in _UNESCAPED_COMMANDS else _unescape
        headers: dict[str, str] = {}
        left = _HEADERS_BYTES_MAX
        while line := await self._line():
            left -= len(line) + 1
            if left < 0:
                raise ValueError("headers without end")
            name, _, value = line.partition(":")
            headers.setdefault(unescape(name), unescape(value))
        length = headers.get("content-length")
        body = await self._text() if length is None else await self._bytes(int(length))
        return Frame(command, headers, body)

    async def _line(self) -> str:
        with anyio.fail_after(self.patience_s):
            line = await self._stream.receive_until(b"\n", _HEADERS_BYTES_MAX)
        return line.decode().removesuffix("\r")

    async def _bytes(self, length: int) -> bytes | None:
        """A body of known length, and the NUL after it."""
        if length < 0:
            raise ValueError("a negative length")
        chunks: list[bytes] | None = [] if length <= self._body_bytes_max else None
        while length:
            chunk = await self._exactly(min(length, _CHUNK_BYTES))
            length -= len(chunk)
            if chunks is not None:
                chunks.append(chunk)
        if await self._exactly(1) != b"\0":
            raise ValueError("a frame that does not end")
        return None if chunks is None else b"".join(chunks)

    async def _text(self) -> bytes | None:
        """A body that ends with the first NUL."""
        chunks: list[bytes] = []
        size = 0
        while True:
            try:
                with anyio.fail_after(self.patience_s):
                    chunks.append(await self._stream.receive_until(b"\0", _CHUNK_BYTES))
            except anyio.DelimiterNotFound:
                chunks.append(await self._exactly(len(self._stream.buffer)))
            else:
                size += len(chunks[-1])
                return b"".join(chunks) if size <= self._body_bytes_max else None
            size += len(chunks[-1])
            if size > self._body_bytes_max:
                chunks.clear()

    async def _exactly(self, length: int) -> bytes:
        with anyio.fail_after(self.patience_s):
            return await self._stream.receive_exactly(length)


class Connection:
    """A connection to a server."""

    def __init__(
        self, stream: ByteStream, clock: Clock, *, body_bytes_max: int, heartbeat_s: float
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._reader = FrameReader(stream, body_bytes_max=body_bytes_max)
        self._heartbeat_s = heartbeat_s
        self._lock = anyio.Lock()

    async def log_in(self, host: str, user: str, password: str) -> Frame:
        """Send CONNECT. Returns the server's `CONNECTED` or `ERROR`. Raises `ConnectionEnded`."""
        beat = round(self._heartbeat_s * 1000)
        headers = {
            "accept-version": "1.2",
            "host": host,
            "login": user,
            "passcode": password,
            "heart-beat": f"{beat},{beat}",
        }
        await self.send(Frame("CONNECT", headers))
        response = await self._reader.read()
        self._agree(response.headers.get("heart-beat", "0,0"))
        return response

    def _agree(self, offered: str) -> None:
        """Negotiate the heart-beats of both sides."""
        sends, _, wants = offered.partition(",")
        if sends.isdecimal() and int(sends):
            beat_s = max(int(sends) / 1000, self._heartbeat_s)
            self._reader.patience_s = _GRACE * beat_s
        self._heartbeat_s = (
            max(int(wants) / 1000, self._heartbeat_s) if wants.isdecimal() and int(wants) else 0
        )

    async def beat(self) -> None:
        """Send heart-beats while the connection lasts, if the server wants them."""
        while self._heartbeat_s:
            await self._clock.sleep(self._heartbeat_s)
            try:
                await self._send(b"\n")
            except ConnectionEnded:
                return

    async def read(self) -> Frame:
        """See `FrameReader`."""
        return await self._reader.read()

    async def send(self, *frames: Frame) -> None:
        """Send frames, in order. Raises `ConnectionEnded`."""
        await self._send(b"".join(frame.encode() for frame in frames))

    async def _send(self, data: bytes) -> None:
        try:
            async with self._lock:
                with anyio.fail_after(self._reader.patience_s):
                    await self._stream.send(data)
        except _ENDS as error:
            raise ConnectionEnded(str(error) or type(error).__name__) from error


async def connect(host: str, port: int, context: ssl.SSLContext | None) -> ByteStream:
    """Connect, with TLS if there is a context. Raises `ConnectionEnded`, or `SSLError` if the
    server's certificate is not trusted."""
    try:
        if context is None:
            return await anyio.connect_tcp(host, port)
        return await anyio.connect_tcp(
            host, port, ssl_context=context, tls_standard_compatible=False
        )
    except ssl.SSLError:
        raise
    except _ENDS as error:
        raise ConnectionEnded(str(error) or type(error).__name__) from error


def _escape(text: str) -> str:
    return re.sub(r"[\\\n\r:]", lambda found: _ESCAPES[found[0]], text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: _UNESCAPES[found[0]], text)
