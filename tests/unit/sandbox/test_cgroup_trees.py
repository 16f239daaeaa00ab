"""What is found in the trees of a host, on trees of plain files."""

import os
from pathlib import Path

import pytest

from lambent.sandbox.launcher.cgroup_tree import find_place

NAME = "lambent-0123456789ab"


class Host:
    """A host's `/proc/self` and mounted trees."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.trees = root / "trees"
        self.proc.mkdir()
        self.trees.mkdir()
        self._mounts: list[str] = []

    def mount(self, tree: str, kind: str, options: str = "rw", root: str = "/") -> Path:
        at = self.trees / tree
        at.mkdir(parents=True, exist_ok=True)
        self._mounts.append(f"30 24 0:26 {root} {at} rw - {kind} {kind} {options}")
        (self.proc / "mountinfo").write_text(
            "\n".join(["24 1 0:1 / / rw - ext4 x rw", *self._mounts])
        )
        return at

    def v2(self, controllers: str, *, systemd: bool, root: str = "/") -> Path:
        at = self.mount("v2", "cgroup2", root=root)
        (at / "cgroup.controllers").write_text(controllers)
        if systemd:
            (at / "init.scope").mkdir()
        return at

    def be_in(self, *lines: str) -> None:
        (self.proc / "cgroup").write_text("\n".join(lines))

    def group(self, path: str, controllers: str, *, members: str = "", delegated: bool) -> Path:
        at = self.trees / "v2" / path
        at.mkdir(parents=True)
        (at / "cgroup.controllers").write_text(controllers)
        (at / "cgroup.procs").write_text(members)
        if delegated:
            os.setxattr(at, "user.delegate", b"1")
        return at


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_systemd_keeps_its_tree(host: Host) -> None:
    """In a tree of systemd, only a delegated group may be used, even by root."""
    host.v2("cpuset cpu io memory pids", systemd=True)
    host.group("user.slice/session-1.scope", "memory pids", delegated=False)
    host.be_in("0::/user.slice/session-1.scope")
    place = find_place(NAME, host.proc)
    assert (place.home, place.limits) == (None, ())


@pytest.mark.parametrize(
    ("controllers", "limits"),
    [
        ("cpuset cpu io memory pids", ("memory", "cpu", "pids")),
        ("memory pids", ("memory", "pids")),
        ("cpu", ("cpu",)),
        ("", ()),
    ],
)
def test_delegated_units(host: Host, controllers: str, limits: tuple[str, ...]) -> None:
    """A delegated unit is the place, with the controllers that it has, each for itself."""
    host.v2("cpuset cpu io memory pids", systemd=True)
    unit = host.group(
        "system.slice/lambent.service", controllers, members=f"{os.getpid()}\n", delegated=True
    )
    host.be_in("0::/system.slice/lambent.service")
    place = find_place(NAME, host.proc)
    assert (place.home, place.is_delegated, place.limits) == (unit, True, limits)


def test_delegated_units_of_others(host: Host) -> None:
    """A delegated group in which others are, too, is not ours to divide."""
    host.v2("memory pids", systemd=True)
    host.group("a.service", "memory", members=f"{os.getpid()}\n2147483647\n", delegated=True)
    host.be_in("0::/a.service")
    assert find_place(NAME, host.proc).home is None


def test_own_scopes(host: Host) -> None:
    """A scope that we have requested is ours, although an older systemd does not mark it."""
    host.v2("cpu memory pids", systemd=True)
    scope = host.group(f"system.slice/{NAME}-01ab23cd.scope", "cpu memory pids", delegated=False)
    host.be_in(f"0::/system.slice/{NAME}-01ab23cd.scope")
    assert find_place(NAME, host.proc).home == scope


def test_trees_without_a_manager(host: Host) -> None:
    """Without systemd a directory of our own is the place, below what is seen of the tree."""
    mount = host.v2("cpu memory pids", systemd=False, root="/docker/1")
    host.be_in("0::/docker/1")
    place = find_place(NAME, host.proc)
    assert (place.home, place.is_delegated) == (mount / NAME, False)
    assert place.limits == ("memory", "cpu", "pids")


def test_hybrid_hosts(host: Host) -> None:
    """With v1 controllers limits are v1's; the v2 tree freezes, systemd's or not."""
    for tree, controllers in (("memory", "memory"), ("cpu,cpuacct", "cpu,cpuacct"), ("p", "pids")):
        host.mount(tree, "cgroup", f"rw,{controllers}")
    host.mount("freezer", "cgroup", "rw,freezer")
    mount = host.v2("hugetlb", systemd=True)
    host.be_in("4:memory:/a", "3:cpu,cpuacct:/", "2:pids:/", "0::/user.slice")
    place = find_place(NAME, host.proc)
    assert place.home == mount / NAME
    assert place.offered == frozenset()
    assert place.limits == ("memory", "cpu", "pids")
    assert place.legacy["cpu"] == host.trees / "cpu,cpuacct" / NAME
    assert {*place.legacy} == {"memory", "cpu", "pids", "freezer"}


def test_hosts_with_v1_only(host: Host) -> None:
    """What is not mounted is missing by name."""
    host.mount("memory", "cgroup", "rw,memory")
    host.mount("pids", "cgroup", "rw,pids")
    host.be_in("4:memory:/", "2:pids:/")
    place = find_place(NAME, host.proc)
    assert (place.home, place.limits) == (None, ("memory", "pids"))


def test_hosts_without_trees(host: Host) -> None:
    """There may be nothing at all."""
    host.mount("nothing", "tmpfs")
    host.be_in("0::/")
    assert find_place(NAME, host.proc).limits == ()
