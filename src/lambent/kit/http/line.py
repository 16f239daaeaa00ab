"""The complete requests of one connection. They are handled one after the other, in their order."""

import logging
from collections import deque
from collections.abc import Callable

from lambent.kit.http.exchange import HttpExchange

logger = logging.getLogger(__name__)


class Line:
    """The exchange that the handler has, and those that wait for its response."""

    __slots__ = ("current", "held_bytes", "waiting")

    def __init__(self) -> None:
        self.current: HttpExchange | None = None
        """The handler has it and has not responded yet."""
        self.waiting: deque[HttpExchange] = deque()
        self.held_bytes = 0
        """What all of them hold."""

    @property
    def is_empty(self) -> bool:
        """Whether the next request is handled as soon as it is complete."""
        return self.current is None and not self.waiting

    @property
    def last(self) -> HttpExchange | None:
        """The last one to get a response."""
        return self.waiting[-1] if self.waiting else self.current

    def add(self, exchange: HttpExchange) -> None:
        """A request is complete, and waits."""
        self.held_bytes += exchange.held_bytes
        self.waiting.append(exchange)

    def start(self, exchange: HttpExchange) -> None:
        """A request is the current one at once: the line is empty."""
        self.held_bytes += exchange.held_bytes
        self.current = exchange

    def take_next(self) -> HttpExchange:
        """The first that waits becomes the current one."""
        self.current = exchange = self.waiting.popleft()
        return exchange

    def release(self, exchange: HttpExchange) -> None:
        """What an exchange held is free."""
        self.held_bytes -= exchange.held_bytes
        exchange.held_bytes = 0

    def disconnect(self) -> None:
        """The peer has gone."""
        left = [self.current, *self.waiting]
        self.current = None
        self.waiting.clear()
        for exchange in left:
            if exchange is not None:
                exchange.disconnected()


def call(exchange: HttpExchange, handler: Callable[[HttpExchange], None]) -> None:
    """Call a handler; if it raises, the response is 500."""
    try:
        handler(exchange)
    except Exception:
        # The last resort: handlers promise not to raise, and no caller could help.
        logger.exception("the handler of %s failed", exchange.method)
        exchange.respond(500)
