"""Control groups, whichever of the kernel's trees the host uses.

A host may have v1 controllers, a v2 tree, or both (hybrid: limits in v1, freeze and kill in a v2
tree without controllers). `Tree` finds out once; `Group` is one box's set of directories. Only
directories named `lambent-…` below our own are ever made or removed.
"""

import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

CPU_PERIOD_US = 20_000
"""Short, so that a small share is many short waits rather than few long ones."""
_CPU_QUOTA_US_MIN = 1000
_MEMORY_MB_PER_CPU = 1769
_TASKS_MAX = 1025
"""AWS's 1,024 and the box's init."""
_LIMITED = ("memory", "cpu", "pids")


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """Where this platform's groups are."""

    unified: Path | None
    """Directory in the v2 tree, or None."""
    unified_limits: bool
    """Whether the v2 tree limits memory, CPU and processes."""
    legacy: dict[str, Path]
    """Directory in the v1 tree of each controller we use."""

    @property
    def counts_swap(self) -> bool:
        """Whether the v1 memory controller can limit memory and swap together."""
        return (self.legacy["memory"] / "memory.memsw.limit_in_bytes").exists()

    @property
    def has_limits(self) -> bool:
        """Whether memory, CPU and processes can be limited."""
        return self.unified_limits or all(name in self.legacy for name in _LIMITED)

    @property
    def can_freeze(self) -> bool:
        """Whether a group can be frozen."""
        return self.unified is not None or "freezer" in self.legacy


