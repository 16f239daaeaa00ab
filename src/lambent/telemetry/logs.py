"""The log store: groups and streams as CloudWatch Logs has them, in files.

Appending is adding bytes to a list; one flusher writes what has gathered. Readers flush first, so
they see everything. Nothing is synced: a log may lose its last moments with the machine, not with
the process. Space is bounded: when a group or the whole store is over its limit, its oldest
segments go.
"""

import dataclasses
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.telemetry import segments
from lambent.telemetry.lines import LINE_BYTES_MAX
from lambent.telemetry.segments import SEGMENT_BYTES, LogEvent
from lambent.telemetry.settings import TelemetrySettings

_TRIM_EVERY_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A log group."""

    name: str
    created_ms: int
    stored_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """A log stream. Times are epoch milliseconds; None while there are no events."""

    name: str
    created_ms: int
    first_event_ms: int | None
    last_event_ms: int | None
    last_ingestion_ms: int | None
    stored_bytes: int


class _Writer:
    """See `ports.LogStream`."""

    def __init__(self, store: "LogStore", directory: Path, buffer_bytes_max: int) -> None:
        self._store = store
        self._buffer_bytes_max = buffer_bytes_max
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._has_room = anyio.Event()
        self.directory = directory
        self.is_closed = False
        existing = segments.segments(directory)
        self._segment = int(existing[-1].stem) + 1 if existing else 0
        self._segment_bytes = 0

    def append(self, timestamp_ms: int, message: bytes) -> None:
        if len(message) > LINE_BYTES_MAX:
            for at in range(0, len(message), LINE_BYTES_MAX):
                self.append(timestamp_ms, message[at : at + LINE_BYTES_MAX])
            return
        if not self._buffer:
            self._store.dirty.add(self)
        now_ms = self._store.now_ms()
        event = segments.encode(timestamp_ms or now_ms, now_ms, message)
        self._buffer.append(event)
        self._buffered_bytes += len(event)

    @property
    def is_full(self) -> bool:
        return self._buffered_bytes > self._buffer_bytes_max

    async def wait_not_full(self) -> None:
        while self.is_full:
            await self._has_room.wait()

    def close(self) -> None:
        self.is_closed = True

    def take(self) -> list[bytes]:
        """What is to be written now."""
        taken, self._buffer = self._buffer, []
        self._buffered_bytes = 0
        self._has_room.set()
        self._has_room = anyio.Event()
        return taken

    def write(self, events: list[bytes]) -> None:
        """Append events to the current segment; in a thread."""
        data = b"".join(events)
        if self._segment_bytes > SEGMENT_BYTES:
            self._segment += 1
            self._segment_bytes = 0
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / segments.segment_name(self._segment)).open("ab") as file:
            file.write(data)
        self._segment_bytes += len(data)


class LogStore:
    """All log groups of all accounts and regions."""

    def __init__(self, settings: TelemetrySettings, root: Path, clock: Clock) -> None:
        self._settings = settings
        self._root = root
        self._clock = clock
        self._flushing = anyio.Lock()
        self.dirty: set[_Writer] = set()
        """Writers that hold events in memory."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._clock.now() * 1000)

    def open_stream(self, account: str, region: str, group: str, stream: str) -> _Writer:
        """See `ports.Logs`."""
        parent = segments.make_directory(self._scope(account, region), group)
        directory = segments.make_directory(parent, stream)
        return _Writer(self, directory, self._settings.stream_buffer_bytes_max)

    async def flush(self) -> None:
        """Write everything that was appended before the call."""
        async with self._flushing:
            taken = [(writer, writer.take()) for writer in self.dirty]
            self.dirty.clear()
            if taken:
                await anyio.to_thread.run_sync(_write_all, taken)

    async def run(self) -> None:
        """Flush, and keep within the bounds, for ever."""
        trimmed = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._settings.flush_every_s)
            if self.dirty:
                await self.flush()
            if self._clock.monotonic() - trimmed >= _TRIM_EVERY_S:
                trimmed = self._clock.monotonic()
                await anyio.to_thread.run_sync(self.trim)

    # -- queries ---------------------------------------------------------------------------

    async def describe_groups(self, account: str, region: str) -> list[Group]:
        """All groups, by name."""
        await self.flush()
        return await anyio.to_thread.run_sync(self._describe_groups, account, region)

    async def describe_streams(self, account: str, region: str, group: str) -> list[Stream] | None:
        """All streams of a group, by name; None if there is no such group."""
        await self.flush()
        return await anyio.to_thread.run_sync(self._describe_streams, account, region, group)

    async def read_events(
        self,
        account: str,
        region: str,
        group: str,
        streams: list[str],
        *,
        start_ms: int,
        end_ms: int,
    ) -> list[tuple[str, LogEvent]]:
        """The events of some streams with `start_ms <= timestamp < end_ms`, by time, then by
        stream and position."""
        await self.flush()
        return await anyio.to_thread.run_sync(
            self._read_events, account, region, group, streams, start_ms, end_ms
        )

    def _describe_groups(self, account: str, region: str) -> list[Group]:
        return sorted(
            (
                Group(name, _created_ms(directory), _size(directory))
                for name, directory in segments.list_directories(self._scope(account, region))
            ),
            key=lambda group: group.name,
        )

    def _describe_streams(self, account: str, region: str, group: str) -> list[Stream] | None:
        parent = segments.directory_of(self._scope(account, region), group)
        if not parent.is_dir():
            return None
        return sorted(
            (_describe(name, path) for name, path in segments.list_directories(parent)),
            key=lambda stream: stream.name,
        )

    def _read_events(
        self, account: str, region: str, group: str, streams: list[str], start_ms: int, end_ms: int
    ) -> list[tuple[str, LogEvent]]:
        parent = segments.directory_of(self._scope(account, region), group)
        found = []
        for name in streams:
            for path in segments.segments(segments.directory_of(parent, name)):
                found += [
                    (name, event)
                    for event in segments.read(path)
                    if start_ms <= event.timestamp_ms < end_ms
                ]
        found.sort(key=lambda item: (item[1].timestamp_ms, item[0], item[1].position))
        return found

    # -- space -----------------------------------------------------------------------------

    def trim(self) -> None:
        """Delete the oldest segments of whatever is over its bound."""
        everything: list[tuple[float, int, Path]] = []
        for group in self._group_directories():
            files = list(_files(group))
            everything += _drop_oldest(files, self._settings.group_bytes_max)
        _drop_oldest(everything, self._settings.total_bytes_max)
        for group in self._group_directories():
            for _, stream in segments.list_directories(group):
                old = time.time() - stream.stat().st_mtime > 3600
                if old and not segments.segments(stream):
                    shutil.rmtree(stream, ignore_errors=True)

    def _group_directories(self) -> Iterator[Path]:
        for account in self._root.iterdir():
            for region in account.iterdir():
                for _, directory in segments.list_directories(region):
                    yield directory

    def _scope(self, account: str, region: str) -> Path:
        return self._root / account / region


