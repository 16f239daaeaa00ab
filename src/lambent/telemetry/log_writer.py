"""How lines of one stream get into its file.

They are collected, then written on the event loop where that is quick, else by the store's flusher.
"""

import asyncio
import logging
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import anyio

from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry import segments
from lambent.telemetry.embedded_metrics import MARK, EmbeddedMetrics
from lambent.telemetry.lines import LINE_BYTES_MAX, chunks
from lambent.telemetry.segments import SEGMENT_BYTES
from lambent.telemetry.taps import Receiver

_WAIT_S = 2.0
"""The longest wait for lines to be written. A disk that hangs costs lines, not responses; a host
that is only busy costs neither."""
_SLOW_S, _APART_S = 0.005, 1.0
"""How long a write may take, and for how long all writes are left to the flusher's thread
otherwise."""

_BRACE = ord("}")
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_logger = logging.getLogger(__name__)


class Disk:
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


class Waiting:
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


class WriterStore(Protocol):
    """What a writer needs of its store."""

    now: Callable[[], float]
    taps: Mapping[tuple[Path, str], Receiver]
    disk: Disk
    dirty: "set[Writer]"
    embedded: EmbeddedMetrics

    def after_flush(self, then: Callable[[], None]) -> None: ...

    def note_write(self, size: int) -> None: ...

    def note_failure(self, failure: OSError) -> None: ...


class Writer:
    """See `ports.LogStream`. The file is opened by the first flush."""

    def __init__(
        self, store: WriterStore, scope: Path, group: str, stream: str, buffer_bytes_max: int
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
        self._youngest_ms = 0
        """The latest time of events that `put` got."""
        self.has_failed = False
        """Whether events were lost since this was last reset."""
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

    def put(self, events: Sequence[tuple[int, bytes]], encoded: bytes) -> None:
        """Append events as a caller wrote them, perhaps of the future, with what the file gets."""
        if not self._buffer:
            self._store.dirty.add(self)
        self._buffer.append(encoded)
        self._buffered_bytes += len(encoded)
        self._youngest_ms = max(self._youngest_ms, events[-1][0])
        tap = self._store.taps.get((self._scope, self._group))
        for at_ms, message in events:
            if message.endswith(b"}") and MARK in message:
                self._store.embedded.note(self._account_and_region, at_ms, message)
            if tap is not None:
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
            self.has_failed = True
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
            if self._youngest_ms and self._youngest_ms > self._now() * 1000:
                # Readers rely on it: no event is younger than its segment.
                os.utime(file, (self._youngest_ms / 1000,) * 2)
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
