"""Requests and answers as the server hands them over."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol


class Exchange(Protocol):
    """One request, complete with its body, and the duty to answer it exactly once.

    Handed to the server's handler on the event loop as soon as the body's last byte has
    arrived. The handler may answer at once or keep the exchange and answer later; requests
    that follow on the same connection wait until then.
    """

    @property
    def method(self) -> str:
        """`GET`, `POST`, …"""
        ...

    @property
    def path(self) -> str:
        """The path as sent, still percent-encoded, without the query."""
        ...

    @property
    def query(self) -> str:
        """What follows `?`, still percent-encoded; empty if there is none."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Header values (latin-1) by lower-case name; repeated headers are joined with `,`, cookies
        with `; `."""
        ...

    body: bytes
    """The whole body, chunks joined. Whoever decodes it further puts back what comes out."""

    is_vouched_for: bool
    """Whether somebody is known to be behind the request: it is given up after others when memory
    is short. Whoever screens requests says so."""

    @property
    def client_address(self) -> str:
        """The peer's IP address; empty if it has none."""
        ...

    @property
    def is_secure(self) -> bool:
        """Whether the connection is TLS."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether the peer is still there and no answer was sent."""
        ...

    @property
    def keep_alive(self) -> bool:
        """Whether the connection outlives this exchange; `respond_raw` must say so if not."""
        ...

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Send the answer; adds `Date`, `Content-Length` and `Connection` as needed. To HEAD the
        body is left out, but for its length. Never raises: instead of header values that contain
        CR, LF or NUL, 500 is sent, and an answer that was started already is cut. Does nothing if
        the peer has gone."""
        ...

    def respond_raw(self, head: bytes, body: bytes) -> None:
        """Send a prepared answer: `head` is status line and headers up to and including the
        empty line, with the right Content-Length and without Date. For hot paths."""
        ...

    def start(
        self,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        *,
        length: int | None = None,
    ) -> None:
        """Begin an answer that comes in chunks, of `length` bytes if that is known; `write` and
        `finish` follow. One that has no body, to HEAD or by its status, drops what is written.
        Header values are as for `respond`."""
        ...

    def write(self, data: bytes) -> bool:
        """Send a chunk of an answer that was started. False: the client is behind, nothing more
        should come until `on_writable`'s callback is called. True if the peer has gone."""
        ...

    def on_writable(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever a client that was behind has caught up."""
        ...

    def finish(self) -> None:
        """End an answer that was started."""
        ...

    def abort(self) -> None:
        """Cut an answer that was started, so that the client sees that it is not complete."""
        ...

    def pause_body(self) -> None:
        """Read no more of a body that is read chunk by chunk, until `resume_body`."""
        ...

    def resume_body(self) -> None:
        """Read on."""
        ...

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Call `callback` if the peer goes away before the answer was sent."""
        ...


class BodyReader(Protocol):
    """Takes a request's body chunk by chunk, on the event loop. Exactly one of `end` and `cut` is
    called finally, unless the exchange was answered before."""

    def data(self, data: bytes) -> None:
        """A chunk."""
        ...

    def end(self, trailers: Mapping[str, str]) -> None:
        """All has come; trailers by lower-case name. The exchange wants its answer now."""
        ...

    def cut(self) -> None:
        """The peer has gone."""
        ...


Handler = Callable[[Exchange], None]
"""Called for every complete request, on the event loop; must not block and must not raise."""
