"""What a client sends, as events: see `lambent.kit.http.protocol`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

SMALL_BYTES = 4096
"""A head that arrives within so many bytes is not measured exactly."""


class RequestHead(NamedTuple):
    """A request line and its headers. They are checked: the length of the body is unambiguous, and
    what may come once does."""

    method: str
    target: bytes
    """Path and query, percent-encoded. It begins with a slash."""
    version: str
    """`1.1` or `1.0`."""
    headers: list[tuple[bytes, bytes]]
    """In their order; the names are in lower case."""
    names: list[bytes]
    """The same names, as the client spelled them."""
    body_length: int | None
    """Bytes of the body; None if it is chunked."""
    keep_alive: bool
    """Whether the client lets the connection stay open after the response."""
    expects_continue: bool
    """Whether the client waits for `100 Continue` before it sends the body."""
    upgrade: str
    """The protocols that the client offers to switch to, such as `websocket`. Empty if it offers
    none, and in HTTP/1.0 and with a body, where the offer is ignored."""
    size: int
    """Bytes of the head. Up to `SMALL_BYTES` it may include what came with the head."""


class EndOfRequest(NamedTuple):
    """The request is complete."""

    trailers: Mapping[str, str]
    """Headers after a chunked body, by lower-case name."""


class ProtocolError(NamedTuple):
    """The client sent what is no acceptable request. Nothing after it can be parsed."""

    status: int
    """Of the response: 400 or 431."""
    reason: str


Event: TypeAlias = RequestHead | bytes | EndOfRequest | ProtocolError
"""Bytes are a part of a body, without the framing of chunks."""

END_OF_REQUEST = EndOfRequest(MappingProxyType({}))
"""Without trailers."""
