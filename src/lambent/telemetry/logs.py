"""The log store: groups and streams of CloudWatch Logs, in files.

Appending adds bytes to a list. At the end of an invocation they are written, before anyone learns
of its outcome: immediately, into an open file, or by the flusher, which also writes what has
accumulated meanwhile. Readers flush first, so they see everything. Nothing is synced: a crash of
the machine may lose the last moments of a log, the end of the process does not. Space is bounded:
when a group or the whole store exceeds its limit, its oldest segments are deleted. A full disk
costs log events, never the platform.
"""

import asyncio
import dataclasses
import logging
import os
import resource
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry import queries, segments
from lambent.telemetry.embedded_metrics import MARK, EmbeddedMetrics
from lambent.telemetry.lines import LINE_BYTES_MAX, chunks
from lambent.telemetry.queries import Bounds, EventKey
from lambent.telemetry.segments import SEGMENT_BYTES, LogEvent
from lambent.telemetry.settings import TelemetrySettings
from lambent.telemetry.taps import Tap

Retentions = Mapping[tuple[Scope, str], int]
"""For how many days groups are kept, by scope and name."""
LoadRetentions = Callable[[], Awaitable[Retentions]]

_DAY_S = 86_400
_TRIM_EVERY_S = 60.0
_TRIM_AFTER_BYTES = 16 * 1024 * 1024
_TRIM_AFTER_STREAMS = 100
_SCAN_S_MAX = 30.0
_WAIT_S = 2.0
"""The longest wait for lines to be written. A disk that hangs costs lines, not responses; a host
that is only busy costs neither."""
_SLOW_S, _APART_S = 0.005, 1.0
"""How long a write may take, and for how long all writes are left to the flusher's thread
otherwise."""

_BRACE = ord("}")
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
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


class _Disk:
    """Whether the event loop may write by itself. A write may be slow on a busy machine because
    another process had its turn. After such a write the next ones are watched: one that sleeps in
    the kernel for long waits for the disk."""

    def __init__(self, clock: Clock) -> None:
        self._monotonic = clock.monotonic
        self._began = 0.0
        self._sleeps = 0
        self._watched_until = self._apart_until = float("-inf")

    def may_begin(self) -> bool:
        """Whether a write may begin now."""
        self._began = began = self._monotonic()
        if began < self._watched_until:
            self._sleeps = _sleeps()
        return began >= self._apart_until

    def note_end(self) -> None:
        """The write is over."""
        ended = self._monotonic()
        if ended - self._began > _SLOW_S:
            if self._began < self._watched_until and _sleeps() > self._sleeps:
                self._apart_until = ended + _APART_S
            self._watched_until = ended + 2 * _APART_S


def _sleeps() -> int:
    """Return how often this thread has waited, rather than been interrupted."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


class _Waiting:
    """Callers that wait for lines to be written, until they are or it takes too long."""

    def __init__(self, on_late: Callable[[], None]) -> None:
        self._then: list[Callable[[], None]] = []
        self._on_late = on_late
        self._timer: asyncio.TimerHandle | None = None

    def add(self, then: Callable[[], None]) -> None:
        """It is called once."""
        self._then.append(then)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WAIT_S, self._release_waiting)

    def tell(self) -> None:
        """They need not wait any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        told, self._then = self._then, []
        for then in told:
            try:
                then()
            except Exception:
                _logger.exception("what waited for its lines failed")

    def _release_waiting(self) -> None:
        self._on_late()
        self.tell()


