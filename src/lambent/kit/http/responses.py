"""HTTP/1.1 responses without I/O: status, headers and body become bytes."""

import enum
import http
from collections.abc import Iterable
from email.utils import formatdate

from lambent.kit.clock import Clock

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS = {status.value: status.phrase for status in http.HTTPStatus}
_RETRY_AFTER_S = 1

Headers = Iterable[tuple[str, str]]


class Framing(enum.Enum):
    """How the body of a streamed response ends."""

    NONE = enum.auto()
    """The response has no body: the request is HEAD, or the status excludes one."""
    LENGTH = enum.auto()
    """After the announced length."""
    CHUNKED = enum.auto()
    """With an empty chunk."""
    CLOSE = enum.auto()
    """With the connection, for HTTP/1.0, which has no chunks."""


class DateLine:
    """The `Date` header, made once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._line = ""
        self._end = b""

    @property
    def line(self) -> str:
        """The header, without its line end."""
        if int(self._clock.now()) != self._second:
            self._refresh()
        return self._line

    @property
    def end(self) -> bytes:
        """The header, and the empty line that ends a head."""
        if int(self._clock.now()) != self._second:
            self._refresh()
        return self._end

    def _refresh(self) -> None:
        self._second = second = int(self._clock.now())
        self._line = f"Date: {formatdate(second, usegmt=True)}"
        self._end = f"{self._line}\r\n\r\n".encode()


def encode_head(
    status: int, headers: Headers, length: int | None, *, keep_alive: bool, date: DateLine
) -> bytes:
    """The head of a response whose body has `length` bytes; None adds no `Content-Length`. Adds
    the date if it is not among the headers. Raises ValueError for a header value that contains CR,
    LF or NUL: it would end the header early."""
    lines = _head_lines(status, headers, date)
    if length is not None and status != 204:
        lines.append(f"Content-Length: {length}")
    if not keep_alive:
        lines.append("Connection: close")
    return _joined(lines)


def encode_start(
    status: int,
    headers: Headers,
    length: int | None,
    *,
    method: str,
    version: str,
    keep_alive: bool,
    date: DateLine,
) -> tuple[bytes, Framing]:
    """The head of a streamed response to a request of this method and HTTP version, and how its
    body is framed. `length` is None if it is not known yet. Raises ValueError as `encode_head`
    does."""
    lines = _head_lines(status, headers, date)
    if length is not None and status != 204:
        lines.append(f"Content-Length: {length}")
    if method == "HEAD" or status in (204, 304):
        framing = Framing.NONE
    elif length is not None:
        framing = Framing.LENGTH
    elif version == "1.0":
        framing = Framing.CLOSE
    else:
        framing = Framing.CHUNKED
        lines.append("Transfer-Encoding: chunked")
    if framing is Framing.CLOSE or not keep_alive:
        lines.append("Connection: close")
    return _joined(lines), framing


def encode_chunk(framing: Framing, data: bytes) -> tuple[bytes, ...]:
    """A part of a streamed body, as bytes to be written one after the other."""
    if framing is Framing.CHUNKED:
        return f"{len(data):x}\r\n".encode(), data, b"\r\n"
    return () if framing is Framing.NONE else (data,)


def encode_end(framing: Framing) -> bytes:
    """The end of a streamed body."""
    return b"0\r\n\r\n" if framing is Framing.CHUNKED else b""


def encode_upgrade(protocol: str, headers: Headers, date: DateLine) -> bytes:
    """`101 Switching Protocols`. Raises ValueError as `encode_head` does."""
    switch = (("Connection", "Upgrade"), ("Upgrade", protocol))
    return _joined(_head_lines(101, (*switch, *headers), date))


def encode_refusal(status: int, date: DateLine) -> bytes:
    """The response to a request that is not handled: without a body, the last of a connection."""
    headers = [("Retry-After", str(_RETRY_AFTER_S))] if status == 503 else []
    return encode_head(status, headers, 0, keep_alive=False, date=date)


def _head_lines(status: int, headers: Headers, date: DateLine) -> list[str]:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    has_date = False
    for name, value in headers:
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"cannot send header {name}: its value has a line break or NUL")
        lines.append(f"{name}: {value}")
        has_date = has_date or name.lower() == "date"
    if not has_date:
        lines.append(date.line)
    return lines


def _joined(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