@dataclasses.dataclass(slots=True)
class Group:
    """One box's groups. The descriptors are open until `close`; the group lives on."""

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
    _memory_files: list[Path]
    """Those of the memory limit, in the order they want to be written in."""
    _out_of_memory_file: Path | None
    _limits_in_v2: bool
    _unified: Path | None = None
    _joined: list[Path] = dataclasses.field(default_factory=list)
    """Directories that a process joins by itself."""
    _freeze_file: Path | None = None

    def limit(self, memory_mb: int) -> None:
        """Limit the memory, swap included, and derive the CPU share. Raises OSError."""
        for file in self._memory_files:
            _write(file, str(memory_mb * 1024 * 1024))
        quota_us = max(CPU_PERIOD_US * memory_mb // _MEMORY_MB_PER_CPU, _CPU_QUOTA_US_MIN)
        # The file of v2 takes the period as well.
        self.cpu_limit = f"{quota_us} {CPU_PERIOD_US}" if self._limits_in_v2 else str(quota_us)

    def out_of_memory_kills(self) -> int:
        """How often the kernel killed something here for want of memory."""
        if self._out_of_memory_file is None:
            return 0
        try:
            lines = self._out_of_memory_file.read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def thaw(self) -> None:
        """Let what is frozen go on; in v1 a frozen process cannot even be killed."""
        if self._freeze_file is not None:
            with contextlib.suppress(OSError):
                _write(self._freeze_file, "THAWED" if self.freezes_with_words else "0")

    def open_doors(self) -> None:
        """Open what a process needs to be born in the group or to join it. Raises OSError."""
        if self._unified is not None:
            self.unified_fd = _open(self._unified, os.O_RDONLY | os.O_DIRECTORY)
        for directory in self._joined:
            self.tasks_fds.append(_open(directory / "tasks", os.O_WRONLY))

    def close(self) -> None:
        """Close every descriptor: whoever needs one has one of his own, and every process that is
        forked here would have to close it."""
        for fd in (
            self.unified_fd,
            *self.tasks_fds,
            self.freeze_fd,
            self.cpu_fd,
            self.memory_peak_fd,
        ):
            if fd >= 0:
                os.close(fd)
        self.unified_fd = self.freeze_fd = self.cpu_fd = self.memory_peak_fd = -1
        self.tasks_fds.clear()

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


def find_tree(name: str) -> Tree:
    """Find out what this host offers and make our own directories, called `name`, in it."""
    own = _own_groups()
    unified: Path | None = None
    unified_limits = False
    legacy: dict[str, Path] = {}
    for kind, root, mount, controllers in _mounts():
        if kind == "cgroup2":
            for parent in dict.fromkeys((_within(mount, root, own.get("", "/")), mount)):
                directory, has_limits = _make_unified(parent / name)
                if directory is not None and (unified is None or has_limits > unified_limits):
                    spare, unified, unified_limits = unified, directory, has_limits
                else:
                    spare = directory
                if spare is not None:
                    # What a predecessor has left in it is not ours to lose: then it stays.
                    with contextlib.suppress(OSError):
                        spare.rmdir()
        else:
            for controller in {*_LIMITED, "freezer"} & controllers:
                directory = _within(mount, root, own.get(controller, "/")) / name
                if _make(directory):
                    legacy[controller] = directory
    return Tree(unified, unified_limits, legacy)


def make_group(tree: Tree, name: str, memory_mb: int | None) -> Group:
    """The groups of a box, limited but for the CPU; for the memory later if none is given yet.

    Raises OSError.
    """
    directories = sorted(
        {directory / name for directory in (tree.unified, *tree.legacy.values()) if directory}
    )
    group = Group(directories, -1, [], -1, False, -1, "", -1, [], None, tree.unified_limits)
    try:
        for directory in directories:
            directory.mkdir()
        if tree.unified is not None:
            _set_up_unified(tree.unified / name, tree.unified_limits, group)
        if not tree.unified_limits:
            _set_up_legacy(tree, name, group)
        group.open_doors()
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


def sweep(tree: Tree, deadline_s: float = 5.0) -> None:
    """Kill and remove what a predecessor that was killed has left in our directories."""
    parents = [directory for directory in (tree.unified, *tree.legacy.values()) if directory]
    give_up = time.monotonic() + deadline_s
    while time.monotonic() < give_up:
        left = [child for parent in parents for child in parent.iterdir() if child.is_dir()]
        if not left:
            return
        for child in left:
            with contextlib.suppress(OSError):
                (child / "freezer.state").write_text("THAWED")
            with contextlib.suppress(OSError):
                for pid in (child / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(OSError):
                child.rmdir()
        os.sched_yield()


def remove_tree(tree: Tree) -> None:
    """Remove our own directories; they are empty by now."""
    for directory in {
        directory for directory in (tree.unified, *tree.legacy.values()) if directory
    }:
        with contextlib.suppress(OSError):
            directory.rmdir()


def _set_up_unified(directory: Path, has_limits: bool, group: Group) -> None:
    group._unified = directory
    group._freeze_file = directory / "cgroup.freeze"
    group.freeze_fd = _open(group._freeze_file, os.O_WRONLY)
    if not has_limits:
        return
    group._memory_files.append(directory / "memory.max")
    with contextlib.suppress(OSError):
        _write(directory / "memory.swap.max", "0")
    _write(directory / "pids.max", str(_TASKS_MAX))
    group.cpu_fd = _open(directory / "cpu.max", os.O_WRONLY)
    os.write(group.cpu_fd, f"max {CPU_PERIOD_US}".encode())
    with contextlib.suppress(OSError):
        group.memory_peak_fd = _open(directory / "memory.peak", os.O_RDONLY)
    group._out_of_memory_file = directory / "memory.events"


def _set_up_legacy(tree: Tree, name: str, group: Group) -> None:
    memory, cpu, pids = (tree.legacy.get(controller) for controller in _LIMITED)
    if memory is not None:
        group._memory_files.append(memory / name / "memory.limit_in_bytes")
        if tree.counts_swap:
            group._memory_files.append(memory / name / "memory.memsw.limit_in_bytes")
        peak = memory / name / "memory.max_usage_in_bytes"
        group.memory_peak_fd = _open(peak, os.O_RDONLY)
        group._out_of_memory_file = memory / name / "memory.oom_control"
    if cpu is not None:
        _write(cpu / name / "cpu.cfs_period_us", str(CPU_PERIOD_US))
        group.cpu_fd = _open(cpu / name / "cpu.cfs_quota_us", os.O_WRONLY)
    if pids is not None:
        _write(pids / name / "pids.max", str(_TASKS_MAX))
    group._joined = sorted({parent / name for parent in tree.legacy.values()})


def _make_unified(directory: Path) -> tuple[Path | None, bool]:
    """Our directory in the v2 tree, and whether its children can be limited."""
    if not _make(directory):
        return None, False
    try:
        (directory / "cgroup.subtree_control").write_text("+memory +cpu +pids")
    except OSError:
        return directory, False
    return directory, True


def _make(directory: Path) -> bool:
    try:
        directory.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)


def _own_groups() -> dict[str, str]:
    """This process's group in each tree: by controller, the v2 tree's under the empty name."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _mounts() -> Iterator[tuple[str, str, Path, set[str]]]:
    """Kind, root, mount point and options of every mounted cgroup tree."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            _, _, _, root, mount, *_ = fields.split(" ")
            yield kind, root, Path(mount), set(options.split(","))


def _within(mount: Path, root: str, group: str) -> Path:
    """The directory of a group under a mount that shows the tree from `root` down."""
    if root != "/" and group.startswith(root):
        group = group[len(root) :]
    return mount / group.strip("/")


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC)


def _write(path: Path, text: str) -> None:
    fd = _open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
