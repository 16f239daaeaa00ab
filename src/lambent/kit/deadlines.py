"""Many deadlines of one length with one timer: to start and to stop one costs little."""

import asyncio
from collections.abc import Callable, Hashable
from itertools import takewhile
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """Calls `on_passed` for each item that is not stopped within `timeout_s` seconds.

    Belongs to one event loop. The order in which deadlines are started is the order in which they
    pass, so only the first needs a timer.
    """

    def __init__(self, timeout_s: float, on_passed: Callable[[T], None]) -> None:
        self._timeout_s = timeout_s
        self._on_passed = on_passed
        self._at: dict[T, float] = {}
        """When each deadline passes, the first one first; the time of the event loop."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self, item: T) -> None:
        """Begin the time of an item that has none running."""
        loop = asyncio.get_running_loop()
        self._at[item] = loop.time() + self._timeout_s
        if self._timer is None:
            self._timer = loop.call_later(self._timeout_s, self._pass, loop)

    def stop(self, item: T) -> None:
        """End the time of an item. Does nothing if it has none, or its deadline has passed."""
        self._at.pop(item, None)

    def _pass(self, loop: asyncio.AbstractEventLoop) -> None:
        """The items that are due come first, because each deadline is later than those before."""
        self._timer = None
        now = loop.time()
        for item in [item for item, _ in takewhile(lambda pair: pair[1] <= now, self._at.items())]:
            del self._at[item]
            loop.call_soon(self._on_passed, item)
        if self._at:
            self._timer = loop.call_at(next(iter(self._at.values())), self._pass, loop)
