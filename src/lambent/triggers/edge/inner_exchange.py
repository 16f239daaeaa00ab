"""A request to an origin that is this platform, over no connection."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import anyio

from lambent.kit.http.messages import ByteReceiver, ByteStream
from lambent.triggers.edge.messages import HeaderItems, as_latin
from lambent.triggers.edge.selection import joined

_BREAKS = re.compile(r"[\r\n\0]")
_HELD_BYTES_MAX = 256 * 1024
"""What is not read yet; the sender waits beyond."""


class InnerExchange:
    """See the module. It has the members of `Exchange`; the response is read chunk by chunk."""

    is_vouched_for = True
    keep_alive = True
    upgrade_offer = ""
    tls_binding = ""

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        headers: HeaderItems,
        body: bytes,
        *,
        client_address: str,
        is_secure: bool,
    ) -> None:
        """`path` and `query` are percent-encoded."""
        self.method = method
        self.path = path
        self.query = query
        self.header_items = headers
        self.headers: Mapping[str, str] = joined(headers)
        self.body = body
        self.client_address = client_address
        self.is_secure = is_secure
        self.is_open = True
        self.status = 0
        """Of the response; 0 if there is none yet."""
        self.response_headers: HeaderItems = []
        self.length: int | None = None
        self._chunks = deque[bytes]()
        self._held = 0
        self._is_ended = self._is_cut = False
        self._changed = anyio.Event()
        self._on_writable: Callable[[], None] | None = None
        self._on_disconnect: Callable[[], None] | None = None

    # -- the reader ----------------------------------------------------------------------------

    async def head(self) -> None:
        """Wait until the response has begun. Raises OSError if it never will."""
        while not self.status:
            await self._wait()

    async def read(self) -> bytes:
        """The next chunk of the response; empty at the end. Raises OSError if it breaks off."""
        while not self._chunks:
            if self._is_ended:
                return b""
            await self._wait()
        chunk = self._chunks.popleft()
        was_behind = self._held > _HELD_BYTES_MAX
        self._held -= len(chunk)
        if was_behind and self._held <= _HELD_BYTES_MAX and self._on_writable is not None:
            self._on_writable()
        return chunk

    def close(self) -> None:
        """Nothing more is read."""
        if not self.is_open:
            return
        self.is_open = False
        self._chunks.clear()
        if self._on_disconnect is not None:
            self._on_disconnect()
        if self._on_writable is not None:
            self._on_writable()

    async def _wait(self) -> None:
        if self._is_cut:
            raise OSError("the response broke off")
        self._changed = anyio.Event()
        await self._changed.wait()

    # -- the sender ----------------------------------------------------------------------------

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """See `Exchange`."""
        self.start(status, headers, length=len(body))
        self.write(body)
        self.finish()

    def respond_raw(self, head: bytes, body: bytes) -> None:
        """See `Exchange`."""
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = [(name, value.strip()) for name, _, value in pairs]
        self.respond(int(first.split()[1]), headers, body)

    def start(
        self, status: int, headers: Iterable[tuple[str, str]] = (), *, length: int | None = None
    ) -> None:
        """See `Exchange`."""
        if not self.is_open or self.status:
            return
        self.response_headers = [(name, as_latin(value)) for name, value in headers]
        self.status, self.length = status, length
        if any(_BREAKS.search(value) for _, value in self.response_headers):
            self.status, self.response_headers = 500, []
        self._changed.set()

    def write(self, data: bytes) -> bool:
        """See `Exchange`."""
        if self.is_open and data and self.method != "HEAD":
            self._chunks.append(data)
            self._held += len(data)
            self._changed.set()
        return not self.is_open or self._held <= _HELD_BYTES_MAX

    def on_writable(self, callback: Callable[[], None]) -> None:
        """See `Exchange`."""
        self._on_writable = callback

    def finish(self) -> None:
        """See `Exchange`."""
        self._is_ended, self._on_disconnect = True, None
        self._changed.set()

    def abort(self) -> None:
        """See `Exchange`."""
        self._is_cut, self._on_disconnect = True, None
        self._changed.set()

    def upgrade(
        self,
        protocol: str,
        open_stream: Callable[[ByteStream], ByteReceiver],
        headers: Iterable[tuple[str, str]] = (),
        *,
        idle_deadline_s: float,
    ) -> None:
        """See `Exchange`: nothing was offered."""
        raise ValueError(f"{protocol} was not offered")

    def pause_body(self) -> None:
        """See `Exchange`: the body is here."""

    def resume_body(self) -> None:
        """See `Exchange`."""

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """See `Exchange`."""
        self._on_disconnect = callback
