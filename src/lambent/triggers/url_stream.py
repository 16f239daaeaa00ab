"""A function's response to the client of a URL, passed on in chunks as they come."""

from collections.abc import Callable

from lambent.kit.http.messages import Exchange
from lambent.triggers.url_response import (
    PRELUDE_BYTES_MAX,
    PRELUDE_END,
    STREAM_TYPE,
    UrlResponse,
    read_stream,
)

ReadStream = Callable[[bytes, str], UrlResponse | None]
"""Reads the first of a stream, of a content type: see `read_stream`."""


class UrlStream:
    """Takes the chunks of one call. `start` begins the client's response with status and headers;
    the body is sent from here. `respond` sends a response without a body.

    The first chunks may hold a prelude with status and headers: nothing is sent before it is
    complete. A prelude that cannot be parsed is a failure of the function.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        start: Callable[[UrlResponse], None],
        respond: Callable[[UrlResponse], None],
        read: ReadStream = read_stream,
    ) -> None:
        self.sent_bytes = 0
        """Bytes of the body that were sent."""
        self._exchange = exchange
        self._read = read
        self._start = start
        self._respond = respond
        self._without_body: UrlResponse | None = None
        self._content_type = ""
        self._prelude: bytearray | None = bytearray()
        """What has come of it; None when the response has begun."""
        self._has_failed = False

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `ResponseSink`."""
        self._content_type = content_type
        self._exchange.on_writable(resume)

    def write(self, data: bytes) -> bool:
        """See `ResponseSink`."""
        if self._has_failed:
            return True
        if self._prelude is None:
            return self._send(data)
        self._prelude += data
        has_prelude = self._content_type == STREAM_TYPE
        if has_prelude and PRELUDE_END not in self._prelude:
            self._has_failed = len(self._prelude) > PRELUDE_BYTES_MAX
            return True
        return self._begin_response()

    def end(self, *, is_complete: bool) -> bool:
        """The function has ended; returns False if the client still needs an error response."""
        if self._prelude is not None and not self._has_failed and is_complete:
            self._begin_response()
        if self._prelude is not None:
            return False
        if self._without_body is not None:
            self._respond(self._without_body)
        elif is_complete:
            self._exchange.finish()
        else:
            self._exchange.abort()
        return True

    def _begin_response(self) -> bool:
        assert self._prelude is not None
        response = self._read(bytes(self._prelude), self._content_type)
        if response is None:
            self._has_failed = True
            return True
        self._prelude = None
        if self._exchange.method == "HEAD" or response.status in (204, 304):
            self._without_body = UrlResponse(response.status, response.headers, b"")
            return True
        self._start(response)
        return self._send(response.body)

    def _send(self, data: bytes) -> bool:
        if self._without_body is not None:
            return True
        self.sent_bytes += len(data)
        return self._exchange.write(data)
