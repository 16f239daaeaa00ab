"""How much memory this host has left.

That is what the kernel can still provide without swapping (`MemAvailable`) or, if the platform runs
in a limited control group, what is left of that limit, whichever is smaller.
https://docs.kernel.org/filesystems/proc.html
"""

import re
from pathlib import Path
from typing import Protocol

from lambent.kit.clock import Clock

_MB = 1024 * 1024
_READ_EVERY_S = 0.25
_RESERVE_MB_MIN, _RESERVE_SHARE = 256, 0.05
START_MB = 32
"""The memory that a starting environment is expected to take soon."""


class HostMemory(Protocol):
    """What the scheduler needs to know about the host's memory. All values in MiB."""

    @property
    def sharers(self) -> int:
        """How many schedulers take environments' memory from it."""
        ...

    def total_mb(self) -> int:
        """The host's total memory."""
        ...

    def available_mb(self) -> int:
        """Memory that is available to one more environment."""
        ...


class MemoryBudget:
    """The memory that new environments may take while the reserve stays free. Schedulers that share
    a host have equal parts of what is free beyond the reserve, and of what is missing."""

    def __init__(self, memory: HostMemory, clock: Clock, reserve_mb: int) -> None:
        self._memory = memory
        self._clock = clock
        self._reserve_mb = reserve_mb or max(
            _RESERVE_MB_MIN, int(memory.total_mb() * _RESERVE_SHARE)
        )
        self._available_mb = 0
        self._read_at: float | None = None
        self._started_since = 0
        """Environments begun since memory was read; the reading does not include them."""

    def shortage_mb(self) -> int:
        """How far free memory is below the reserve; zero or less if it is not."""
        self._read()
        return -((self._available_mb - self._reserve_mb) // self._memory.sharers)

    def missing_mb(self) -> int:
        """How much memory is missing for one more environment; zero or less if none is."""
        return self.shortage_mb() + (self._started_since + 1) * START_MB

    def note_start(self) -> None:
        """An environment begins."""
        self._started_since += 1

    def _read(self) -> None:
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at >= _READ_EVERY_S:
            self._available_mb = self._memory.available_mb()
            self._read_at = now
            self._started_since = 0


class SystemMemory:
    """This host's memory, as the kernel reports it. One reading takes some 30 microseconds."""

    def __init__(self, root: Path = Path("/"), *, sharers: int = 1) -> None:
        self.sharers = sharers
        self._meminfo = root / "proc/meminfo"
        self._groups = _find_groups(root)

    def total_mb(self) -> int:
        limits = [limit for limit, _ in map(_read_group, self._groups) if limit is not None]
        return min([self._read("MemTotal"), *limits])

    def available_mb(self) -> int:
        left = [limit - used for limit, used in map(_read_group, self._groups) if limit is not None]
        return max(min([self._read("MemAvailable"), *left]), 0)

    def _read(self, name: str) -> int:
        found = re.search(rf"^{name}:\s*(\d+) kB$", self._meminfo.read_text(), re.MULTILINE)
        if found is None:
            raise OSError(f"{self._meminfo} does not tell {name}")
        return int(found[1]) // 1024


def _find_groups(root: Path) -> list[Path]:
    """Directories of the control groups that may limit this process's memory."""
    found = []
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            directory = root / "sys/fs/cgroup" / controllers
            group = directory / path.strip("/")
            while group.is_relative_to(directory):
                if any((group / name).exists() for name in ("memory.max", "memory.usage_in_bytes")):
                    found.append(group)
                group = group.parent
    return found


def _read_group(group: Path) -> tuple[int | None, int]:
    """A group's limit in MiB, None without one, and what is used of it and cannot be dropped."""
    names = ("memory.max", "memory.current", "inactive_file")
    if not (group / names[0]).exists():
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    try:
        limit = (group / names[0]).read_text().strip()
        # Without a limit v2 says "max", v1 a number beyond all memory.
        if not limit.isdigit() or int(limit) >= 1 << 60:
            return None, 0
        used_bytes = int((group / names[1]).read_text())
        stat = (group / "memory.stat").read_text()
    except OSError:
        return None, 0
    droppable = re.search(rf"^{names[2]} (\d+)$", stat, re.MULTILINE)
    used_bytes -= int(droppable[1]) if droppable else 0
    return int(limit) // _MB, used_bytes // _MB
