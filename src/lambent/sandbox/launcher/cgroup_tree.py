"""Where the cgroups of one platform are on this host, and who may create them there.

A host may have v1 controllers, a v2 tree, or both (hybrid: limits in v1, freeze and kill in a v2
tree without controllers). In a v2 tree that systemd manages, Lambent may only use a group that
systemd has delegated: the unit this runs in, or a scope that was requested (`sandbox/scopes.py`).
Elsewhere the groups are in a separate directory `lambent-…`.

The v2 group that contains the boxes' groups is the *home*. The kernel allows no processes in a
group that delegates controllers to its children, so every process in the home moves to a leaf of
it. And with `nsdelegate` no process can be started in a group outside of the starter's cgroup
namespace, so the launcher's namespace is rooted at the home.
https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import contextlib
import dataclasses
import errno
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lambent.sandbox.launcher import linux

LIMITS = ("memory", "cpu", "pids")
"""The controllers whose limits a function gets."""
_LAUNCHER, _OTHERS = "launcher", "platform"
"""Leaves of the home: for the launcher and what it starts outside of boxes, and for other
processes."""
_CONTAINERS_LEAF = "init"
_BOX = re.compile(r"b\d+")
_SWEEP_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TreePlace:
    """What there is on this host; nothing has been changed yet."""

    home: Path | None
    """The v2 group for the boxes' groups; None if none may be used."""
    is_delegated: bool
    """Whether the home is this process's own group, which systemd has delegated."""
    offered: frozenset[str]
    """Those of `LIMITS` that the home can have."""
    legacy: dict[str, Path]
    """Lambent's directory in the v1 tree of each controller it uses."""

    @property
    def limits(self) -> tuple[str, ...]:
        """Those of `LIMITS` that are available."""
        return tuple(name for name in LIMITS if name in self.offered or name in self.legacy)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Where this platform's groups are; the launcher is in it."""

    unified: Path | None
    """The home, or None."""
    controllers: frozenset[str]
    """Those of `LIMITS` that the v2 tree applies; the v1 trees apply others."""
    legacy: dict[str, Path]
    """Directory in the v1 tree of each controller that is used."""
    origin: "Origin | None" = None
    """Where to return before the home is removed; None if systemd removes it."""

    @property
    def directories(self) -> list[Path]:
        """All directories in which boxes' groups are created."""
        return sorted(
            {
                directory
                for directory in (self.unified, *self.legacy.values())
                if directory is not None
            }
        )

    @property
    def limits(self) -> tuple[str, ...]:
        """Those of `LIMITS` that are applied."""
        return tuple(name for name in LIMITS if name in self.controllers or name in self.legacy)

    @property
    def counts_swap(self) -> bool:
        """Whether the v1 memory controller can limit memory and swap together."""
        return (self.legacy["memory"] / "memory.memsw.limit_in_bytes").exists()


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where the launcher was before it entered the home."""

    namespace_fd: int
    members_fd: int
    """`cgroup.procs` of its group."""


# -- detection ---------------------------------------------------------------------------------


def find_place(name: str, proc: Path = Path("/proc/self"), platform: int = 0) -> TreePlace:
    """Find a place; directories that Lambent creates would be called `name`. `platform` is the
    process that has started this one, or this one itself."""
    mounts = list(_mounts(proc))
    own = _own_groups(proc)
    legacy = {
        controller: mount / name
        for kind, _, mount, controllers in mounts
        if kind == "cgroup"
        for controller in {*LIMITS, "freezer"} & controllers
    }
    home, is_delegated, offered = None, False, frozenset[str]()
    for kind, root, mount, _ in mounts:
        if kind != "cgroup2":
            continue
        here = _within(mount, root, own.get("", "/"))
        # A scope of that name is the one that was requested, even if nothing on it says so.
        is_delegated = here.match(f"{name}-*.scope") or (
            _is_delegated(here) and _has_only_ours(here, platform or os.getpid())
        )
        if is_delegated:
            home, offered = here, controllers_of(here)
        elif not is_managed(mount) or any(limit in legacy for limit in LIMITS):
            home, offered = mount / name, controllers_of(mount)
        break
    return TreePlace(home=home, is_delegated=is_delegated, offered=offered, legacy=legacy)


def limits_here(name: str) -> tuple[str, ...]:
    """Return those of `LIMITS` that this process may apply where it is, without a request. To find
    out, it creates directories called `name`, and removes them."""
    place = find_place(name)
    found = {controller for controller, directory in place.legacy.items() if _can_make(directory)}
    if place.home is not None and (place.is_delegated or _can_make(place.home)):
        found |= place.offered
    return tuple(limit for limit in LIMITS if limit in found)


def has_own_limits() -> bool:
    """Whether this process needs no group from systemd: it has v1 controllers, a delegated group,
    or an unmanaged v2 tree."""
    place = find_place("lambent")
    return place.home is not None or any(limit in place.legacy for limit in LIMITS)


def is_managed(mount: Path) -> bool:
    """Whether a v2 tree is systemd's: it keeps its first process in a group of this name."""
    return (mount / "init.scope").is_dir()


