"""The cgroups of one box: its directories in the trees of `cgroup_tree`, and the names of the
limits in each.
"""

import contextlib
import dataclasses
import os
from pathlib import Path

from lambent.sandbox.launcher.cgroup_tree import Tree

CPU_PERIOD_US = 20_000
"""Short, so that a small share is many short waits rather than few long ones."""
_CPU_QUOTA_US_MIN = 1000
_MEMORY_MB_PER_CPU = 1769
_TASKS_MAX = 1025
"""AWS's 1,024 and the box's init."""


@dataclasses.dataclass(slots=True)
class Cgroup:
    """One box's groups. The descriptors are open until `close`; the group continues to exist."""

    directories: list[Path]
    unified_fd: int
    """Directory of the v2 group for clone3, or -1."""
    tasks_fds: list[int]
    """`tasks` files of the v1 groups: a process writes "0" to join."""
    freeze_fd: int
    """Write `1` or `0` (v2), `FROZEN` or `THAWED` (v1); -1 without a freezer."""
    freezes_with_words: bool
    cpu_fd: int
    cpu_limit: str
    """What to write to `cpu_fd` to apply the CPU share; known once memory is limited."""
    memory_peak_fd: int
    tells_memory_peak: bool
    """Whether `memory_peak_fd` is available."""
    _memory_files: list[Path]
    """The files of the memory limit, in the order in which they have to be written."""
    _out_of_memory_file: Path | None
    _limits_cpu_in_v2: bool
    _unified: Path | None = None
    _joined: list[Path] = dataclasses.field(default_factory=list)
    """Directories that a process joins by itself."""
    _freeze_file: Path | None = None
    usage_fds: dict[str, int] = dataclasses.field(default_factory=dict)
    """What the group uses: `memory_now` in bytes, `cpu_time` as the kernel writes it."""

    @property
    def limits_memory(self) -> bool:
        """Whether the group limits memory; otherwise each process has to be limited."""
        return bool(self._memory_files)

    def limit(self, memory_mb: int) -> None:
        """Limit the memory, including swap, and derive the CPU share. Raises OSError."""
        for file in self._memory_files:
            _write(file, str(memory_mb * 1024 * 1024))
        quota_us = max(CPU_PERIOD_US * memory_mb // _MEMORY_MB_PER_CPU, _CPU_QUOTA_US_MIN)
        # The file of v2 takes the period as well.
        self.cpu_limit = f"{quota_us} {CPU_PERIOD_US}" if self._limits_cpu_in_v2 else str(quota_us)

    def out_of_memory_kills(self) -> int:
        """Return how often the kernel killed a process here because of the memory limit."""
        if self._out_of_memory_file is None:
            return 0
        try:
            lines = self._out_of_memory_file.read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def thaw(self) -> None:
        """Thaw the group; in v1 a frozen process cannot even be killed."""
        if self._freeze_file is not None:
            with contextlib.suppress(OSError):
                _write(self._freeze_file, "THAWED" if self.freezes_with_words else "0")

    def open_doors(self) -> None:
        """Open what a process needs to start in the group or to join it. Raises OSError."""
        if self._unified is not None:
            self.unified_fd = _open(self._unified, os.O_RDONLY | os.O_DIRECTORY)
        for directory in self._joined:
            self.tasks_fds.append(_open(directory / "tasks", os.O_WRONLY))

    def close(self) -> None:
        """Close every descriptor: each process that needs one has its own copy, and every process
        that is forked here would have to close it."""
        for fd in (
            self.unified_fd,
            *self.tasks_fds,
            self.freeze_fd,
            self.cpu_fd,
            self.memory_peak_fd,
            *self.usage_fds.values(),
        ):
            if fd >= 0:
                os.close(fd)
        self.unified_fd = self.freeze_fd = self.cpu_fd = self.memory_peak_fd = -1
        self.tasks_fds.clear()
        self.usage_fds.clear()

    def open_usage(self, name: str, file: Path) -> None:
        """Open a file that says what the group uses; older kernels may not have it."""
        with contextlib.suppress(OSError):
            self.usage_fds[name] = _open(file, os.O_RDONLY)

    def remove(self) -> bool:
        """Remove the directories; False if something is still in them."""
        for directory in list(self.directories):
            try:
                directory.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                return False
            self.directories.remove(directory)
        return True


def make_group(tree: Tree, name: str, memory_mb: int | None) -> Cgroup:
    """Create the groups of a box with all limits except the CPU's; memory is limited later if no
    limit is given yet.

    Raises OSError.
    """
    directories = [directory / name for directory in tree.directories]
    in_v2 = "cpu" in tree.controllers
    group = Cgroup(directories, -1, [], -1, False, -1, "", -1, False, [], None, in_v2)
    try:
        for directory in directories:
            directory.mkdir()
        if tree.unified is not None:
            _set_up_unified(tree.unified / name, tree.controllers, group)
        _set_up_legacy(tree, name, group)
        group.open_doors()
        group.tells_memory_peak = group.memory_peak_fd >= 0
        if memory_mb is not None:
            group.limit(memory_mb)
        if group.freeze_fd < 0 and "freezer" in tree.legacy:
            group._freeze_file = tree.legacy["freezer"] / name / "freezer.state"
            group.freeze_fd = _open(group._freeze_file, os.O_WRONLY)
            group.freezes_with_words = True
    except OSError:
        group.close()
        group.remove()
        raise
    return group


def _set_up_unified(directory: Path, controllers: frozenset[str], group: Cgroup) -> None:
    group._unified = directory
    group._freeze_file = directory / "cgroup.freeze"
    group.freeze_fd = _open(group._freeze_file, os.O_WRONLY)
    if "memory" in controllers:
        group._memory_files.append(directory / "memory.max")
        with contextlib.suppress(OSError):
            _write(directory / "memory.swap.max", "0")
        # Linux 5.19 and later.
        with contextlib.suppress(OSError):
            group.memory_peak_fd = _open(directory / "memory.peak", os.O_RDONLY)
        group.open_usage("memory_now", directory / "memory.current")
        group._out_of_memory_file = directory / "memory.events"
    # A v2 group has this file without the controller, too.
    group.open_usage("cpu_time", directory / "cpu.stat")
    if "cpu" in controllers:
        group.cpu_fd = _open(directory / "cpu.max", os.O_WRONLY)
        os.write(group.cpu_fd, f"max {CPU_PERIOD_US}".encode())
    if "pids" in controllers:
        _write(directory / "pids.max", str(_TASKS_MAX))


def _set_up_legacy(tree: Tree, name: str, group: Cgroup) -> None:
    """Create the groups for what the v2 tree does not limit. A process has to join every v1 tree,
    or it would be elsewhere."""
    legacy = {
        controller: where
        for controller, where in tree.legacy.items()
        if controller not in tree.controllers
    }
    if (memory := legacy.get("memory")) is not None:
        group._memory_files.append(memory / name / "memory.limit_in_bytes")
        if tree.counts_swap:
            group._memory_files.append(memory / name / "memory.memsw.limit_in_bytes")
        peak = memory / name / "memory.max_usage_in_bytes"
        group.memory_peak_fd = _open(peak, os.O_RDONLY)
        group.open_usage("memory_now", memory / name / "memory.usage_in_bytes")
        group._out_of_memory_file = memory / name / "memory.oom_control"
    if (cpu := legacy.get("cpu")) is not None:
        _write(cpu / name / "cpu.cfs_period_us", str(CPU_PERIOD_US))
        group.cpu_fd = _open(cpu / name / "cpu.cfs_quota_us", os.O_WRONLY)
        if "cpu_time" not in group.usage_fds:
            group.open_usage("cpu_time", cpu / name / "cpuacct.usage")
    if (pids := legacy.get("pids")) is not None:
        _write(pids / name / "pids.max", str(_TASKS_MAX))
    group._joined = sorted({parent / name for parent in tree.legacy.values()})


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC)


def _write(path: Path, text: str) -> None:
    fd = _open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
