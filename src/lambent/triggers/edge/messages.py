"""Requests and responses as they pass the edge, and bodies that are read in chunks."""

import dataclasses
from collections.abc import Iterable
from typing import Protocol

from lambent.kit.http.messages import Exchange

HeaderItems = list[tuple[str, str]]
"""Headers in their order, with names as they were spelled (latin-1)."""
HOP_BY_HOP = frozenset(
    {
        *("connection", "content-length", "expect", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding"),
        "upgrade",
    }
)


class Content(Protocol):
    """A body."""

    @property
    def length(self) -> int | None:
        """Bytes; None if that is not known."""
        ...

    async def read(self) -> bytes:
        """The next chunk; empty at the end. Raises OSError and TimeoutError if it breaks off."""
        ...


class Whole:
    """A body that is in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.length = len(data)
        self._is_read = False

    async def read(self) -> bytes:
        """See `Content`."""
        data, self._is_read = b"" if self._is_read else self.data, True
        return data


@dataclasses.dataclass(slots=True)
class EdgeRequest:
    """A viewer's request. Functions change it."""

    id: str
    method: str
    uri: str
    """The path, percent-encoded."""
    query: str
    headers: HeaderItems
    body: bytes
    client_ip: str
    is_secure: bool

    def header(self, name: str) -> str | None:
        """The values of a header by its name in lower case, joined; None if there is none."""
        return find_header(self.headers, name)


@dataclasses.dataclass(slots=True)
class Answer:
    """A response on its way to the viewer."""

    status: int
    headers: HeaderItems
    """Without those of the connection."""
    content: Content
    cache: str = "Miss"
    """What `X-Cache` says, without ` from cloudfront`."""
    age: int | None = None
    """Seconds, of a response that comes from the cache."""
    origin_status: int = 0
    """Of the response that an error page stands for; 0 if it is none."""


def read_exchange(exchange: Exchange, id: str, path: str) -> EdgeRequest:
    """The request of a viewer."""
    return EdgeRequest(
        id,
        exchange.method,
        path,
        exchange.query,
        list(exchange.header_items),
        exchange.body,
        exchange.client_address,
        exchange.is_secure,
    )


def find_header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The values of a header, joined; None if there is none."""
    found = [value for key, value in headers if key.lower() == name]
    return ("; " if name == "cookie" else ",").join(found) if found else None


def without(headers: Iterable[tuple[str, str]], names: frozenset[str]) -> HeaderItems:
    """Headers without those with these names, in lower case."""
    return [(name, value) for name, value in headers if name.lower() not in names]


def as_latin(text: str) -> str:
    """Text as headers and paths are here: its bytes in UTF-8 as latin-1, unless it is latin-1."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode("latin-1")
    return text
