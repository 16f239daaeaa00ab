"""Writes the changes of many callers in one transaction (group commit).

A commit that is flushed to disk takes milliseconds, however little it contains. So callers do not
commit. *Participants* collect what they have to write: accepted events, results of attempts,
claims, completed deliveries. One loop takes everything that is there, writes it in one transaction,
and reports the result to each. Whatever arrives meanwhile goes into the next transaction. Under
load a commit contains many changes; on an idle platform an event waits for no other.

- `collect` hands a participant's `Batch` over. From then on the batch belongs to this transaction.
- `write` runs in the store's thread, within the transaction. It may keep what it reads for `done`.
- `done` runs on the event loop after the commit. Here callers get their 202, and attempts start:
  nothing follows from a change before it is on disk.
- `failed` runs instead, if the transaction failed. The participant decides: a caller gets an error,
  the result of an attempt is kept and collected again. A transaction whose connection broke may
  have committed nevertheless; see `store/claims.py`.

If a batch contains results of attempts, the functions' log lines are written to their files first:
a result must not outlive its log.

The loop sleeps while there is nothing to write. `ring` wakes it, and does no more: it says that
there may be something, and `collect` says what.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio

from lambent.kit.clock import Clock
from lambent.kit.tasks import Reported
from lambent.store.store import Store, Transaction

logger = logging.getLogger(__name__)

_RETRY_S = 1.0
"""After a transaction that failed; what there is to write is kept."""


class Batch(Protocol):
    """What one participant has for one transaction."""

    @property
    def ends_attempts(self) -> bool:
        """Whether functions have run, and will not run again: their lines come first."""
        ...

    def write(self, tx: Transaction) -> None:
        """In the store's thread; may keep what it reads for `done`."""
        ...

    def done(self) -> None:
        """On the event loop, after the commit."""
        ...

    def failed(self, error: Exception) -> None:
        """On the event loop, when nothing of the transaction came to be."""
        ...


class Participant(Protocol):
    """Writes with the group commit."""

    def collect(self) -> Batch | None:
        """What there is to write now, if anything."""
        ...


class GroupCommit:
    """Runs the transactions."""

    def __init__(
        self, store: Store, clock: Clock, flush_logs: Callable[[], Awaitable[None]]
    ) -> None:
        """`flush_logs` writes down what functions have printed by now."""
        self._store = store
        self._clock = clock
        self._flush_logs = flush_logs
        self._bell = anyio.Event()

    def ring(self) -> None:
        """There may be something to write."""
        self._bell.set()

    async def run(self, *participants: Participant) -> None:
        """Write what the participants have, forever."""
        while True:
            self._bell = anyio.Event()
            works = [
                work for participant in participants if (work := participant.collect()) is not None
            ]
            if works and not await self._commit(works):
                await self._clock.sleep(_RETRY_S)
            else:
                await self._bell.wait()

    async def _commit(self, works: Sequence[Batch]) -> bool:
        def write(tx: Transaction) -> None:
            for work in works:
                work.write(tx)

        try:
            if any(work.ends_attempts for work in works):
                await self._flush_logs()
            await self._store.transact(write)
        except Exception as error:  # Whatever the database says, all of them hear of it.
            if not isinstance(error, Reported):
                logger.error("cannot write events: %s", error)
            for work in works:
                work.failed(error)
            return False
        for work in works:
            try:
                work.done()
            except Exception:  # The others are written, too, and are notified.
                logger.exception("a participant failed after the commit")
        return True
