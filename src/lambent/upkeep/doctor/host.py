"""The host as doctor reads it: files below a root, so that tests can bring a host of their own."""

import dataclasses
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MountEntry:
    """One line of `/proc/self/mountinfo`."""

    kind: str
    root: str
    """What of its file system is shown."""
    point: str
    options: frozenset[str]
    """Of the mount and of the file system."""


def _run(command: Sequence[str]) -> str:
    """What a program prints; empty if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What facts are gathered from. All has the real host as its default."""

    root: Path = Path("/")
    uid: int = dataclasses.field(default_factory=os.geteuid)
    machine: str = dataclasses.field(default_factory=lambda: os.uname().machine)
    environment: Mapping[str, str] = dataclasses.field(default_factory=lambda: os.environ)
    run: Callable[[Sequence[str]], str] = _run
    rlimit: Callable[[int], tuple[int, int]] = resource.getrlimit
    interpreter: str = dataclasses.field(default_factory=lambda: os.path.realpath(sys.executable))

    @property
    def is_root(self) -> bool:
        """Whether doctor runs as root."""
        return self.uid == 0

    def path(self, name: str) -> Path:
        """Where an absolute path of the host is."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        """A small text file, stripped; empty if it is not there or may not be read."""
        try:
            return self.path(name).read_text(errors="replace").strip(" \t\r\n\0")
        except OSError:
            return ""

    def has(self, name: str) -> bool:
        """Whether a path exists and may be seen."""
        try:
            return self.path(name).exists()
        except OSError:
            return False

    def sysctl(self, name: str) -> str:
        """A setting of the kernel by its name with dots; empty if this kernel has none."""
        return self.read("/proc/sys/" + name.replace(".", "/"))

    def status(self) -> dict[str, str]:
        """`/proc/self/status`."""
        lines = self.read("/proc/self/status").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def mounts(self) -> list[MountEntry]:
        """What is mounted, in the kernel's order: a later one covers an earlier one."""
        found = []
        for line in self.read("/proc/self/mountinfo").splitlines():
            fields, _, rest = line.partition(" - ")
            _, _, _, root, point, options, *_ = fields.split(" ")
            kind, _, more = rest.split(" ", 2)
            all_options = frozenset({*options.split(","), *more.split(",")})
            point = point.replace("\\040", " ")
            found.append(MountEntry(kind=kind, root=root, point=point, options=all_options))
        return found


def sysctl_fix(name: str, value: object) -> str:
    """The commands that set a kernel's setting, now and after a restart."""
    return (
        f"sudo sysctl -w {name}={value}; echo '{name} = {value}' | sudo tee -a"
        " /etc/sysctl.d/60-lambent.conf"
    )