def _write_all(taken: list[tuple[_Writer, list[bytes]]]) -> None:
    for writer, events in taken:
        writer.write(events)


def _files(group: Path) -> Iterator[tuple[float, int, Path]]:
    """Age, size and path of the segments of a group."""
    for _, stream in segments.list_directories(group):
        for path in segments.segments(stream):
            status = path.stat()
            yield status.st_mtime, status.st_size, path


def _drop_oldest(
    files: list[tuple[float, int, Path]], bytes_max: int
) -> list[tuple[float, int, Path]]:
    """Delete from the oldest on until the rest is within the bound; gives the rest."""
    total = sum(size for _, size, _ in files)
    kept = sorted(files)
    while kept and total > bytes_max:
        _, size, path = kept.pop(0)
        path.unlink(missing_ok=True)
        total -= size
    return kept


def _created_ms(directory: Path) -> int:
    return int((directory / "name").stat().st_mtime * 1000)


def _size(group: Path) -> int:
    return sum(size for _, size, _ in _files(group))


def _describe(name: str, directory: Path) -> Stream:
    paths = segments.segments(directory)
    first = next((event for path in paths for event in segments.read(path)), None)
    last = first
    for path in paths[-1:]:
        for event in segments.read(path):
            last = event
    return Stream(
        name,
        _created_ms(directory),
        first.timestamp_ms if first else None,
        last.timestamp_ms if last else None,
        last.ingestion_ms if last else None,
        sum(path.stat().st_size for path in paths),
    )


@asynccontextmanager
async def open_logs(
    settings: TelemetrySettings, root: Path, clock: Clock
) -> AsyncIterator[LogStore]:
    """The log store in the directory `root`, with its flusher running."""
    await anyio.Path(root).mkdir(parents=True, exist_ok=True)
    store = LogStore(settings, root, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.run, name="flush logs")
        try:
            yield store
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await store.flush()