class _Writer:
    """See `ports.LogStream`. The file is opened by the first flush."""

    def __init__(
        self, store: "LogStore", scope: Path, group: str, stream: str, buffer_bytes_max: int
    ) -> None:
        self._store = store
        self._now = store.now
        self._scope = scope
        self._account_and_region = Scope(AccountId(scope.parent.name), Region(scope.name))
        self._group = group
        self._stream = stream
        self._buffer_bytes_max = buffer_bytes_max
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._has_room = anyio.Event()
        self.is_closed = False
        self._segment = -1
        """The number of the current segment; found at the first write."""
        self._segment_bytes = 0
        self._file: int | None = None
        """A descriptor of the current segment."""
        self._is_taken = False
        """Whether the flusher is writing events of this stream; later ones come after."""
        store.dirty.add(self)

    def append(self, timestamp_ms: int, message: bytes) -> None:
        if not message:
            return
        if not self._buffer:
            self._store.dirty.add(self)
        now_ms = int(self._now() * 1000)
        # Nothing is logged in the future, whatever a function writes into its log pipe.
        is_now = not timestamp_ms or timestamp_ms > now_ms
        at_ms = now_ms if is_now else max(timestamp_ms, 0)
        for chunk in (message,) if len(message) <= LINE_BYTES_MAX else chunks(message):
            event = segments.encode(at_ms, now_ms, chunk + b"\n")
            self._buffer.append(event)
            self._buffered_bytes += len(event)
        # Most lines end in something else, which is cheaper to see.
        if message[-1] == _BRACE and MARK in message:
            self._store.embedded.note(self._account_and_region, at_ms, message)
        taps = self._store.taps
        if taps and (tap := taps.get((self._scope, self._group))) is not None:
            tap.add(self._stream, at_ms, message)

    @property
    def is_full(self) -> bool:
        return self._buffered_bytes > self._buffer_bytes_max

    async def wait_not_full(self) -> None:
        while self.is_full:
            await self._has_room.wait()

    def when_written(self, then: Callable[[], None]) -> None:
        if self.write_now():
            then()
        else:
            self._store.after_flush(then)

    def write_now(self) -> bool:
        store = self._store
        if not self._buffer or self._is_taken:
            return not self._is_taken
        if self._file is None or not (self._is_usable(self._file) and store.disk.may_begin()):
            return False
        store.dirty.discard(self)
        data = b"".join(self.take())
        try:
            self._write(self._file, data)
        except OSError as error:
            store.note_failure(error)
        else:
            store.note_write(len(data))
        return True

    def close(self) -> None:
        self.is_closed = True
        if self._file is not None:
            self._store.dirty.add(self)

    def take(self) -> list[bytes]:
        """Return what has to be written now."""
        taken, self._buffer = self._buffer, []
        was_full, self._buffered_bytes = self.is_full, 0
        if was_full:
            self._has_room.set()
            self._has_room = anyio.Event()
        return taken

    def hand_over(self) -> list[bytes]:
        """Return what the flusher has to write; it reports when it is done."""
        self._is_taken = True
        return self.take()

    def note_written(self) -> None:
        """The flusher has written it."""
        self._is_taken = False

    def write(self, events: list[bytes]) -> int:
        """Append events to the current segment, in a thread; returns their bytes. Raises `OSError`
        and has lost them then."""
        try:
            if not events and self._file is not None:
                return 0
            return self._append(b"".join(events))
        finally:
            if self.is_closed:
                self._close_file()

    def _append(self, data: bytes) -> int:
        if data and self._file is not None and self._is_usable(self._file):
            self._write(self._file, data)
            return len(data)
        group = segments.make_directory(self._scope, self._group)
        directory = segments.make_directory(group, self._stream)
        if self._segment < 0:
            existing = segments.segments(directory)
            self._segment = int(existing[-1].stem) + 1 if existing else 0
        if self._file is not None and not self._is_usable(self._file):
            self._begin_segment()
        if self._file is None:
            path = directory / segments.segment_name(self._segment)
            self._file = os.open(path, _APPEND, 0o666)
        if data:
            self._write(self._file, data)
        return len(data)

    def _is_usable(self, file: int) -> bool:
        """Whether the segment is neither full nor deleted. A deleted one is not reused: positions
        in a stream only grow."""
        return self._segment_bytes <= SEGMENT_BYTES and os.fstat(file).st_nlink > 0

    def _write(self, file: int, data: bytes) -> None:
        """Raises `OSError`; later events then go into another segment, because this one may end in
        half an event."""
        try:
            written = os.write(file, data)
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError:
            self._begin_segment()
            raise
        self._segment_bytes += len(data)

    def _begin_segment(self) -> None:
        self._segment += 1
        self._segment_bytes = 0
        self._close_file()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


