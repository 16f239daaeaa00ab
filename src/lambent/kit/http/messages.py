"""What the server and its handlers give each other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol


class Exchange(Protocol):
    """One request, complete with its body, and its response, which must be sent exactly once.

    The server calls its handler on the event loop as soon as the last byte of the body has
    arrived. The handler may respond at once, or keep the exchange and respond later; the next
    requests of the same connection wait until then.
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

    @property
    def header_items(self) -> Sequence[tuple[str, str]]:
        """All headers in their order, with the names as the client spelled them (latin-1)."""
        ...

    body: bytes
    """The whole body, chunks joined. A handler that decodes it further stores the result here."""

    is_vouched_for: bool
    """Whether the sender of the request is known. When memory is short, requests of unknown senders
    are dropped first. The server's `screened` handler sets it."""

    @property
    def client_address(self) -> str:
        """The peer's IP address; empty if it has none."""
        ...

    @property
    def is_secure(self) -> bool:
        """Whether the connection is TLS."""
        ...

    @property
    def tls_binding(self) -> str:
        """See `lambent.kit.tls.binding.binding_of`."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether the peer is still connected and no response has been sent."""
        ...

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after this exchange. If not, the head that is given to
        `respond_raw` must say so."""
        ...

    @property
    def upgrade_offer(self) -> str:
        """The protocols that the client offers to switch to, such as `websocket`: the value of its
        `Upgrade` header. Empty if it offers none or the offer cannot be accepted: in HTTP/1.0, and
        for a request with a body."""
        ...

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Send the response; adds `Date`, `Content-Length` and `Connection` as needed. For HEAD the
        body is left out, but not its length. Never raises: if a header value contains CR, LF or
        NUL, the response is 500, and a response that was started already is cut. Does nothing if
        the peer has gone."""
        ...

    def respond_raw(self, head: bytes, body: bytes) -> None:
        """Send a prepared response: `head` is status line and headers up to and including the
        empty line, with the right Content-Length and without Date. For hot paths."""
        ...

    def start(
        self,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        *,
        length: int | None = None,
    ) -> None:
        """Start a response that is sent in chunks, of `length` bytes if that is known; `write` and
        `finish` follow. If the response has no body, because of its status or because the request
        is HEAD, what is written is dropped. Header values are as for `respond`."""
        ...

    def write(self, data: bytes) -> bool:
        """Send a chunk of a response that was started. Returns False if the client is behind: then
        nothing more should be written until the callback of `on_writable` is called. Returns True
        if the peer has gone."""
        ...

    def on_writable(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever a client that was behind has caught up."""
        ...

    def finish(self) -> None:
        """End a response that was started."""
        ...

    def abort(self) -> None:
        """Cut a response that was started, so that the client sees that it is incomplete."""
        ...

    def upgrade(
        self,
        protocol: str,
        open_stream: "Callable[[ByteStream], ByteReceiver]",
        headers: Iterable[tuple[str, str]] = (),
        *,
        idle_deadline_s: float,
    ) -> None:
        """Accept the offer of the client: send `101 Switching Protocols` and take over the
        connection. `open_stream` is called with the connection and returns the receiver of what the
        client sends from then on. If no byte moves in either direction for `idle_deadline_s`
        seconds, the connection is cut. Header values are as for `respond`. Does nothing if the peer
        has gone. Raises ValueError if `protocol` was not offered."""
        ...

    def pause_body(self) -> None:
        """Stop reading a body that is read chunk by chunk, until `resume_body`."""
        ...

    def resume_body(self) -> None:
        """Continue to read the body."""
        ...

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Call `callback` if the peer disconnects before the response has been sent."""
        ...


class BodyReader(Protocol):
    """Reads a request's body chunk by chunk, on the event loop. Either `end` or `cut` is called at
    the end, unless the response was sent before."""

    def data(self, data: bytes) -> None:
        """A chunk has arrived."""
        ...

    def end(self, trailers: Mapping[str, str]) -> None:
        """The body is complete; trailers are by lower-case name. Now the exchange needs its
        response."""
        ...

    def cut(self) -> None:
        """The peer has disconnected, or what follows cannot be parsed."""
        ...


class ByteStream(Protocol):
    """A connection that a handler has taken over, after `101 Switching Protocols`."""

    def write(self, data: bytes) -> bool:
        """Send bytes. Returns as `Exchange.write` does."""
        ...

    def on_writable(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever a client that was behind has caught up."""
        ...

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading`: the client is held back."""
        ...

    def resume_reading(self) -> None:
        """Continue to read."""
        ...

    def close(self) -> None:
        """End the connection after what was written. Nothing more is received."""
        ...

    def linger(self) -> None:
        """As `close`, for a client that may still be sending: what it sends is discarded for a few
        seconds, so that it reads what was written. `ended` follows."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...


class ByteReceiver(Protocol):
    """Receives what comes over a `ByteStream`, on the event loop. An exception is logged and cuts
    the connection."""

    def data(self, data: bytes) -> None:
        """Bytes have arrived, the first of them perhaps together with the request."""
        ...

    def closing(self) -> None:
        """The server closes. The receiver should end the stream; it is cut after the grace."""
        ...

    def ended(self) -> None:
        """The connection has ended, however it did. Called once, as the last."""
        ...


Handler = Callable[[Exchange], None]
"""Called for every complete request, on the event loop; must not block and must not raise."""
