"""The host's view of functions' boxes and of itself."""

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.platforms import wait_for

UID_BASE = 1_900_000_000
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NAMESPACES = ("mnt", "net", "ipc", "uts", "pid", "cgroup", "user", "time")


def status_of(pid: int) -> dict[str, str]:
    """Fields of /proc/PID/status; empty if there is no such process."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")
        return dict(re.findall(r"(\w+):[ \t]*(.*)", text))
    return {}


def command_of(pid: int) -> bytes:
    """Its command line; empty if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def all_pids() -> list[int]:
    """Every process of the host."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def below(pid: int) -> Iterator[int]:
    """The descendants of a process."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from below(int(child))


def started_at(pid: int) -> str | None:
    """Distinguishes a process from a later one with the same pid; None if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return None


def number_inside(pid: int) -> int:
    """Its pid in the box, where the first processes are the oldest: the host's pids start again at
    low numbers."""
    numbers = status_of(pid).get("NSpid", "").split()
    return int(numbers[-1]) if numbers else 0


def is_first(pid: int) -> bool:
    """Whether it is the first process of its pid namespace."""
    return status_of(pid).get("NSpid", "").endswith("\t1")


def alive(pids: list[int]) -> dict[int, str | None]:
    """Processes with their identities."""
    return {pid: started_at(pid) for pid in pids}


def link(path: str) -> str:
    """The target of a link, or nothing."""
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return ""


class Box:
    """A function's box, by its pid namespace and its init, because numbers of namespaces are
    reused."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        inside = self._in_namespace()
        self.init = next(pid for pid in inside if is_first(pid))
        self._init_started_at = started_at(self.init)
        last = inside[-1]
        self.uid = int(status_of(last)["Uid"].split()[0])
        assert self.uid >= UID_BASE
        self._cgroups = [Path(at + path) for at, path in cgroups_of(last) if "lambent" in path]

    def pids(self) -> list[int]:
        """Every process in its pid namespace, which ends with its init, and every other process in
        its groups."""
        found = set(self._in_namespace())
        if started_at(self.init) != self._init_started_at:
            found.clear()
        for group in self._cgroups:
            found.update(map(int, read(str(group / "cgroup.procs")).split()))
        return sorted(found, key=number_inside)

    def _in_namespace(self) -> list[int]:
        found = [pid for pid in all_pids() if link(f"/proc/{pid}/ns/pid") == self.namespace]
        return sorted(found, key=number_inside)

    def functions(self) -> list[int]:
        """The processes that run a function's code: all but init. The runtime's comes first."""
        return [pid for pid in self.pids() if pid != self.init]

    def namespaces(self) -> set[tuple[str, str]]:
        """All namespaces that its processes are in or have chosen for their children."""
        kinds = (*NAMESPACES, "pid_for_children", "time_for_children")
        return {
            (kind.partition("_")[0], link(f"/proc/{pid}/ns/{kind}"))
            for pid in self.functions()
            for kind in kinds
        }

    def mounts(self) -> set[str]:
        """The mounts of every process."""
        return {Path(f"/proc/{pid}/mountinfo").read_text() for pid in self.functions()}

    def roots(self) -> set[str]:
        """The roots of the processes."""
        return {link(f"/proc/{pid}/root") for pid in self.functions()}

    def descriptors(self) -> list[str]:
        """The targets of the descriptors of functions' processes."""
        found = []
        for pid in self.functions():
            with contextlib.suppress(OSError):
                found += [link(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        return sorted(found)

    def inside(self, path: str) -> Path:
        """The host's path of a path in the box."""
        return Path(f"/proc/{self.init}/root{path}")

    def is_gone(self) -> bool:
        """Whether no process and no cgroup of it is left."""
        return not self.pids() and not any(group.exists() for group in self._cgroups)

    def wait_gone(self) -> None:
        """Wait until all have ended."""
        wait_for(self.is_gone, f"the end of {self.namespace}: {self.pids()}, {self._cgroups}")


def cgroups_of(pid: int) -> list[tuple[str, str]]:
    """The cgroups of a process: mount point and path below it, for each mounted hierarchy. In a
    container the mount may show the hierarchy from the container's own group down."""
    points: dict[str, tuple[str, str]] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ")
        root, point = before.split(" ")[3:5]
        if kind == "cgroup2":
            points[""] = point, root
        elif kind == "cgroup":
            points.update(dict.fromkeys(options.split(","), (point, root)))
    found = []
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if (shown := points.get(controllers.split(",")[0])) is not None:
            point, root = shown
            found.append((point, path.removeprefix(root.rstrip("/"))))
    return found


def tree(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, owner and content of every file below a directory."""
    found = {}
    for path in sorted(directory.rglob("*")):
        about = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (about.st_mode, about.st_uid, content)
    return found


def read(path: str) -> str:
    """A file's text; empty if it is not there."""
    with contextlib.suppress(OSError):
        return Path(path).read_text()
    return ""


def state() -> dict[str, object]:
    """Settings of the host that no function may change."""
    kernel = Path("/proc/sys/kernel")
    return {
        "names": (socket.gethostname(), read("/proc/sys/kernel/domainname")),
        # What other processes change meanwhile is not a function's doing: the values that functions
        # write are known.
        "swaps": [line for line in read("/proc/swaps").splitlines() if line.split()[2] == "36"],
        "kexec": read("/sys/kernel/kexec_loaded"),
        "settings": {
            name: read(str(kernel / name)) in ("|/tmp/hostile\n", "/tmp/hostile\n", "511\n")
            for name in ("core_pattern", "ctrl-alt-del", "sysrq", "randomize_va_space", "modprobe")
        },
        "devices": {
            path: (os.stat(path).st_mode, os.stat(path).st_rdev)
            for path in ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/tty")
        },
    }


def aio_contexts(pids: list[int]) -> int:
    """How many contexts of asynchronous I/O processes have: each is mapped into memory."""
    return sum(read(f"/proc/{pid}/maps").count("/[aio]") for pid in pids)


def clock_ahead_s() -> float:
    """Wall clock minus monotonic clock: constant unless the time is set."""
    return time.time() - time.monotonic()
