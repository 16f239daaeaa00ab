"""The log store: groups and streams of CloudWatch Logs, in files.

Appending adds bytes to a list. At the end of an invocation they are written, before anyone learns
of its outcome: immediately, into an open file, or by the flusher, which also writes what has
accumulated meanwhile. Readers flush first, so they see everything. Nothing is synced: a crash of
the machine may lose the last moments of a log, the end of the process does not. Space is bounded:
when a group or the whole store exceeds its limit, its oldest segments are deleted. A full disk
costs log events, never the platform.
"""

import dataclasses
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry import log_space, queries, segments
from lambent.telemetry.embedded_metrics import EmbeddedMetrics
from lambent.telemetry.log_writer import Disk, Waiting, Writer
from lambent.telemetry.queries import Bounds, EventKey
from lambent.telemetry.segments import LogEvent
from lambent.telemetry.settings import TelemetrySettings
from lambent.telemetry.taps import Receiver, Tap, joined

Retentions = Mapping[tuple[Scope, str], int]
"""For how many days groups are kept, by scope and name."""
GroupTaps = Mapping[tuple[AccountId, Region, str], Tap]
LoadRetentions = Callable[[], Awaitable[Retentions]]

_DAY_S = 86_400
_TRIM_EVERY_S = 60.0
_TRIM_AFTER_BYTES = 16 * 1024 * 1024
_TRIM_AFTER_STREAMS = 100
_SCAN_S_MAX = 30.0
_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group."""

    name: str
    created_ms: int
    stored_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class LogStream:
    """A log stream. Times are epoch milliseconds; None while there are no events."""

    name: str
    created_ms: int
    first_event_ms: int | None
    last_event_ms: int | None
    last_ingestion_ms: int | None
    stored_bytes: int


class LogStore:
    """All log groups of all accounts and regions."""

    def __init__(self, settings: TelemetrySettings, root: Path, clock: Clock) -> None:
        self._settings = settings
        self._root = root
        self._clock = clock
        self.now = clock.now
        self.taps: Mapping[tuple[Path, str], Receiver] = {}
        """What receives the lines of groups as they are logged, by directory and name."""
        self._taps_of: dict[object, Mapping[tuple[Path, str], Tap]] = {}
        """The same, by who asked for them."""
        self.embedded = EmbeddedMetrics()
        """Lines with metrics in them."""
        self.load_retentions: LoadRetentions = _no_retentions
        """Reads for how many days groups are kept."""
        self._flushing = anyio.Lock()
        self._scanning = anyio.CapacityLimiter(1)
        self.is_failing = False
        """Whether events were lost, and none have been written since."""
        self._bytes_since_trim = 0
        self._streams_since_trim = 0
        self._bell = anyio.Event()
        self._waiting = Waiting(self._note_late)
        self._is_behind = False
        """Whether a caller went on without waiting for lines that are not written yet."""
        self.disk = Disk(clock)
        self.dirty: set[Writer] = set()
        """Writers that hold events in memory."""

    def open_stream(self, account: AccountId, region: Region, group: str, stream: str) -> Writer:
        """See `ports.Logs`."""
        self._streams_since_trim += 1
        scope = self._scope(account, region)
        return Writer(self, scope, group, stream, self._settings.stream_buffer_bytes_max)

    def set_taps(self, owner: object, taps: GroupTaps) -> None:
        """Pass the lines of these groups to taps of `owner`, and those of no others."""
        self._taps_of.pop(owner, None)
        if taps:
            self._taps_of[owner] = {
                (self._scope(account, region), group): tap
                for (account, region, group), tap in taps.items()
            }
        self.taps = joined(self._taps_of.values())

    async def flush(self) -> None:
        """Write everything that was appended before the call."""
        async with self._flushing:
            waiting, self._waiting = self._waiting, Waiting(self._note_late)
            taken = [(writer, writer.hand_over()) for writer in self.dirty]
            self.dirty.clear()
            try:
                if taken:
                    with anyio.CancelScope(shield=True):  # what is taken is written
                        await anyio.to_thread.run_sync(self._write_all, taken)
            finally:
                for writer, _ in taken:
                    writer.note_written()
                waiting.tell()

    async def settle(self) -> None:
        """Write the lines that a caller did not wait for, if there are any."""
        if self._is_behind:
            self._is_behind = False
            await self.flush()

    def after_flush(self, then: Callable[[], None]) -> None:
        """Call `then` when everything that was appended is written, or that takes too long."""
        self._waiting.add(then)
        self._bell.set()

    def _note_late(self) -> None:
        self._is_behind = True

    async def flush_when_asked(self) -> None:
        """Flush as soon as a caller waits for it, forever."""
        while True:
            await self._bell.wait()
            self._bell = anyio.Event()
            await self.flush()

    def note_write(self, size: int) -> None:
        """Something was written on the event loop."""
        self._bytes_since_trim += size
        self.is_failing = False
        self.disk.note_end()

    async def run(self) -> None:
        """Flush, and enforce the limits, forever."""
        trimmed = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._settings.flush_every_s)
            if self.dirty:
                await self.flush()
            if (
                self._bytes_since_trim >= _TRIM_AFTER_BYTES
                or self._streams_since_trim >= _TRIM_AFTER_STREAMS
                or self._clock.monotonic() - trimmed >= _TRIM_EVERY_S
            ):
                trimmed = self._clock.monotonic()
                self._bytes_since_trim = self._streams_since_trim = 0
                retentions = await self.load_retentions()
                await anyio.to_thread.run_sync(self._try_trim, retentions)

    def _write_all(self, taken: list[tuple[Writer, list[bytes]]]) -> None:
        failure: OSError | None = None
        for writer, events in taken:
            try:
                self._bytes_since_trim += writer.write(events)
            except OSError as error:
                writer.has_failed = True
                failure = error
        if failure is not None:
            self.note_failure(failure)
        else:
            self.is_failing = False

    def note_failure(self, failure: OSError) -> None:
        """Events could not be written. It is logged once, until some are."""
        if not self.is_failing:
            _logger.warning("cannot write function logs, events are lost: %s", failure)
        self.is_failing = True

    # -- queries ---------------------------------------------------------------------------

    async def has_group(self, account: AccountId, region: Region, group: str) -> bool:
        """Whether there is such a group."""
        await self.flush()
        return await anyio.to_thread.run_sync(self.directory_of(account, region, group).is_dir)

    async def create_group(self, account: AccountId, region: Region, group: str) -> bool:
        """Create a group; returns False if there is one already."""
        if await self.has_group(account, region, group):
            return False
        await anyio.to_thread.run_sync(segments.make_directory, self._scope(account, region), group)
        return True

    async def delete_group(self, account: AccountId, region: Region, group: str) -> bool:
        """Delete a group with its events; returns whether it was there. A function that still
        writes begins it again."""
        if not await self.has_group(account, region, group):
            return False
        directory = segments.directory_of(self._scope(account, region), group)
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(directory, ignore_errors=True))
        return True

    async def create_stream(
        self, account: AccountId, region: Region, group: str, stream: str
    ) -> bool:
        """Create a stream of a group that exists; returns False if there is one already."""
        parent = self.directory_of(account, region, group)

        def create() -> bool:
            if segments.is_named(segments.directory_of(parent, stream)):
                return False
            segments.make_directory(parent, stream)
            return True

        self._streams_since_trim += 1
        return await anyio.to_thread.run_sync(create)

    async def delete_stream(
        self, account: AccountId, region: Region, group: str, stream: str
    ) -> bool:
        """Delete a stream with its events; returns whether it was there. A function that still
        writes begins it again."""
        await self.flush()
        directory = segments.directory_of(self.directory_of(account, region, group), stream)

        def delete() -> bool:
            if not segments.is_named(directory):
                return False
            shutil.rmtree(directory, ignore_errors=True)
            return True

        return await anyio.to_thread.run_sync(delete)

    async def has_stream(self, account: AccountId, region: Region, group: str, stream: str) -> bool:
        """Whether there is such a stream."""
        directory = segments.directory_of(self.directory_of(account, region, group), stream)
        return await anyio.to_thread.run_sync(segments.is_named, directory)

    async def describe_groups(self, account: AccountId, region: Region) -> list[LogGroup]:
        """All groups, by name."""
        await self.flush()
        return await anyio.to_thread.run_sync(
            self._describe_groups, account, region, limiter=self._scanning
        )

    async def describe_streams(
        self, account: AccountId, region: Region, group: str
    ) -> list[LogStream] | None:
        """All streams of a group, by name; None if there is no such group."""
        await self.flush()
        return await anyio.to_thread.run_sync(
            self._describe_streams, account, region, group, limiter=self._scanning
        )

    async def stream_names(
        self, account: AccountId, region: Region, group: str
    ) -> list[str] | None:
        """The names of all streams of a group, sorted; None if there is no such group."""
        await self.flush()
        parent = segments.directory_of(self._scope(account, region), group)
        return await anyio.to_thread.run_sync(_stream_names, parent, limiter=self._scanning)

    async def stream_page(
        self,
        account: AccountId,
        region: Region,
        group: str,
        stream: str,
        bounds: Bounds,
        position: int,
        *,
        is_forward: bool,
    ) -> list[LogEvent]:
        """See `queries.stream_page`."""
        await self.flush()
        parent = segments.directory_of(self._scope(account, region), group)
        return await anyio.to_thread.run_sync(
            lambda: queries.stream_page(
                segments.directory_of(parent, stream), bounds, position, is_forward=is_forward
            ),
            limiter=self._scanning,
        )

    async def group_page(
        self,
        account: AccountId,
        region: Region,
        group: str,
        streams: list[str],
        bounds: Bounds,
        matches: Callable[[str], bool],
        after: EventKey | None,
        *,
        is_forward: bool = True,
        place: int = 0,
    ) -> tuple[list[tuple[str, LogEvent]], bool]:
        """See `queries.group_page`. Raises `TimeoutError` if it takes too long."""
        await self.flush()
        parent = segments.directory_of(self._scope(account, region), group)
        directories = [(name, segments.directory_of(parent, name)) for name in streams]
        async with self._scanning:
            deadline = self._clock.monotonic() + _SCAN_S_MAX
            return await anyio.to_thread.run_sync(
                lambda: queries.group_page(
                    directories,
                    bounds,
                    matches,
                    after,
                    lambda: self._clock.monotonic() > deadline,
                    is_forward=is_forward,
                    place=place,
                )
            )

    def directory_of(self, account: AccountId, region: Region, group: str) -> Path:
        """The directory of a group."""
        return segments.directory_of(self._scope(account, region), group)

    def _describe_groups(self, account: AccountId, region: Region) -> list[LogGroup]:
        return sorted(
            (
                LogGroup(name, segments.created_ms(directory), log_space.size_of(directory))
                for name, directory in segments.list_directories(self._scope(account, region))
            ),
            key=lambda group: group.name,
        )

    def _describe_streams(
        self, account: AccountId, region: Region, group: str
    ) -> list[LogStream] | None:
        parent = segments.directory_of(self._scope(account, region), group)
        if not parent.is_dir():
            return None
        return sorted(
            (_describe(name, path) for name, path in segments.list_directories(parent)),
            key=lambda stream: stream.name,
        )

    # -- space -----------------------------------------------------------------------------

    def trim(self, retentions: Retentions | None = None) -> None:
        """Delete the oldest streams and segments of everything that exceeds its limit, and segments
        whose last event is older than the group is kept; in a thread."""
        for (scope, name), days in (retentions or {}).items():
            log_space.drop_older(
                segments.directory_of(self._scope(*scope), name), self.now() - days * _DAY_S
            )
        everything: list[tuple[float, int, Path]] = []
        for group in self._group_directories():
            log_space.drop_oldest_streams(group, self._settings.group_streams_max)
            everything += log_space.drop_oldest(
                list(log_space.files_of(group)), self._settings.group_bytes_max
            )
        log_space.drop_oldest(everything, self._settings.total_bytes_max)

    def _try_trim(self, retentions: Retentions) -> None:
        try:
            self.trim(retentions)
        except OSError as error:
            _logger.warning("cannot delete old function logs: %s", error)

    def _group_directories(self) -> Iterator[Path]:
        for region in self._root.glob("*/*"):
            for _, directory in segments.list_directories(region):
                yield directory

    def _scope(self, account: AccountId, region: Region) -> Path:
        return self._root / account / region


def _stream_names(group: Path) -> list[str] | None:
    if not group.is_dir():
        return None
    return sorted(name for name, _ in segments.list_directories(group))


async def _no_retentions() -> Retentions:
    return {}


def _describe(name: str, directory: Path) -> LogStream:
    files = list(segments.sizes(directory))
    first = next((event for _, _, path in files for event in segments.read(path)), None)
    last = first
    for _, _, path in files[-1:]:
        for event in segments.read(path):
            last = event
    return LogStream(
        name,
        segments.created_ms(directory),
        first.timestamp_ms if first else None,
        last.timestamp_ms if last else None,
        last.ingestion_ms if last else None,
        sum(size for _, size, _ in files),
    )


@asynccontextmanager
async def open_logs(
    settings: TelemetrySettings, root: Path, clock: Clock
) -> AsyncIterator[LogStore]:
    """Open the log store in the directory `root`, with its flusher running."""
    await anyio.Path(root).mkdir(parents=True, exist_ok=True)
    store = LogStore(settings, root, clock)
    async with anyio.create_task_group() as tasks:
        start_loop(tasks, clock, store.run)
        start_loop(tasks, clock, store.flush_when_asked)
        try:
            yield store
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await store.flush()
