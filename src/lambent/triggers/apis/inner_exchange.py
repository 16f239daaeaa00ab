"""A request that comes over no connection, and whose response is kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import anyio

from lambent.kit.http.messages import ByteReceiver, ByteStream

_ADDRESS = "test-invoke-source-ip"
"""As AWS calls it."""
RESPONSE_BYTES_MAX = 10 * 1024 * 1024


class InnerExchange:
    """See the module. It has the members of `Exchange`; a response in chunks is put together."""

    is_vouched_for = True
    client_address = _ADDRESS
    is_secure = True
    keep_alive = False
    upgrade_offer = ""
    tls_binding = ""

    def __init__(
        self, method: str, path: str, query: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> None:
        """`path` and `query` are percent-encoded."""
        self.method = method
        self.path = path
        self.query = query
        self.header_items = headers
        self.headers: Mapping[str, str] = _joined(headers)
        self.body = body
        self.is_too_large = False
        """Whether the response has a larger body than is kept."""
        self.status = 0
        """Of the response; 0 if there is none yet."""
        self.response_headers: list[tuple[str, str]] = []
        self.response_body = bytearray()
        self._ended = anyio.Event()

    async def wait(self) -> None:
        """Until the response is complete."""
        await self._ended.wait()

    @property
    def is_open(self) -> bool:
        """See `Exchange`."""
        return not self.status

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """See `Exchange`."""
        self.start(status, headers)
        self.write(body)
        self.finish()

    def respond_raw(self, head: bytes, body: bytes) -> None:
        """See `Exchange`: heads that are prepared are of other entry points."""
        raise NotImplementedError

    def start(
        self, status: int, headers: Iterable[tuple[str, str]] = (), *, length: int | None = None
    ) -> None:
        """See `Exchange`."""
        self.status = status
        self.response_headers = list(headers)

    def write(self, data: bytes) -> bool:
        """See `Exchange`."""
        if len(self.response_body) + len(data) > RESPONSE_BYTES_MAX:
            self.is_too_large = True
        else:
            self.response_body += data
        return True

    def on_writable(self, callback: Callable[[], None]) -> None:
        """See `Exchange`: no one is behind."""

    def finish(self) -> None:
        """See `Exchange`."""
        self._ended.set()

    def abort(self) -> None:
        """See `Exchange`: what came is incomplete."""
        self.status = 0
        self._ended.set()

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
        """See `Exchange`: no one disconnects."""


def _joined(items: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    found = dict[str, str]()
    for name, value in items:
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found
