"""Accepting events: many callers, one commit.

Callers hand in events without waiting; whatever has come while the last commit was on its way is
kept by the next one, and then all of them are told.
"""

from collections.abc import Callable, Sequence
from functools import partial

import anyio

from lambent.asynchronous.settings import AsynchronousSettings
from lambent.model.async_event import AsyncEvent
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

OnKept = Callable[[Exception | None], None]
"""Called on the event loop when the event is on disk, or with what went wrong."""


class AsyncQueue:
    """The way in."""

    def __init__(
        self, store: Store, settings: AsynchronousSettings, on_events: Callable[[], None]
    ) -> None:
        self._store = store
        self._max = settings.kept_at_once_max
        self._on_events = on_events
        self._offered: list[tuple[AsyncEvent, OnKept]] = []
        self._bell = anyio.Event()

    def offer(self, event: AsyncEvent, on_kept: OnKept) -> None:
        """Have an event kept. Raises `TooManyRequestsException` if too many wait for that."""
        if len(self._offered) >= self._max:
            raise ApiError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                status=429,
                members={"Reason": "CallerRateLimitExceeded"},
            )
        self._offered.append((event, on_kept))
        self._bell.set()

    async def run(self) -> None:
        """Keep what is offered, for ever."""
        while True:
            await self._bell.wait()
            self._bell = anyio.Event()
            offered, self._offered = self._offered, []
            failure: Exception | None = None
            try:
                await self._store.transact(partial(_add, [event for event, _ in offered]))
            except Exception as error:  # Whatever the database says, every caller hears of it.
                failure = error
            for _, on_kept in offered:
                on_kept(failure)
            self._on_events()


def _add(events: Sequence[AsyncEvent], tx: Transaction) -> None:
    tx.async_events.add(events)
