"""One request and its response, see `lambent.kit.http.messages.Exchange`."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from lambent.kit.http.events import RequestHead
from lambent.kit.http.messages import ByteReceiver, ByteStream
from lambent.kit.http.responses import (
    DateLine,
    Framing,
    encode_chunk,
    encode_end,
    encode_head,
    encode_start,
    encode_upgrade,
)

logger = logging.getLogger(__name__)


class Channel(Protocol):
    """A connection as its exchanges see it."""

    @property
    def date(self) -> DateLine: ...

    @property
    def peer(self) -> object:
        """The peer's address, in the form of its kind of socket."""
        ...

    @property
    def is_secure(self) -> bool: ...

    @property
    def tls_binding(self) -> str: ...

    def send(self, exchange: "HttpExchange", head: bytes, body: bytes) -> None:
        """Send the response, or the end of a streamed one. The exchange is over."""
        ...

    def send_part(self, exchange: "HttpExchange", *parts: bytes) -> bool:
        """Send a part of the response. Returns whether the client keeps up."""
        ...

    def switch(
        self,
        exchange: "HttpExchange",
        head: bytes,
        open_stream: Callable[[ByteStream], ByteReceiver],
        idle_deadline_s: float,
    ) -> None:
        """Send the head of the response and hand over the connection."""
        ...

    def pause_body(self, exchange: "HttpExchange") -> None: ...

    def resume_body(self, exchange: "HttpExchange") -> None: ...

    def abort(self) -> None: ...


class HttpExchange:
    """See the module."""

    # What most exchanges never change. Here, because assignments would cost time in each.
    _on_disconnect: Callable[[], None] | None = None
    _on_writable: Callable[[], None] | None = None
    _framing: Framing | None = None
    """Of a response that was started."""
    body = b""
    is_open = True
    is_vouched_for = False
    held_bytes = 0
    """What is held until the response is sent; small requests are not counted."""

    def __init__(self, channel: Channel, head: RequestHead, keep_alive: bool) -> None:
        self._channel = channel
        self.head = head
        self.method = head.method
        self.path, _, self.query = head.target.decode("latin-1").partition("?")
        self.headers = _decoded(head.headers)
        self.keep_alive = keep_alive

    @property
    def header_items(self) -> Sequence[tuple[str, str]]:
        head = self.head
        return [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, (_, value) in zip(head.names, head.headers, strict=True)
        ]

    @property
    def client_address(self) -> str:
        peer = self._channel.peer
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def is_secure(self) -> bool:
        return self._channel.is_secure

    @property
    def tls_binding(self) -> str:
        return self._channel.tls_binding

    @property
    def upgrade_offer(self) -> str:
        return self.head.upgrade

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        if self._framing is not None:
            self.abort()  # The client would take what follows for more of that body.
            return
        date, keep_alive = self._channel.date, self.keep_alive
        try:
            head = encode_head(status, headers, len(body), keep_alive=keep_alive, date=date)
        except ValueError as error:
            logger.error("%s; the response is 500", error)
            body = b""
            head = encode_head(500, (), 0, keep_alive=keep_alive, date=date)
        self._end(head, b"" if self.method == "HEAD" else body)

    def respond_raw(self, head: bytes, body: bytes) -> None:
        self._end(head[:-2] + self._channel.date.end, body)

    def _end(self, head: bytes, body: bytes) -> None:
        if self.is_open:
            self.is_open = False
            self._on_disconnect = None
            self._channel.send(self, head, body)

    def start(
        self,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        *,
        length: int | None = None,
    ) -> None:
        if not self.is_open:
            return
        try:
            head, framing = encode_start(
                status,
                headers,
                length,
                method=self.method,
                version=self.head.version,
                keep_alive=self.keep_alive,
                date=self._channel.date,
            )
        except ValueError as error:
            logger.error("%s; the response is 500", error)
            self.respond(500)
            return
        self._framing = framing
        if framing is Framing.CLOSE:
            self.keep_alive = False
        self._channel.send_part(self, head)

    def write(self, data: bytes) -> bool:
        framing = self._framing
        if not self.is_open or not data or framing is None:
            return True
        parts = encode_chunk(framing, data)
        return self._channel.send_part(self, *parts) if parts else True

    def on_writable(self, callback: Callable[[], None]) -> None:
        self._on_writable = callback

    def writable(self) -> None:
        """The peer has caught up."""
        if self._on_writable is not None:
            self._on_writable()

    def finish(self) -> None:
        self._end(b"" if self._framing is None else encode_end(self._framing), b"")

    def abort(self) -> None:
        if self.is_open:
            self._channel.abort()

    def upgrade(
        self,
        protocol: str,
        open_stream: Callable[[ByteStream], ByteReceiver],
        headers: Iterable[tuple[str, str]] = (),
        *,
        idle_deadline_s: float,
    ) -> None:
        offered = [name.strip().lower() for name in self.upgrade_offer.split(",")]
        if not protocol or protocol.lower() not in offered:
            raise ValueError(f"the client does not offer to switch to {protocol!r}")
        if not self.is_open:
            return
        try:
            head = encode_upgrade(protocol, headers, self._channel.date)
        except ValueError as error:
            logger.error("%s; the response is 500", error)
            self.respond(500)
            return
        self.is_open = False
        self._on_disconnect = self._on_writable = None
        self._channel.switch(self, head, open_stream, idle_deadline_s)

    def pause_body(self) -> None:
        self._channel.pause_body(self)

    def resume_body(self) -> None:
        self._channel.resume_body(self)

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        self._on_disconnect = callback

    def disconnected(self) -> None:
        """The peer has disconnected before the response was sent."""
        self.is_open = False
        callback, self._on_disconnect = self._on_disconnect, None
        if callback is not None:
            callback()
        # No client takes the rest of the response: its writer must not wait for the peer.
        self.writable()


def _decoded(headers: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    decoded = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return decoded if len(decoded) == len(headers) else _joined(headers)


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers of which some are repeated. As in AWS, in events and in what is signed, their values
    are joined with a comma and no space; those of cookies with their own separator."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in joined:
            value = f"{joined[name]}{'; ' if name == 'cookie' else ','}{value}"
        joined[name] = value
    return joined
