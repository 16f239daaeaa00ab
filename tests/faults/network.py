"""Machines made of network namespaces, on one bridge, with a filter in each.

Everything has a name that begins with `lbtest-` and says which process made it; `clean` removes
what killed processes have left. The host's own network is not touched: the bridge is in a namespace
too, and nothing leads out of it.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from lambent.instance.data_directory import DataDirectory

PREFIX = "lbtest-"
_PLACES = Path("/var/tmp")
_NAMES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_RULES = """
table inet cut {
    set blocked { type ipv4_addr; }
    chain input { type filter hook input priority 0; ip saddr @blocked drop; }
}
"""
"""Packets are dropped where they arrive: the sender learns nothing of it."""
_libc = ctypes.CDLL(None, use_errno=True)


def enter(name: str) -> None:
    """Move this thread to the network of a namespace."""
    with (_NAMES / name).open() as namespace:
        if _libc.setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")


class Network:
    """The namespaces of some machines; a context manager."""

    def __init__(self, *machines: str, addresses: Mapping[str, str] | None = None) -> None:
        """Machines that are not in `addresses` get one."""
        given = addresses or {}
        self._addresses = {
            machine: given.get(machine, f"10.94.0.{11 + number}")
            for number, machine in enumerate(machines)
        }
        self._own = f"{PREFIX}{_token(os.getpid())}-"
        self.machines = machines
        self.directory = _PLACES / self._own.rstrip("-")
        """For what the machines store; removed at the end."""
        self._cuts = Counter[tuple[str, str]]()
        """How often each way is cut now: several faults may have one in common."""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        clean()
        self.directory.mkdir(mode=0o711)
        hub = self.namespace("hub")
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "add", "name", "bridge", "up", "type", "bridge")
        for machine in self.machines:
            name = self.namespace(machine)
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip(*f"-n {name} link add eth0 type veth peer name {machine} netns {hub}".split())
            _ip("-n", name, "addr", "add", f"{self.address(machine)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", hub, "link", "set", "dev", machine, "up", "master", "bridge")
            self._nft(machine, _RULES)
        return self

    def __exit__(self, *error: object) -> None:
        _remove(self._own)

    def namespace(self, machine: str) -> str:
        """The name of a machine's namespace."""
        return self._own + machine

    def address(self, machine: str) -> str:
        """A machine's address on the bridge."""
        return self._addresses[machine]

    def command(self, machine: str) -> Sequence[str]:
        """What to put before a command that is to run on a machine."""
        return ["nsenter", f"--net={_NAMES / self.namespace(machine)}"]

    @contextmanager
    def inside(self, machine: str) -> Iterator[None]:
        """This thread's new sockets are those of a machine."""
        with Path("/proc/thread-self/ns/net").open() as before:
            enter(self.namespace(machine))
            try:
                yield
            finally:
                _libc.setns(before.fileno(), _CLONE_NEWNET)

    def cut(self, *ways: tuple[str, str]) -> None:
        """Let nothing arrive any more: each way is a sender and a receiver."""
        with self._lock:
            for sender, receiver in ways:
                self._cuts[sender, receiver] += 1
                if self._cuts[sender, receiver] == 1:
                    self._filter("add", sender, receiver)

    def mend(self, *ways: tuple[str, str]) -> None:
        """Undo `cut`."""
        with self._lock:
            for sender, receiver in ways:
                self._cuts[sender, receiver] -= 1
                if self._cuts[sender, receiver] == 0:
                    self._filter("delete", sender, receiver)

    def _filter(self, what: str, sender: str, receiver: str) -> None:
        element = f"element inet cut blocked {{ {self.address(sender)} }}"
        self._nft(receiver, f"{what} {element}")

    def _nft(self, machine: str, commands: str) -> None:
        subprocess.run(
            [*self.command(machine), "nft", "-f", "-"],
            input=commands, text=True, check=True, timeout=60,
        )  # fmt: skip


def clean() -> None:
    """Remove what processes that have ended did not remove."""
    names = [path.name for where in (_NAMES, _PLACES) for path in where.glob(f"{PREFIX}*")]
    owners = {name.removeprefix(PREFIX).partition("-")[0] for name in names}
    for owner in owners:
        pid = owner.partition("x")[0]
        if not pid.isdigit() or _token(int(pid)) != owner:
            _remove(f"{PREFIX}{owner}-")


def _remove(own: str) -> None:
    """Remove namespaces with what runs there, mounts, directories and control groups."""
    names = [path.name for path in _NAMES.glob(f"{own}*")]
    for name in names:
        found = subprocess.run(
            ["ip", "netns", "pids", name], capture_output=True, text=True, timeout=60, check=False
        )
        for pid in found.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    place = _PLACES / own.rstrip("-")
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed(mounts):
        if Path(mount).is_relative_to(place):
            subprocess.run(["umount", "-l", mount], check=False, timeout=60)
    groups = {DataDirectory(path).group for path in place.glob("*/data")}
    for name in names:
        _ip("netns", "delete", name)
    for where, _, _ in os.walk("/sys/fs/cgroup", topdown=False):
        parts = Path(where).parts
        if groups & set(parts) or any(part.startswith(own) for part in parts):
            with contextlib.suppress(OSError):
                os.rmdir(where)
    shutil.rmtree(place, ignore_errors=True)


def _token(pid: int) -> str:
    """Tells a process from later ones with the same number."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return f"{pid}x{text.rpartition(')')[2].split()[19]}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=60)
