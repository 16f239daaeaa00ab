"""How often API keys are used: counted in memory, and written into the database now and then.

No request waits for the database, but the first one of a key, which reads what was counted before.
A platform that is killed forgets the requests since the last write. Platforms that share a database
see each other's requests when they write.
"""

import datetime
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from lambent.kit.clock import Clock
from lambent.kit.tasks import shielded, start_loop
from lambent.model.usage import PERIOD_DAYS_MAX, Days, UsageId, day_of
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction
from lambent.store.usage import Counts

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 2.0
KEPT_DAYS = 100
"""How long counts stay in the database. GetUsage shows 90 days."""
_KNOWN_MAX = 10_000
"""Keys that stay in memory after a write."""
_IN_MEMORY = datetime.timedelta(days=PERIOD_DAYS_MAX)


class UsageCounts:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[UsageId, dict[datetime.date, int]] = {}
        self._new: dict[tuple[UsageId, datetime.date], int] = {}
        """What is not in the database yet."""
        self._cleared = datetime.date.min
        """The day on which old counts were deleted last."""

    @property
    def today(self) -> datetime.date:
        """In UTC."""
        return day_of(self._clock.now())

    def get_nowait(self, id: UsageId) -> Days | None:
        """The requests of the last days; None if they are not in memory."""
        return self._known.get(id)

    async def get(self, id: UsageId) -> Days:
        """As `get_nowait`, reading what is missing."""
        if id not in self._known:
            since = self.today - _IN_MEMORY
            found = await self._store.read(lambda tx: tx.usage.of_key(id, since))
            # Another request of the key may have been sooner, and counted.
            self._known.setdefault(id, dict(found))
        return self._known[id]

    def add(self, id: UsageId, today: datetime.date) -> None:
        """Count a request. What was counted before is in memory."""
        days = self._known[id]
        if today not in days:
            for day in [day for day in days if day < today - _IN_MEMORY]:
                del days[day]
        days[today] = days.get(today, 0) + 1
        self._new[id, today] = self._new.get((id, today), 0) + 1

    async def run(self) -> None:
        """Write what is counted, every few seconds. Raises `StoreUnavailable`, and has lost nothing
        then."""
        while True:
            await self._clock.sleep(WRITE_EVERY_S)
            with anyio.CancelScope(shield=True):
                await self.write()

    async def write(self) -> None:
        """Write what is counted. If it is not known whether a transaction holds, the same requests
        are counted once more: better than not at all."""
        if not self._new:
            return
        new, self._new = self._new, {}
        today = self.today

        def work(tx: Transaction) -> Counts:
            if today != self._cleared:
                tx.usage.forget(today - datetime.timedelta(days=KEPT_DAYS))
            return tx.usage.add(new)

        try:
            totals = await self._store.transact(work)
        except BaseException:
            for key, count in new.items():
                self._new[key] = self._new.get(key, 0) + count
            raise
        self._cleared = today
        self._take_over(totals)

    def _take_over(self, totals: Counts) -> None:
        for (id, day), total in totals.items():
            if id in self._known:
                self._known[id][day] = total + self._new.get((id, day), 0)
        if len(self._known) > _KNOWN_MAX:
            used = {id for id, _ in self._new}
            self._known = {id: days for id, days in self._known.items() if id in used}


@asynccontextmanager
async def open_usage_counts(store: Store, clock: Clock) -> AsyncIterator[UsageCounts]:
    """Count, and write what is counted: every few seconds, and at the end."""
    counts = UsageCounts(store, clock)
    async with anyio.create_task_group() as tasks:
        start_loop(tasks, clock, counts.run)
        try:
            yield counts
        finally:
            tasks.cancel_scope.cancel()
            try:
                await shielded(counts.write)
            except StoreUnavailable:
                logger.warning("the last requests of API keys are not counted: no database")
