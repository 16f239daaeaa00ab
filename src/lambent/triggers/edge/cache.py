"""The cache: small responses in memory, larger ones in files.

Nothing outlives the process: the directory is emptied at the start, so that a cache never contains
what was invalidated meanwhile. Both parts are bounded; what was not asked for the longest goes
first. The distribution is part of each key, so no response is found through another one.
"""

import itertools
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread

from lambent.triggers.edge.messages import HeaderItems
from lambent.triggers.edge.selection import Key

SMALL_BYTES = 64 * 1024
"""Up to this size a body is kept in memory."""
_OVERHEAD_BYTES = 1024
"""Of an entry, besides its body and headers."""


class Entry:
    """A response in the cache."""

    __slots__ = (
        *("body", "charge", "file", "fresh_until", "headers", "heads", "if_error", "key", "path"),
        *("size", "status", "stored"),
    )

    def __init__(
        self,
        key: Key,
        path: str,
        status: int,
        headers: HeaderItems,
        *,
        now: float,
        fresh_until: float,
        if_error: float | None,
        body: bytes | None = None,
        file: Path | None = None,
        size: int,
    ) -> None:
        self.key = key
        self.path = path
        """With the query strings of the key: what invalidations name."""
        self.status = status
        self.headers = headers
        self.stored = now
        self.fresh_until = fresh_until
        self.if_error = if_error
        """See `Lifetime`."""
        self.body = body
        self.file = file
        self.size = size
        self.heads: dict[object, bytes] = {}
        """Prepared heads of responses, by cache behavior."""
        written = sum(len(name) + len(value) for name, value in headers)
        self.charge = _OVERHEAD_BYTES + size + 2 * written + sum(map(len, key)) + len(path)
        """The bytes that it counts for."""

    def age(self, now: float) -> int:
        """Seconds since it came from the origin."""
        return max(0, int(now - self.stored))

    def may_outlive(self, now: float) -> bool:
        """Whether it may be served while the origin fails."""
        return self.if_error is None or now < self.fresh_until + self.if_error


class _Tier:
    """Entries up to a number of bytes, in the order of their last use."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self.used = 0

    def get(self, key: Key) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, entry: Entry) -> None:
        self.remove(entry.key)
        self._entries[entry.key] = entry
        self.used += entry.charge
        while self.used > self._bytes_max:
            self.remove(next(iter(self._entries)))

    def remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.used -= entry.charge
            if entry.file is not None:
                # Who is reading it has it open.
                entry.file.unlink(missing_ok=True)

    def forget(self, is_gone: Callable[[Entry], bool]) -> None:
        for entry in [entry for entry in self._entries.values() if is_gone(entry)]:
            self.remove(entry.key)

    def __len__(self) -> int:
        return len(self._entries)


class Flight:
    """A request to an origin on which other requests for the same response wait."""

    def __init__(self, key: Key, flights: "dict[Key, Flight]") -> None:
        """It is one of these until it ends."""
        self.is_shared = True
        """Whether what comes is kept, so that waiting helps."""
        self._ended = anyio.Event()
        self._key = key
        self._flights = flights
        flights[key] = self

    def end(self, *, is_shared: bool = True) -> None:
        """The response is in the cache, or will never be. Only the first call counts."""
        if self._flights.get(self._key) is self:
            del self._flights[self._key]
            self.is_shared = is_shared
            self._ended.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the end; returns whether it came in time."""
        with anyio.move_on_after(seconds):
            await self._ended.wait()
        return self._ended.is_set()


class EdgeCache:
    """See the module."""

    def __init__(self, directory: Path, *, memory_bytes: int, disk_bytes: int) -> None:
        self._directory = directory
        self._memory = _Tier(memory_bytes)
        self._disk = _Tier(disk_bytes)
        self._numbers = itertools.count()
        self.object_bytes_max = disk_bytes // 4
        """No larger response is kept."""
        self.flights: dict[Key, Flight] = {}

    async def open(self) -> None:
        """Empty the directory. Raises OSError."""

        def run() -> None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

        await anyio.to_thread.run_sync(run)

    def get_small(self, key: Key) -> Entry | None:
        """What is in memory."""
        return self._memory.get(key)

    def get(self, key: Key) -> Entry | None:
        """What is kept, fresh or not."""
        return self._memory.get(key) or self._disk.get(key)

    def put(self, entry: Entry) -> None:
        """Keep a response, instead of the one with the same key."""
        first, other = (
            (self._memory, self._disk) if entry.file is None else (self._disk, self._memory)
        )
        other.remove(entry.key)
        first.put(entry)

    def remove(self, entry: Entry) -> None:
        """Forget a response."""
        for tier in (self._memory, self._disk):
            if tier.get(entry.key) is entry:
                tier.remove(entry.key)

    def forget(self, distribution: str, is_gone: Callable[[str], bool] = lambda _: True) -> None:
        """Forget what a distribution has under the paths for which `is_gone` holds."""
        for tier in (self._memory, self._disk):
            tier.forget(lambda entry: entry.key[0] == distribution and is_gone(entry.path))

    def new_file(self) -> Path:
        """A name for a file."""
        return self._directory / f"{next(self._numbers):x}"

    @property
    def size(self) -> tuple[int, int]:
        """Entries in memory and in files."""
        return len(self._memory), len(self._disk)


def invalidation(pattern: str) -> Callable[[str], bool]:
    """Whether a path with its query strings is one that an invalidation names."""
    text = pattern if pattern.startswith("/") else f"/{pattern}"
    if text.endswith("*"):
        return lambda path: path.startswith(text[:-1])
    return lambda path: path == text