def controllers_of(group: Path) -> frozenset[str]:
    """Return those of `LIMITS` that a v2 group may delegate to its children."""
    try:
        return frozenset((group / "cgroup.controllers").read_text().split()) & {*LIMITS}
    except OSError:
        return frozenset()


def _is_delegated(group: Path) -> bool:
    # A process that is not root sees only the second, which systemd has had since 251.
    for attribute in ("trusted.delegate", "user.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(group, attribute) == b"1":
                return os.access(group, os.W_OK)
    return False


def _has_only_ours(group: Path, platform: int) -> bool:
    """Whether all processes in a group are ancestors or descendants of the platform: then they may
    be moved."""
    above = {platform, *_ancestors(platform)}
    try:
        return all(pid in above or platform in _ancestors(pid) for pid in _members(group))
    except OSError:
        return False


def _members(group: Path) -> set[int]:
    """Return the processes in a group. One outside of this pid namespace has no number. Raises
    OSError."""
    return {int(pid) for pid in (group / "cgroup.procs").read_text().split()} - {0}


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return
        pid = int(stat.rpartition(")")[2].split()[1])
        yield pid


def _mounts(proc: Path) -> Iterator[tuple[str, str, Path, set[str]]]:
    """Kind, root, mount point and options of every mounted cgroup tree."""
    for line in (proc / "mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            _, _, _, root, mount, *_ = fields.split(" ")
            yield kind, root, Path(mount), set(options.split(","))


def _own_groups(proc: Path) -> dict[str, str]:
    """A process's group in each tree: by controller, the v2 tree's under the empty name."""
    found = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _within(mount: Path, root: str, group: str) -> Path:
    """Return the directory of a group below a mount that shows the tree from `root` down."""
    if root != "/" and group.startswith(root):
        group = group[len(root) :]
    return mount / group.strip("/")


# -- moving in -----------------------------------------------------------------------------


def move_in(name: str, namespaces: int = 0) -> Tree:
    """Create the groups and enter them: this process moves into new namespaces, including a cgroup
    namespace that has the home as its root. The caller has to hold the lock on `name`.

    `namespaces` are created in addition. Raises OSError.
    """
    place = find_place(name, platform=os.getppid())
    legacy = {
        controller: directory for controller, directory in place.legacy.items() if _make(directory)
    }
    home, origin = place.home, None
    if place.is_delegated:
        assert home is not None
        _sweep_scopes(home, name)
        move_all(home, home / _OTHERS, but=os.getpid())
    elif home is not None:
        _remove_home(home)
        if _make(home):
            _offer(home.parent, place.offered)
            origin = _enter(home)
        if origin is None:
            with contextlib.suppress(OSError):
                home.rmdir()
            home = None
    if home is not None:
        (home / _LAUNCHER).mkdir(exist_ok=True)
    linux.unshare(linux.CLONE_NEWCGROUP | namespaces)
    controllers = frozenset[str]()
    if home is not None:
        _write(home / _LAUNCHER / "cgroup.procs", "0")
        controllers = enable(home, controllers_of(home))
    return Tree(unified=home, controllers=controllers, legacy=legacy, origin=origin)


def remove_tree(tree: Tree) -> None:
    """Leave the directories that Lambent created and remove them; they contain no boxes any
    more."""
    if tree.origin is not None and tree.unified is not None:
        with contextlib.suppress(OSError):
            linux.setns(tree.origin.namespace_fd, linux.CLONE_NEWCGROUP)
            os.write(tree.origin.members_fd, b"0")
            (tree.unified / _LAUNCHER).rmdir()
    for directory in tree.directories:
        if directory != tree.unified or tree.origin is not None:
            with contextlib.suppress(OSError):
                directory.rmdir()


def sweep(tree: Tree) -> None:
    """Kill and remove what a killed predecessor has left in Lambent's directories."""

    def left() -> list[Path]:
        return [
            child
            for parent in tree.directories
            for child in parent.iterdir()
            if _BOX.fullmatch(child.name)
        ]

    _remove_all(left)


def _sweep_scopes(home: Path, name: str) -> None:
    """End what killed predecessors have left in their scopes. systemd removes an empty scope."""
    for scope in home.parent.glob(f"{name}-*.scope"):
        if scope != home:
            _kill(scope)
            _remove_children(scope)


def _remove_home(home: Path) -> None:
    """Remove a home that a predecessor has created and left."""
    _remove_children(home)
    with contextlib.suppress(OSError):
        home.rmdir()


def _remove_children(group: Path) -> None:
    _remove_all(lambda: list(group.glob("*/")))


def _remove_all(left: Callable[[], list[Path]]) -> None:
    give_up = time.monotonic() + _SWEEP_S
    while (groups := left()) and time.monotonic() < give_up:
        for group in groups:
            _kill(group)
            with contextlib.suppress(OSError):
                group.rmdir()
        os.sched_yield()


def _kill(group: Path) -> None:
    """Kill all processes in a group. In v1 a frozen process cannot even be killed."""
    for file, word in (("freezer.state", "THAWED"), ("cgroup.kill", "1")):
        if (group / file).exists():
            with contextlib.suppress(OSError):
                _write(group / file, word)
    with contextlib.suppress(OSError):
        for pid in _members(group):
            os.kill(pid, signal.SIGKILL)


def _offer(parent: Path, controllers: frozenset[str]) -> None:
    """Make an unmanaged group delegate controllers to Lambent's groups."""
    if enable(parent, controllers) < controllers and (parent / "cgroup.type").exists():
        # Not the root group, but a container's: a leaf for the processes in it.
        with contextlib.suppress(OSError):
            move_all(parent, parent / _CONTAINERS_LEAF, but=0)
            enable(parent, controllers)


def enable(group: Path, controllers: frozenset[str]) -> frozenset[str]:
    """Delegate controllers to a group's children, each separately; returns those that worked."""
    for name in sorted(controllers):
        with contextlib.suppress(OSError):
            _write(group / "cgroup.subtree_control", f"+{name}")
    return frozenset((group / "cgroup.subtree_control").read_text().split()) & {*LIMITS}


def _enter(home: Path) -> Origin | None:
    """Enter a home that Lambent creates; None if that is refused."""
    proc = Path("/proc/self")
    mount, root = next((mount, root) for kind, root, mount, _ in _mounts(proc) if kind == "cgroup2")
    before = _within(mount, root, _own_groups(proc).get("", "/"))
    # A group outside of the visible tree has no name in it.
    group = before if before.is_dir() and ".." not in before.parts else mount
    namespace_fd = members_fd = -1
    try:
        namespace_fd = os.open("/proc/self/ns/cgroup", os.O_RDONLY | os.O_CLOEXEC)
        members_fd = os.open(group / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        _write(home / "cgroup.procs", "0")
    except OSError:
        for fd in (namespace_fd, members_fd):
            if fd >= 0:
                os.close(fd)
        return None
    return Origin(namespace_fd, members_fd)


def move_all(group: Path, leaf: Path, *, but: int = 0) -> None:
    """Move all processes of a group into a leaf. Raises OSError."""
    while pids := _members(group) - {but}:
        leaf.mkdir(exist_ok=True)
        for pid in pids:
            try:
                _write(leaf / "cgroup.procs", str(pid))
            except OSError as error:
                # It has just ended.
                if error.errno != errno.ESRCH:
                    raise


def _can_make(directory: Path) -> bool:
    existed = directory.exists()
    can = _make(directory)
    if can and not existed:
        with contextlib.suppress(OSError):
            directory.rmdir()
    return can


def _make(directory: Path) -> bool:
    try:
        directory.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
