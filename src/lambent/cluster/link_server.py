"""Takes the links of other nodes: the callee's side of `links.py`."""

from collections.abc import Callable

from lambent.cluster.call_frames import NodeLoad
from lambent.cluster.handshake import PROTOCOL, read_request, response_header
from lambent.cluster.serving import Run, ServedLink
from lambent.kit.clock import Clock
from lambent.kit.http.messages import ByteReceiver, ByteStream, Exchange

LOAD_S = 0.1
"""Seconds after which callers know how busy this node is."""
_IDLE_S = 30.0
_UNPROVEN_MAX = 64


class LinkServer:
    """See the module."""

    def __init__(
        self, number: int, secret: bytes, load: Callable[[], NodeLoad], clock: Clock
    ) -> None:
        """This node is `number`; `load` says how busy it is."""
        self._number = number
        self._secret = secret
        self.run: Run | None = None
        """Runs a call on this node; None if it takes none yet."""
        self._load = load
        self._clock = clock
        self._links: set[ServedLink] = set()
        self._taken_before = 0
        """Calls that came over links that have ended."""

    @property
    def taken(self) -> int:
        """Calls that other nodes have sent."""
        return self._taken_before + sum(link.taken for link in self._links)

    def handle(self, exchange: Exchange) -> None:
        """Serve a request for `PATH`."""
        run = self.run
        unproven = sum(not link.is_proven for link in self._links)
        if run is None or unproven >= _UNPROVEN_MAX:
            exchange.respond(503)
            return
        secured = read_request(exchange.query, self._number, exchange.tls_binding)
        if exchange.method != "GET" or secured is None or exchange.upgrade_offer != PROTOCOL:
            exchange.respond(400)
            return

        def open_stream(stream: ByteStream) -> ByteReceiver:
            link = ServedLink(*(stream, secured, self._secret, run, self._clock, self._end))
            self._links.add(link)
            return link

        header = response_header(secured, self._secret)
        exchange.upgrade(PROTOCOL, open_stream, [header], idle_deadline_s=_IDLE_S)

    async def tell_load(self) -> None:
        """Tell callers how busy this node is, until cancelled."""
        while True:
            await self._clock.sleep(LOAD_S)
            if self._links:
                load = self._load()
                for link in list(self._links):
                    link.tell(load)

    def _end(self, link: ServedLink) -> None:
        self._links.discard(link)
        self._taken_before += link.taken
