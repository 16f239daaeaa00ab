"""A function's response to the client of a URL, passed on chunk by chunk as it comes."""

from collections.abc import Callable

from lambent.kit.http.messages import Exchange
from lambent.triggers.url_response import (
    PRELUDE_BYTES_MAX,
    PRELUDE_END,
    STREAM_TYPE,
    UrlResponse,
    read_stream,
)


class UrlStream:
    """A sink of an invocation. `start` begins the client's answer with the status and headers of a
    response, whose body is sent from here; `answer` sends one that has none.

    What comes first may be a prelude that says status and headers: nothing is sent before that
    is there. One that cannot be read is a failure of the function's.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        start: Callable[[UrlResponse], None],
        answer: Callable[[UrlResponse], None],
    ) -> None:
        self._exchange = exchange
        self._start = start
        self._answer = answer
        self._without_body: UrlResponse | None = None
        self._content_type = ""
        self._prelude: bytearray | None = bytearray()
        """What has come of it; None when the answer has begun."""
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
        return self._begin_answer()

    def end(self, *, is_complete: bool) -> bool:
        """The function has ended; False if the client has to see that it failed."""
        if self._prelude is not None and not self._has_failed and is_complete:
            self._begin_answer()
        if self._prelude is not None:
            return False
        if self._without_body is not None:
            self._answer(self._without_body)
        elif is_complete:
            self._exchange.finish()
        else:
            self._exchange.abort()
        return True

    def _begin_answer(self) -> bool:
        assert self._prelude is not None
        response = read_stream(bytes(self._prelude), self._content_type)
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
        return self._exchange.write(data) if self._without_body is None else True
