"""System calls that escape from a box: refused, and the host and the box are unchanged."""

import dataclasses
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import host
from tests.hostile.cases import params
from tests.hostile.conftest import Function, StartFunction

REFUSED = {"EPERM", "ENOSYS", "EAFNOSUPPORT", "EACCES"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The host's view of a box and of itself."""

    namespaces: set[tuple[str, str]]
    mounts: set[str]
    roots: set[str]
    devices: list[str]
    descriptors: Counter[str]
    processes: int
    keys: bool
    host: dict[str, object]
    host_mounts: set[str]
    clock_ahead_s: float
    personality: set[str]
    network: str
    aio: int
    privileges: set[tuple[str, ...]]
    """Without capabilities, and filtered, no function can load a module."""


def look(function: Function) -> View:
    """Remove everything."""
    box = function.box()
    pids = box.functions()
    return View(
        namespaces=box.namespaces(),
        mounts=box.mounts(),
        roots=box.roots(),
        devices=[
            str(path) for path in box.inside("/tmp").rglob("*")
            if path.is_block_device() or path.is_char_device()
        ],
        descriptors=Counter(link.partition(":[")[0] for link in box.descriptors()),
        processes=len(box.pids()),
        keys=f"{box.uid}:" in Path("/proc/key-users").read_text(),
        host=host.state(),
        # Where the attacks would mount: mounts by other processes are ignored.
        host_mounts={
            line.split(" ")[4]
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if line.split(" ")[4].endswith("/mounted")
        },
        clock_ahead_s=host.clock_ahead_s(),
        personality={Path(f"/proc/{pid}/personality").read_text() for pid in pids},
        network=Path(f"/proc/{pids[0]}/net/dev_mcast").read_text()
        + Path(f"/proc/{pids[0]}/net/route").read_text(),
        aio=host.aio_contexts(pids),
        privileges={
            (status["CapEff"], status["CapPrm"], status["NoNewPrivs"], status["Seccomp"])
            for status in map(host.status_of, pids)
        },
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """All attempts of one function, and the host before and after."""

    outcomes: dict[str, str]
    before: View
    after: View


@pytest.fixture(scope="module")
def tried(start: StartFunction, mode: str) -> Tried:
    """One function tries everything; it keeps what it acquires."""
    function = start(mode)
    before = look(function)
    outcomes: dict[str, Any] = function.do("calls.everything")
    assert outcomes.keys() == SEEN_IN.keys()
    return Tried(outcomes, before, look(function))


SEEN_IN = {
    "unshare-user": "namespaces",
    "unshare-mount": "namespaces",
    "unshare-user-and-mount": "namespaces",
    "clone-namespaces": "namespaces processes",
    "clone3-namespaces": "namespaces processes",
    "setns": "namespaces",
    "setns-by-pidfd": "namespaces",
    "pivot-root": "roots mounts",
    "chroot": "roots",
    "mount-proc": "mounts",
    "mount-sysfs": "mounts",
    "mount-cgroup": "mounts host_mounts",
    "mount-tmpfs": "mounts",
    "mount-disk": "mounts",
    "mount-bind": "mounts",
    "remount-writable": "mounts",
    "umount": "mounts",
    "open-tree": "descriptors mounts",
    "move-mount": "mounts",
    "fsopen": "descriptors",
    "mount-setattr": "mounts",
    "mknod": "devices",
    "open-by-handle": "descriptors",
    "io-uring": "descriptors",
    "bpf": "descriptors",
    "userfaultfd": "descriptors",
    "perf-event": "descriptors",
    "fanotify": "descriptors",
    "keyctl": "keys",
    "add-key": "keys",
    "request-key": "keys",
    "kexec": "host",
    "reboot": "host",
    "set-time": "clock_ahead_s",
    "adjtimex": "clock_ahead_s",
    "host-name": "host namespaces",
    "swap": "host",
    "kernel-module": "privileges",
    "accounting": "host",
    "kernel-log": "host",
    "personality": "personality",
    "kcmp": "processes",
    "af-vsock": "descriptors",
    "af-alg": "descriptors",
    "af-packet": "descriptors network",
    "other-families": "descriptors",
    "raw-socket": "descriptors",
    "netlink-change": "network",
    "aio": "aio",
}


@pytest.mark.parametrize("attack", params(*SEEN_IN))
def test_calls_that_reach_out(tried: Tried, attack: str) -> None:
    """Refused, and what the host would see of it is unchanged."""
    assert tried.outcomes[attack] in REFUSED
    for field in SEEN_IN[attack].split():
        before, after = getattr(tried.before, field), getattr(tried.after, field)
        if field == "clock_ahead_s":
            assert abs(after - before) < 1.5
        else:
            assert after == before, field
    assert tried.after.privileges == {("0" * 16, "0" * 16, "1", "2")}
    assert not tried.after.devices
    assert not tried.after.keys


def test_a_functions_namespaces_are_none_of_the_hosts(tried: Tried) -> None:
    """Except those for the clocks, which boxes share: no process in a box may set them."""
    ours = {(kind, os.readlink(f"/proc/self/ns/{kind}")) for kind in host.NAMESPACES}
    assert {kind for kind, _ in tried.after.namespaces & ours} <= {"time"}
