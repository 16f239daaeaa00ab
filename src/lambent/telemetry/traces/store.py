"""Traces: taken in memory, written every half second, read by the API.

To record is to append one value to a bounded queue. Documents are made of the values, and stored,
in a thread. A platform that is killed loses what it recorded since the last write, and a full disk
loses traces before anything else.
"""

import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.kit.tasks import shielded
from lambent.model.arn import Scope
from lambent.telemetry.settings import TelemetrySettings
from lambent.telemetry.traces.database import Listed, TraceDatabase
from lambent.telemetry.traces.documents import Document, Segment
from lambent.telemetry.traces.sampling import Sampler

logger = logging.getLogger(__name__)

T = TypeVar("T")

_WAITING_MAX = 10_000
_WAITING_BYTES_MAX = 16 << 20
_WRITE_EVERY_S = 0.5
_FREE_BYTES_MIN = 128 << 20
"""Of the disk, which the platform needs for other things."""
_FORGET_EVERY = 20
"""Writes from one deletion of what is old to the next."""

Encode = Callable[[Sequence[tuple[Scope, Segment]]], Sequence[bytes]]
"""Makes requests for a collector of segments. Called in a thread."""


class Recorded(Protocol):
    """What becomes segments."""

    @property
    def size(self) -> int:
        """Bytes, about."""
        ...

    def segments(self) -> Iterable[Segment]:
        """The segments. Called in a thread."""
        ...


class TraceStore:
    """All traces of this platform."""

    def __init__(
        self,
        database: TraceDatabase,
        directory: Path,
        settings: TelemetrySettings,
        clock: Clock,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        """`directory` is on the disk whose room counts."""
        self._database = database
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._free_bytes = free_bytes
        self._waiting: list[tuple[Scope, Recorded]] = []
        self._waiting_bytes = 0
        self._dropped = 0
        self._limiter = anyio.CapacityLimiter(1)
        self.is_failing = False
        """Whether the last write has failed. A lasting failure is logged once."""
        self._encode: Encode | None = None
        self._send: Callable[[bytes], None] = lambda _: None
        self.sampler = Sampler(clock)

    def now(self) -> float:
        """Epoch seconds."""
        return self._clock.now()

    def export(self, encode: Encode, send: Callable[[bytes], None]) -> None:
        """Send all segments to a collector, too, also those that the disk has no room for."""
        self._encode, self._send = encode, send

    def record(self, scope: Scope, recorded: Recorded) -> bool:
        """Keep what was seen or received for an account and Region; returns whether there is room.
        Never waits."""
        size = recorded.size
        if len(self._waiting) >= _WAITING_MAX or self._waiting_bytes + size > _WAITING_BYTES_MAX:
            self._dropped += 1
            return False
        self._waiting.append((scope, recorded))
        self._waiting_bytes += size
        return True

    async def list(
        self,
        scope: Scope,
        *,
        start: float,
        end: float,
        by_event: bool = False,
        before: Listed | None = None,
        limit: int,
    ) -> list[Listed]:
        """Traces of an account and Region, the latest first: those that began from `start` to
        before `end`, epoch seconds, or `by_event` have a segment that touches that time."""
        await self.write()
        return await self._in_thread(
            partial(
                self._database.list,
                scope,
                start=start,
                end=end,
                by_event=by_event,
                before=before,
                limit=limit,
            )
        )

    async def read(self, scope: Scope, trace_ids: Sequence[str]) -> dict[str, Sequence[Document]]:
        """The segments of each trace; traces that do not exist are missing."""
        await self.write()

        def run() -> dict[str, Sequence[Document]]:
            found = {each: self._database.documents(scope, each) for each in trace_ids}
            return {name: documents for name, documents in found.items() if documents}

        return await self._in_thread(run)

    async def write(self) -> None:
        """Write what was recorded. What cannot be written is lost; the log says so."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if self._dropped:
            logger.warning("%d segments of traces were dropped: too many at once", self._dropped)
            self._dropped = 0
        if not waiting:
            return
        requests: list[bytes] = []

        def run() -> None:
            made = [
                (scope, segment) for scope, recorded in waiting for segment in recorded.segments()
            ]
            if self._encode is not None:
                requests.extend(self._encode(made))
            if self._free_bytes(self._directory) < _FREE_BYTES_MIN:
                raise OSError(f"the disk has less than {_FREE_BYTES_MIN >> 20} MB left")
            self._database.add(made)

        try:
            await self._in_thread(run)
        except (sqlite3.Error, OSError) as error:
            if not self.is_failing:
                logger.error("cannot write traces, they are dropped: %s", error)
            self.is_failing = True
        else:
            if self.is_failing:
                logger.warning("traces are written again")
            self.is_failing = False
        for request in requests:
            self._send(request)

    async def run(self) -> None:
        """Write twice a second and delete what is old, forever."""
        writes = 0
        while True:
            await self._clock.sleep(_WRITE_EVERY_S)
            await self.write()
            writes += 1
            if writes % _FORGET_EVERY == 0:
                await self._forget()

    async def _forget(self) -> None:
        before = self._clock.now() - self._settings.traces_days * 86400
        bytes_max = self._settings.traces_mb << 20
        try:
            await self._in_thread(partial(self._database.forget, before, bytes_max))
        except (sqlite3.Error, OSError) as error:
            logger.error("cannot delete old traces: %s", error)

    async def _in_thread(self, run: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(run, limiter=self._limiter)


@asynccontextmanager
async def open_trace_store(
    file: Path, settings: TelemetrySettings, clock: Clock
) -> AsyncIterator[TraceStore]:
    """Open the file of traces, or create it; at the end, write what was recorded."""
    database = await anyio.to_thread.run_sync(TraceDatabase, file)
    try:
        store = TraceStore(database, file.parent, settings, clock)
        try:
            yield store
        finally:
            await shielded(store.write)
    finally:
        database.close()
