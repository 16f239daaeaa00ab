"""`lambent up` that kills itself on the way of a schedule's event; see `failpoints.py`.

python -m tests.crash.tick_failpoints POINT N WITNESS up …
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.asynchronous.event_dispatcher import EventDispatcher
from lambent.asynchronous.event_targets import EventTargets
from lambent.triggers.events.ticker import Ticker
from tests.crash.failpoints import Point, run


def _before_the_ticks_commit(come_by: Callable[[], None]) -> None:
    write = Ticker._write

    def patched(self: Ticker, tx: Any, now: float) -> Any:
        ticked = write(self, tx, now)
        if ticked.deliveries:
            come_by()
        return ticked

    Ticker._write = patched  # type: ignore[method-assign]


def _after_the_ticks_commit(come_by: Callable[[], None]) -> None:
    note_new = EventDispatcher.note_new

    def patched(self: EventDispatcher, deliveries: Sequence[Any]) -> None:
        if deliveries:
            come_by()
        note_new(self, deliveries)

    EventDispatcher.note_new = patched  # type: ignore[method-assign]


def _after_the_attempt(come_by: Callable[[], None]) -> None:
    hand_over = EventTargets.hand_over

    async def patched(self: EventTargets, *arguments: Any) -> Any:
        event = await hand_over(self, *arguments)
        come_by()
        return event

    EventTargets.hand_over = patched  # type: ignore[method-assign]


def _before_the_deliverys_commit(come_by: Callable[[], None]) -> None:
    conclude = EventDispatcher.conclude

    def patched(self: EventDispatcher, tx: Any, ended: Sequence[Any], *arguments: Any) -> Any:
        after_commit = conclude(self, tx, ended, *arguments)
        if ended:
            come_by()
        return after_commit

    EventDispatcher.conclude = patched  # type: ignore[method-assign]


def _after_the_deliverys_commit(come_by: Callable[[], None]) -> None:
    conclude = EventDispatcher.conclude

    def patched(self: EventDispatcher, tx: Any, ended: Sequence[Any], *arguments: Any) -> Any:
        after_commit = conclude(self, tx, ended, *arguments)

        def committed() -> Any:
            if ended:
                come_by()
            return after_commit()

        return committed

    EventDispatcher.conclude = patched  # type: ignore[method-assign]


POINTS: Mapping[str, Point] = {
    "before-the-ticks-commit": _before_the_ticks_commit,
    "after-the-ticks-commit": _after_the_ticks_commit,
    "after-the-attempt": _after_the_attempt,
    "before-the-deliverys-commit": _before_the_deliverys_commit,
    "after-the-deliverys-commit": _after_the_deliverys_commit,
}

if __name__ == "__main__":
    run(POINTS, lambda _write: None)