class LogStore:
    """All log groups of all accounts and regions."""

    def __init__(self, settings: TelemetrySettings, root: Path, clock: Clock) -> None:
        self._settings = settings
        self._root = root
        self._clock = clock
        self.now = clock.now
        self.taps: Mapping[tuple[Path, str], Tap] = {}
        """What receives the lines of groups as they are logged, by directory and name."""
        self.embedded = EmbeddedMetrics()
        """Lines with metrics in them."""
        self.load_retentions: LoadRetentions = _no_retentions
        """Reads for how many days groups are kept."""
        self._flushing = anyio.Lock()
        self._scanning = anyio.CapacityLimiter(1)
        self._is_failing = False
        self._bytes_since_trim = 0
        self._streams_since_trim = 0
        self._bell = anyio.Event()
        self._waiting = _Waiting(self._note_late)
        self._is_behind = False
        """Whether a caller went on without waiting for lines that are not written yet."""
        self.disk = _Disk(clock)
        self.dirty: set[_Writer] = set()
        """Writers that hold events in memory."""

    def open_stream(self, account: AccountId, region: Region, group: str, stream: str) -> _Writer:
        """See `ports.Logs`."""
        self._streams_since_trim += 1
        scope = self._scope(account, region)
        return _Writer(self, scope, group, stream, self._settings.stream_buffer_bytes_max)

    def set_taps(self, taps: Mapping[tuple[AccountId, Region, str], Tap]) -> None:
        """Pass the lines of these groups to taps, and those of no others."""
        self.taps = {
            (self._scope(account, region), group): tap
            for (account, region, group), tap in taps.items()
        }

    async def flush(self) -> None:
        """Write everything that was appended before the call."""
        async with self._flushing:
            waiting, self._waiting = self._waiting, _Waiting(self._note_late)
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
        self._is_failing = False
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

    def _write_all(self, taken: list[tuple[_Writer, list[bytes]]]) -> None:
        failure: OSError | None = None
        for writer, events in taken:
            try:
                self._bytes_since_trim += writer.write(events)
            except OSError as error:
                failure = error
        if failure is not None:
            self.note_failure(failure)
        else:
            self._is_failing = False

    def note_failure(self, failure: OSError) -> None:
        """Events could not be written. It is logged once, until some are."""
        if not self._is_failing:
            _logger.warning("cannot write function logs, events are lost: %s", failure)
        self._is_failing = True

    # -- queries ---------------------------------------------------------------------------

    async def has_group(self, account: AccountId, region: Region, group: str) -> bool:
        """Whether there is such a group."""
        return await self.stream_names(account, region, group) is not None

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
    ) -> tuple[list[tuple[str, LogEvent]], bool]:
        """See `queries.group_page`. Raises `TimeoutError` if it takes too long."""
        await self.flush()
        parent = segments.directory_of(self._scope(account, region), group)
        directories = [(name, segments.directory_of(parent, name)) for name in streams]
        async with self._scanning:
            deadline = self._clock.monotonic() + _SCAN_S_MAX
            return await anyio.to_thread.run_sync(
                queries.group_page,
                directories,
                bounds,
                matches,
                after,
                lambda: self._clock.monotonic() > deadline,
            )

    def _describe_groups(self, account: AccountId, region: Region) -> list[LogGroup]:
        return sorted(
            (
                LogGroup(name, segments.created_ms(directory), _size(directory))
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
            _drop_older(
                segments.directory_of(self._scope(*scope), name), self.now() - days * _DAY_S
            )
        everything: list[tuple[float, int, Path]] = []
        for group in self._group_directories():
            _drop_oldest_streams(group, self._settings.group_streams_max)
            everything += _drop_oldest(list(_files(group)), self._settings.group_bytes_max)
        _drop_oldest(everything, self._settings.total_bytes_max)

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


def _drop_older(group: Path, limit: float) -> None:
    """Delete the segments that were last written before `limit`, in epoch seconds."""
    if group.is_dir():
        for written, _, path in list(_files(group)):
            if written < limit:
                path.unlink(missing_ok=True)


def _files(group: Path) -> Iterator[tuple[float, int, Path]]:
    """Age, size and path of the segments of a group."""
    for stream in group.iterdir():
        yield from segments.sizes(stream)


def _drop_oldest_streams(group: Path, streams_max: int) -> None:
    streams = [
        (max((written for written, _, _ in segments.sizes(path)), default=0.0), path)
        for path in group.iterdir()
        if path.is_dir()
    ]
    for _, path in sorted(streams)[: max(len(streams) - streams_max, 0)]:
        shutil.rmtree(path, ignore_errors=True)


def _drop_oldest(
    files: list[tuple[float, int, Path]], bytes_max: int
) -> list[tuple[float, int, Path]]:
    """Delete from the oldest on until the rest is within the limit; returns the rest."""
    total = sum(size for _, size, _ in files)
    kept = sorted(files)
    while kept and total > bytes_max:
        _, size, path = kept.pop(0)
        path.unlink(missing_ok=True)
        total -= size
    return kept


def _size(group: Path) -> int:
    return sum(size for _, size, _ in _files(group))


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
