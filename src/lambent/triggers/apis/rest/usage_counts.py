"""How often API keys are used: counted in memory, and written into the database now and then.

No request waits for the database, but the first one of a key, which reads what was counted before.
A platform that is killed forgets the requests since the last write.

Among several nodes, each tells the others four times a second what it has counted and not written
yet, and the sums that it found in the database when it wrote. So a node knows all requests but
those that others counted in the last moment: a quota can be exceeded by these.
"""

import datetime
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from lambent.kit.clock import Clock
from lambent.kit.tasks import shielded, start_loop
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.peers import NoPeers, Peers
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
_COUNTED = "usage/counted"
TELL_S = 0.25
_TELL_S_MAX = 1.0
_TOLD_MAX = 2000
_IN_MEMORY = datetime.timedelta(days=PERIOD_DAYS_MAX)


_Day = tuple[UsageId, datetime.date]


class UsageCounts:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, peers: Peers | None = None) -> None:
        """`peers` are the nodes that count the same keys."""
        self._store = store
        self._clock = clock
        self._peers = peers or NoPeers()
        self._peers.serve(_COUNTED, self._hear)
        self._written: dict[_Day, int] = {}
        """What is in the database, as far as this node knows, of the keys in memory."""
        self._writing: dict[_Day, int] = {}
        """What a transaction adds now."""
        self._of_others: dict[int, dict[_Day, int]] = {}
        """What other nodes have not written yet, by node."""
        self._untold: set[_Day] = set()
        """Of what other nodes do not know the present count."""
        self._known: dict[UsageId, dict[datetime.date, int]] = {}
        self._new: dict[_Day, int] = {}
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
            if id not in self._known:
                self._known[id] = {}
                self._written.update({(id, day): count for day, count in found.items()})
                days = {day for unwritten in self._of_others.values() for _, day in unwritten}
                for day in days | set(found):
                    self._add_up(id, day)
        return self._known[id]

    def add(self, id: UsageId, today: datetime.date) -> None:
        """Count a request. What was counted before is in memory."""
        days = self._known[id]
        if today not in days:
            for day in [day for day in days if day < today - _IN_MEMORY]:
                del days[day]
        days[today] = days.get(today, 0) + 1
        self._new[id, today] = self._new.get((id, today), 0) + 1
        self._untold.add((id, today))

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
        self._writing = new
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
            self._writing = {}
            raise
        self._writing = {}
        self._cleared = today
        self._take_over(totals)

    def _take_over(self, totals: Counts) -> None:
        for (id, day), total in totals.items():
            if id in self._known:
                self._note_written(id, day, total)
            self._untold.add((id, day))
        if len(self._known) > _KNOWN_MAX:
            used = {id for id, _ in (*self._new, *self._untold)}
            self._known = {id: days for id, days in self._known.items() if id in used}
            self._written = {key: n for key, n in self._written.items() if key[0] in used}

    def _note_written(self, id: UsageId, day: datetime.date, total: int) -> None:
        """So many requests of a key in memory are in the database. Counts only grow."""
        self._written[id, day] = max(total, self._written.get((id, day), 0))
        self._add_up(id, day)

    def _add_up(self, id: UsageId, day: datetime.date) -> None:
        key = (id, day)
        self._known[id][day] = (
            self._written.get(key, 0)
            + self._writing.get(key, 0)
            + self._new.get(key, 0)
            + sum(unwritten.get(key, 0) for unwritten in self._of_others.values())
        )

    # -- among several nodes ---------------------------------------------------------------

    async def tell(self) -> None:
        """Tell other nodes what was counted, and forget what nodes counted that are lost."""
        for number in self._of_others.keys() - set(self._peers.numbers()):
            lost = self._of_others.pop(number)
            for id, day in lost:
                if id in self._known:
                    self._add_up(id, day)
        some = list(itertools.islice(self._untold, _TOLD_MAX))
        if not some:
            return
        self._untold.difference_update(some)
        counts = [
            [
                *id.scope,
                id.plan,
                id.key,
                day.isoformat(),
                self._written.get((id, day), 0),
                unwritten,
            ]
            for id, day in some
            for unwritten in [self._new.get((id, day), 0) + self._writing.get((id, day), 0)]
        ]
        value = [self._peers.number, counts]
        answers = await self._peers.ask(_COUNTED, value, within_s=_TELL_S_MAX)
        if answers.missing:
            self._untold.update(some)

    async def _hear(self, value: Any) -> None:
        number, counts = value
        of_other = self._of_others.setdefault(number, {})
        for account, region, plan, key, day_text, written, unwritten in counts:
            id = UsageId(Scope(AccountId(account), Region(region)), plan, key)
            day = datetime.date.fromisoformat(day_text)
            if unwritten:
                of_other[id, day] = unwritten
            else:
                of_other.pop((id, day), None)
            if id in self._known:
                self._note_written(id, day, written)

    async def tell_others(self) -> None:
        """Tell other nodes what is counted, until cancelled."""
        while True:
            await self._clock.sleep(TELL_S)
            await self.tell()


@asynccontextmanager
async def open_usage_counts(
    store: Store, clock: Clock, peers: Peers | None = None
) -> AsyncIterator[UsageCounts]:
    """Count, and write what is counted: every few seconds, and at the end. `peers` are the nodes
    that count the same keys."""
    counts = UsageCounts(store, clock, peers)
    async with anyio.create_task_group() as tasks:
        start_loop(tasks, clock, counts.run)
        if peers is not None and peers.number:
            start_loop(tasks, clock, counts.tell_others)
        try:
            yield counts
        finally:
            tasks.cancel_scope.cancel()
            try:
                await shielded(counts.write)
            except StoreUnavailable:
                logger.warning("the last requests of API keys are not counted: no database")
