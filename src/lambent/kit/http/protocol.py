"""HTTP/1.1 requests without I/O: bytes go in, events come out. httptools parses.

For each request there is one `RequestHead`, then bytes for each part of its body, then one
`EndOfRequest`; after it comes the next request. `ProtocolError` is the last event of a
connection. How the network splits the bytes changes nothing, except how a body is split into
chunks. `responses.py` is the other direction.

A client may offer to switch to another protocol (`RequestHead.upgrade`). Whatever follows such a
request is HTTP or the other protocol, which only the response decides. So the parser pauses at the
end of the request until `resume` (it is HTTP) or `take_over` (it is not) is called.
"""

from collections.abc import Sequence

import httptools

from lambent.kit.http.events import (
    END_OF_REQUEST,
    SMALL_BYTES,
    EndOfRequest,
    Event,
    ProtocolError,
    RequestHead,
)
from lambent.kit.http.framing import (
    CHECKED,
    LONG_TARGET_BYTES,
    BadRequestError,
    HeadTooLargeError,
    body_length,
    check_target,
    check_version,
    join_repeated,
    origin_form,
)

_HEADERS_MAX = 1000
"""Many small headers take much more memory than their bytes."""


class RequestProtocol:
    """Parses the requests of one connection. The `on_…` methods are for httptools alone."""

    __slots__ = (
        "_checked",
        "_doubtful_bytes",
        "_events",
        "_has_completed",
        "_head",
        "_head_bytes_max",
        "_headers",
        "_is_stopped",
        "_names",
        "_parser",
        "_read_bytes",
        "_skipped_framing",
        "_trailers",
        "_url",
        "is_paused",
        "pending_bytes",
        "unparsed",
    )

    def __init__(self, head_bytes_max: int) -> None:
        """`head_bytes_max` limits a request line with its headers, and also what surrounds the
        chunks of a body."""
        self._head_bytes_max = head_bytes_max
        self._parser = httptools.HttpRequestParser(self)
        self._events: list[Event] = []
        self._is_stopped = False
        """Nothing is parsed, for now or after an error."""
        self.is_paused = False
        """Whether a request has ended that offers an upgrade, see the module."""
        self.unparsed = b""
        """What has arrived while it is paused."""
        self.pending_bytes = 0
        """Bytes that are held of a head that is not complete, of what surrounds the chunks of a
        body, or of `unparsed`. For the head of a request it is an upper bound."""
        self._doubtful_bytes = 0
        """Of these, what may belong to the request before: it does not count as a head."""
        self._read_bytes = 0
        """Bytes of the read that is being parsed."""
        # The request that is arriving.
        self._head: RequestHead | None = None
        """None until it is complete."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._checked: list[tuple[bytes, bytes]] = []
        """Those of them that say how the request is read."""
        self._names: list[bytes] = []
        self._trailers: dict[str, str] | None = None
        self._has_completed = False
        """Whether a request has ended in this read."""
        self._skipped_framing = b""
        """The header that delimits a body which the parser skips, see `_feed_rest`."""

    def receive(self, data: bytes) -> Sequence[Event]:
        """Parse what has arrived. Returns what it completes."""
        if self._is_stopped:
            if self.is_paused:
                self.unparsed += data
                self.pending_bytes = len(self.unparsed)
            return ()
        events = self._events = []
        head = self._head
        self._read_bytes = len(data)
        self._has_completed = False
        if head is None:
            self.pending_bytes += len(data)
        try:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                self._feed_rest(data[stopped.args[0] :])
                if self.is_paused:
                    return events
        except (httptools.HttpParserError, BadRequestError) as error:
            self._fail(error)
            return events
        if self._has_completed:
            if self._url:
                self._note_next_head()
            elif self._head is None:
                self.pending_bytes = 0
        elif head is not None and not events:  # only what surrounds the chunks of its body
            self.pending_bytes += len(data)
        if self.pending_bytes:
            self._check_size()
        return events

    def resume(self) -> Sequence[Event]:
        """The offer to upgrade was declined: parse what follows. Returns as `receive` does."""
        self.is_paused = self._is_stopped = False
        self.pending_bytes = 0
        data, self.unparsed = self.unparsed, b""
        return self.receive(data) if data else ()

    def take_over(self) -> bytes:
        """The offer to upgrade was accepted. Returns what has arrived of the other protocol;
        nothing more is parsed."""
        data, self.unparsed = self.unparsed, b""
        self.close()
        return data

    def close(self) -> None:
        """Free what is held. The parser and this object refer to each other: without this, both
        would stay until the garbage collector runs."""
        self._parser = _NO_PARSER
        self._is_stopped = True
        self.is_paused = False
        self._events, self._head = [], None
        self._headers, self._checked, self._names = [], [], []
        self._url = self.unparsed = b""
        self.pending_bytes = 0

    def _feed_rest(self, data: bytes) -> None:
        """httptools stops after the head of a request that offers an upgrade, and skips its body.
        So a new parser, which is given an equivalent head, reads that body."""
        while not self.is_paused:
            if self._skipped_framing:
                framing, self._skipped_framing = self._skipped_framing, b""
                self._parser = httptools.HttpRequestParser(self)
                self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
                self._url, self._trailers = b"", None
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as stopped:
                data = data[stopped.args[0] :]
        self.unparsed = data
        self.pending_bytes = len(data)

    def _note_next_head(self) -> None:
        """The read that ended a request may also bring the first part of the next head. httptools
        does not say how much: it keeps a header until the next one begins."""
        self.pending_bytes = self._read_bytes
        self._doubtful_bytes = self._read_bytes - _size(self._url, self._headers)

    def _check_size(self) -> None:
        """Of a head that is not complete, or of what surrounds the chunks of a body."""
        if self.pending_bytes - self._doubtful_bytes > self._head_bytes_max:
            self._fail(HeadTooLargeError("the head or the framing of chunks is too large"))
        elif len(self._headers) > _HEADERS_MAX:
            self._fail(HeadTooLargeError("the head has too many headers"))

    def _fail(self, error: Exception) -> None:
        """httptools wraps what a callback raises."""
        cause = error.__context__ if isinstance(error.__context__, BadRequestError) else error
        status = cause.status if isinstance(cause, BadRequestError) else BadRequestError.status
        self._is_stopped = True
        self._events.append(ProtocolError(status, str(cause)))

    # -- called by httptools ---------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is None:
            self._names.append(name)
            header = (name := name.lower(), value)
            self._headers.append(header)
            if name in CHECKED:
                self._checked.append(header)
            return
        # A trailer: it must not reach the next request.
        if self._trailers is None:
            self._trailers = {}
        if len(self._trailers) < _HEADERS_MAX:
            self._trailers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._head is not None:
            return  # This head is the one that `_feed_rest` made.
        parser = self._parser
        url, headers, checked, names = self._url, self._headers, self._checked, self._names
        self._url, self._headers, self._checked, self._names = b"", [], [], []
        size = self.pending_bytes
        if size > SMALL_BYTES:
            # What has come may be body too: only now is the head's own size known.
            size = _size(url, headers)
            if size > self._head_bytes_max or len(headers) > _HEADERS_MAX:
                raise HeadTooLargeError("the head is too large")
        if len(url) > LONG_TARGET_BYTES:
            check_target(url)
        if not url.startswith(b"/"):
            url = origin_form(url)
        found = dict(checked)
        if len(found) < len(checked):
            found = join_repeated(checked)
        keep_alive = parser.should_keep_alive()
        # Only 1.1 is kept alive without being asked. To ask httptools takes longer.
        is_usual = keep_alive and b"connection" not in found
        version = "1.1" if is_usual else parser.get_http_version()
        length, expects_continue, upgrade = _NO_BODY
        if not is_usual or b"host" not in found:
            check_version(version, found)
        if len(found) > 1 or b"host" not in found:
            length, expects_continue, upgrade = self._read_framing(found, version)
        # In the order of its fields. Without their names it takes half the time.
        self._head = head = tuple.__new__(
            RequestHead,
            (
                parser.get_method().decode("latin-1"),
                url,
                version,
                headers,
                names,
                length,
                keep_alive,
                expects_continue,
                upgrade,
                size,
            ),
        )
        self._events.append(head)
        self.pending_bytes = self._doubtful_bytes = 0

    def _read_framing(
        self, found: dict[bytes, bytes], version: str
    ) -> tuple[int | None, bool, str]:
        """The last three of the head's fields before its size."""
        length: int | None = 0
        if b"content-length" in found or b"transfer-encoding" in found:
            length = body_length(found)
        if length != 0:
            if self._parser.should_upgrade():
                self._skipped_framing = _framing_line(length)
            expects_continue = b"expect" in found and found[b"expect"].lower() == b"100-continue"
            return length, expects_continue, ""
        if b"upgrade" in found and version == "1.1" and self._parser.should_upgrade():
            return 0, False, found[b"upgrade"].decode("latin-1")
        return 0, False, ""

    def on_body(self, body: bytes) -> None:
        self._events.append(body)

    def on_message_complete(self) -> None:
        head = self._head
        if head is None or self._skipped_framing:
            return
        self._events.append(
            END_OF_REQUEST if self._trailers is None else EndOfRequest(self._trailers)
        )
        self._head = self._trailers = None
        self._has_completed = True
        self.pending_bytes = self._read_bytes
        if head.upgrade:
            self.is_paused = self._is_stopped = True


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def _framing_line(length: int | None) -> bytes:
    return b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length


_NO_BODY: tuple[int | None, bool, str] = (0, False, "")
_NO_PARSER = httptools.HttpRequestParser(object())
"""Of a protocol that is closed."""
