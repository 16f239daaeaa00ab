"""`lambent up` that kills itself, with SIGKILL, when it comes to a point for the n-th time.

python -m tests.crash.failpoints POINT N up …
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from lambent.asynchronous.conclusions import Conclusions
from lambent.asynchronous.destinations import Destinations
from lambent.asynchronous.journal import Journal
from lambent.store import store as stores
from lambent.store.store import Store

POINTS = ("before-commit", "after-commit", "before-outcome-is-written", "after-send")


def main() -> None:
    """Patch the point, then be the platform."""
    point, number = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    passed = 0

    def come_by() -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            os.kill(os.getpid(), signal.SIGKILL)

    PATCHES[point](come_by)
    from lambent.__main__ import main as platform

    platform()


def _before_commit(come_by: Callable[[], None]) -> None:
    connect = stores.connect

    def patched(*arguments: Any) -> sa.Engine:
        engine = connect(*arguments)
        sa.event.listen(engine, "commit", lambda _connection: come_by())
        return engine

    stores.connect = patched  # type: ignore[attr-defined]


def _after_commit(come_by: Callable[[], None]) -> None:
    commit = Journal._commit

    async def patched(self: Journal, works: Any) -> bool:
        transact = self._store.transact

        class Stopping:
            async def transact(self, work: Any) -> Any:
                result = await transact(work)
                come_by()
                return result

        store: Store = self._store
        self._store = Stopping()  # type: ignore[assignment]
        try:
            return await commit(self, works)
        finally:
            self._store = store

    Journal._commit = patched  # type: ignore[method-assign]


def _before_outcome_is_written(come_by: Callable[[], None]) -> None:
    write = Conclusions.write

    def patched(self: Conclusions) -> None:
        if self._over or self.again:
            come_by()
        write(self)

    Conclusions.write = patched  # type: ignore[method-assign]


def _after_send(come_by: Callable[[], None]) -> None:
    send = Destinations.send

    async def patched(self: Destinations, delivery: Any) -> None:
        await send(self, delivery)
        come_by()

    Destinations.send = patched  # type: ignore[method-assign]


PATCHES = dict(
    zip(
        POINTS,
        (_before_commit, _after_commit, _before_outcome_is_written, _after_send),
        strict=True,
    )
)

if __name__ == "__main__":
    main()
