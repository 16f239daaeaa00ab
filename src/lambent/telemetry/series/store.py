"""Metrics over time: recorded in memory, written every few seconds, read by period.

Recording is arithmetic on a dict, on the event loop: a metric's values since the last write are one
`Distribution` per minute. A platform that is killed loses at most what it recorded since then.
"""

import logging
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.kit.tasks import shielded
from lambent.model.arn import Scope
from lambent.telemetry.series.database import MetricDatabase, Point
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import MetricKey
from lambent.telemetry.settings import TelemetrySettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

_Work = Callable[[], Iterable[tuple[Point, Distribution]]]

_PENDING_MAX = 20_000
"""Points in memory, some 10 MB. More are not recorded until the next write."""
_LISTED_MINUTES = 14 * 24 * 60
"""A metric without values for two weeks is not listed, as in CloudWatch."""


class MetricStore:
    """All metrics of this platform."""

    def __init__(self, database: MetricDatabase, settings: TelemetrySettings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._pending: dict[Point, Distribution] = {}
        self._sources: list[Callable[[], Iterable[tuple[Point, Distribution]]]] = []
        self._slow_sources: list[Callable[[], _Work | None]] = []
        self._limiter = anyio.CapacityLimiter(1)
        self._dropped = 0
        self.lost = 0
        """Points that were not written, since the platform started."""
        self.is_failing = False
        """Whether the last write has failed."""

    def now(self) -> float:
        """The moment that `record` uses, in epoch seconds."""
        return self._clock.now()

    def add_source(self, take: Callable[[], Iterable[tuple[Point, Distribution]]]) -> None:
        """Ask `take` at each write for what it has gathered since the last one."""
        self._sources.append(take)

    def add_slow_source(self, take: Callable[[], "_Work | None"]) -> None:
        """As `add_source`; what `take` returns is called in the thread that writes."""
        self._slow_sources.append(take)

    def record(
        self, key: MetricKey, value: float, count: float = 1, at: float | None = None
    ) -> None:
        """Record a value, `count` times, at a moment in epoch seconds; without one, now."""
        values = self._values(key, at)
        if values is not None:
            values.add(value, count)

    def record_all(self, key: MetricKey, values: Distribution, at: float) -> None:
        """Record values at a moment in epoch seconds."""
        known = self._values(key, at)
        if known is not None:
            known.merge(values)

    def record_summary(
        self, key: MetricKey, count: float, total: float, low: float, high: float, at: float
    ) -> None:
        """Record values of which only their number, sum and extremes are known."""
        values = self._values(key, at)
        if values is not None:
            values.add_summary(count, total, low, high)

    def _values(self, key: MetricKey, at: float | None) -> Distribution | None:
        point = key, int((self._clock.now() if at is None else at) // 60)
        values = self._pending.get(point)
        if values is None:
            if len(self._pending) >= _PENDING_MAX:
                self._dropped += 1
                return None
            values = self._pending[point] = Distribution()
        return values

    async def read(
        self, key: MetricKey, start: float, end: float, period_s: int, origin: float = 0.0
    ) -> list[tuple[float, Distribution]]:
        """The values of a metric from `start` to before `end`, epoch seconds, by period: the
        moments at which periods that have values start, in order, with the values. A period starts
        at `origin`, which is a minute, and the others follow from that."""
        await self.write()

        def run() -> Mapping[int, Distribution]:
            found: dict[int, Distribution] = {}
            points = self._database.points(key, math.floor(start / 60), math.ceil(end / 60))
            for minute, values in points:
                period = (minute * 60 - int(origin)) // period_s
                known = found.setdefault(period, values)
                if known is not values:
                    known.merge(values)
            return found

        found = await self._in_thread(run)
        return [(period * period_s + origin, found[period]) for period in sorted(found)]

    async def units(self, key: MetricKey) -> list[str]:
        """The units in which there are values of a metric, whatever unit the key says."""
        await self.write()
        return await self._in_thread(partial(self._database.units, key))

    async def list(
        self, scope: Scope, *, since: float, after: MetricKey | None, limit: int
    ) -> "list[MetricKey]":
        """Metrics that have values since a moment, at most of the last two weeks: up to `limit` of
        those after `after`, by namespace, name, dimensions and unit."""
        await self.write()
        minute = max(int(since // 60), int(self._clock.now() // 60) - _LISTED_MINUTES)
        return await self._in_thread(
            partial(self._database.list, scope, since=minute, after=after, limit=limit)
        )

    async def write(self) -> None:
        """Write what was recorded. What cannot be written is lost; the log says so."""
        # A source may record something, too.
        points = [point for take in self._sources for point in take()]
        for take_slow in self._slow_sources:
            work = take_slow()
            if work is not None:
                points += await self._in_thread(work)
        points.extend(self._pending.items())
        self._pending = {}
        if self._dropped:
            logger.warning("%d metrics were not recorded: too many at once", self._dropped)
            self.lost += self._dropped
            self._dropped = 0
        if not points:
            return
        try:
            await self._in_thread(partial(self._database.add, points))
        except (sqlite3.Error, OSError) as error:
            self.lost += len(points)
            if not self.is_failing:
                logger.error("cannot write metrics, they are lost until it works: %s", error)
            self.is_failing = True
        else:
            self.is_failing = False

    async def run(self) -> None:
        """Write every few seconds and delete what is old, forever."""
        while True:
            await self._clock.sleep(self._settings.metrics_every_s)
            await self.write()
            if self.is_failing:
                continue
            before = int(self._clock.now() // 60) - self._settings.metrics_days * 24 * 60
            bytes_max = self._settings.metrics_mb << 20
            try:
                await self._in_thread(partial(self._database.forget, before, bytes_max))
            except (sqlite3.Error, OSError) as error:
                logger.error("cannot delete old metrics: %s", error)

    async def _in_thread(self, run: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(run, limiter=self._limiter)


@asynccontextmanager
async def open_metric_store(
    file: Path, settings: TelemetrySettings, clock: Clock
) -> AsyncIterator[MetricStore]:
    """Open the file of metrics, or create it; at the end, write what was recorded."""
    database = await anyio.to_thread.run_sync(MetricDatabase, file)
    try:
        store = MetricStore(database, settings, clock)
        try:
            yield store
        finally:
            await shielded(store.write)
    finally:
        database.close()
