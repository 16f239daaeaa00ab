"""The launcher's resources: volumes, networks, user IDs, cgroups, and the boxes made of them.

The kernel takes a millisecond or more for a network or a volume, so a few are prepared in advance.
Everything that is handed out is recorded here and released from here, however its user ends.
"""

import contextlib
import fcntl
import itertools
import os
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lambent.sandbox import messages
from lambent.sandbox.launcher import box as boxes
from lambent.sandbox.launcher import cgroup_tree, cgroups, filesystem, linux
from lambent.sandbox.launcher.apart import Apart, ChildWork
from lambent.sandbox.launcher.box import BoxState, Confinement
from lambent.sandbox.launcher.entering import OnEntered, spawn
from lambent.sandbox.launcher.loop import Loop
from lambent.sandbox.launcher.mounts import make_private
from lambent.sandbox.launcher.network import Network, create_network, home_namespace
from lambent.sandbox.launcher.seccomp import Filter
from lambent.sandbox.launcher.volumes import MountedVolume, Volumes

_REMOVE_ATTEMPTS, _REMOVE_PAUSE_S = 200, 0.005
_HOLD_S = 20.0
_NETWORKS_READY = 4
_VOLUMES_READY = 2
_CLOSING_AT_ONCE = 16
_TEMPLATES_AT_ONCE, _TEMPLATE_DEADLINE_S = 2, 30.0

OnExit = Callable[[BoxState, int, dict[str, Any]], None]
"""Receives the box, the process and how it ended: `code`, `signal`, `out_of_memory`."""


class HostResources:
    """Owner of everything on this host that boxes are made of."""

    def __init__(
        self,
        config: dict[str, Any],
        tree: cgroup_tree.Tree | None,
        loop: Loop,
        on_exit: OnExit,
    ) -> None:
        """`tree` is where boxes get their groups; None: they have none. Raises OSError."""
        self._loop = loop
        self._on_process_exit = on_exit
        directory = Path(config["directory"])
        is_root = bool(config["is_root"])
        linux.unshare(linux.CLONE_NEWNS)
        make_private()
        if not is_root:
            # That of the pid namespace that was just entered.
            linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
        root = directory / "root"
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        trust = config["trust"]
        filesystem.make_base_root(root, None if trust is None else Path(trust))
        base_mounts_fd = _open_namespace("mnt")
        # The namespaces to which the launcher can return, rootless as well.
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
        self._volumes = Volumes(directory / "volumes", may_use_disk=is_root)
        self._roots = {
            path: os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
            for path in config["roots"]
        }
        self.confinement = Confinement(
            root=str(root),
            is_root=is_root,
            last_capability=int(Path("/proc/sys/kernel/cap_last_cap").read_text()),
            filter=Filter(),
            home_fds={
                linux.CLONE_NEWNS: _open_namespace("mnt"),
                linux.CLONE_NEWPID: _open_namespace("pid"),
                linux.CLONE_NEWIPC: _open_namespace("ipc"),
                linux.CLONE_NEWUTS: _open_namespace("uts"),
                linux.CLONE_NEWCGROUP: _open_namespace("cgroup"),
                linux.CLONE_NEWNET: home_namespace(),
            },
            base_mounts_fd=base_mounts_fd,
            masked_in_proc=filesystem.masked_in_proc(),
            null_fd=os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC),
        )
        linux.be_no_root_to_programs()
        self._tree = tree
        self._networks: list[Network] = []
        self._volumes_ready: list[MountedVolume] = []
        self._volume_size_mb = 0
        """The size of the prepared volumes: the one requested last."""
        self._awaited: dict[int, list[Callable[[], None]]] = {}
        """Callers that wait for volumes, by their size."""
        self._templates = Apart(loop, _TEMPLATES_AT_ONCE)
        """Creates the templates that volumes are copied from."""
        self._count = 0
        self._ids = itertools.count(int(config["uid_base"]))
        self._free_ids: deque[int] = deque()
        """Reused in the order in which they became free, so that no two boxes share one shortly
        after each other."""
        self._open_volumes: dict[str, MountedVolume] = {}
        self._host_ids: dict[str, int] = {}
        """By volume: boxes that use the same volume, one after the other, are the same host
        user."""
        self.boxes: dict[str, BoxState] = {}

    # -- prepared in advance ---------------------------------------------------------------

    @property
    def has_all_ready(self) -> bool:
        """Whether there is nothing to prepare."""
        wants_volume = bool(self._volume_size_mb) and len(self._volumes_ready) < _VOLUMES_READY
        may_have = wants_volume and self._volumes.is_ready(self._volume_size_mb)
        return len(self._networks) >= _NETWORKS_READY and not may_have

    def make_one_ready(self) -> None:
        """Prepare a network or a volume. Raises OSError."""
        if len(self._networks) < _NETWORKS_READY:
            self._networks.append(create_network())
        else:
            self._volumes_ready.append(self._volumes.open(self._volume_size_mb))

    # -- volumes ---------------------------------------------------------------------------

    def has_volumes(self, size_mb: int) -> bool:
        """Whether volumes of a size can be opened."""
        return self._volumes.is_ready(size_mb)

    def await_volumes(self, size_mb: int, then: Callable[[], None]) -> None:
        """Call back when volumes of a size can be opened: immediately, or when a process has
        created their template. If it failed, opening one reports the error."""
        if self._volumes.is_ready(size_mb):
            then()
            return
        waiting = self._awaited.setdefault(size_mb, [])
        waiting.append(then)
        if len(waiting) == 1:
            work = ChildWork(
                act=partial(self._volumes.make_template, size_mb),
                descriptors=tuple,
                on_done=partial(self._on_template, size_mb),
                deadline_s=_TEMPLATE_DEADLINE_S,
            )
            self._templates.do(work)

    @property
    def awaits_volumes(self) -> bool:
        """Whether a caller waits for a size of volumes."""
        return bool(self._awaited)

    def _on_template(self, size_mb: int, made: bytes | None, reason: str) -> None:
        if made is None:
            print(f"launcher: no volumes of {size_mb} MB: {reason}", file=sys.stderr)
        self._volumes.note_template(size_mb, is_made=made is not None)
        for then in self._awaited.pop(size_mb):
            then()

    def open_volume(self, size_mb: int) -> str:
        """Return the name of an empty volume, of an available size. Raises OSError."""
        if size_mb != self._volume_size_mb:
            self._throw_away_ready()
            self._volume_size_mb = size_mb
        ready = self._volumes_ready
        volume = ready.pop() if ready else self._volumes.open(size_mb)
        self._count += 1
        name = f"v{self._count}"
        self._open_volumes[name] = volume
        self._host_ids[name] = self._free_ids.popleft() if self._free_ids else next(self._ids)
        return name

    def close_volume(self, name: str) -> None:
        """Delete a volume, if there is one of that name."""
        volume = self._open_volumes.pop(name, None)
        if volume is None:
            return
        self._throw_away(volume)
        self._free_ids.append(self._host_ids.pop(name))

    def _throw_away(self, volume: MountedVolume) -> None:
        # The kernel takes a while to release a disk: not in the launcher's own process.
        pid, pidfd = linux.fork()
        if pid == 0:
            self._volumes.close(volume)
            os._exit(0)
        self.reap_later(pidfd)

    def _close_volumes(self, volumes: Sequence[MountedVolume]) -> None:
        """Delete volumes at the end. The kernel makes a process that releases a disk wait, on a
        busy host for half a second: several processes wait at the same time."""
        for first in range(min(_CLOSING_AT_ONCE, len(volumes))):
            try:
                pid, pidfd = linux.fork()
            except OSError:
                pid = pidfd = -1  # Then the launcher does it itself.
            if pid <= 0:
                for volume in volumes[first::_CLOSING_AT_ONCE]:
                    self._volumes.close(volume)
            if pid == 0:
                os._exit(0)
            if pidfd >= 0:
                os.close(pidfd)
        linux.reap_all()

    def _throw_away_ready(self) -> None:
        for volume in self._volumes_ready:
            self._throw_away(volume)
        self._volumes_ready.clear()

    def reap_later(self, pidfd: int) -> None:
        """Take over a child that will end soon and belongs to no box."""
        self._loop.register(pidfd, selectors.EVENT_READ, partial(self._reap, pidfd))

    def _reap(self, pidfd: int) -> None:
        linux.reap(pidfd)
        self._loop.unregister(pidfd)
        os.close(pidfd)

    # -- boxes -----------------------------------------------------------------------------

    def open_sources(self, mounts: Mapping[str, str]) -> dict[str, int]:
        """Return detached copies of directories below the allowed roots, by their target.

        The caller closes them. Raises OSError, ValueError.
        """
        copies: dict[str, int] = {}
        try:
            for target, source in mounts.items():
                if target not in filesystem.TARGETS:
                    raise ValueError(f"nothing may be mounted on {target!r}")
                copies[target] = filesystem.open_source(self._roots, source)
        except BaseException:
            messages.close_all(list(copies.values()))
            raise
        return copies

    def open_box(
        self, *, memory_mb: int | None, mounts: Mapping[str, str], volume: str
    ) -> BoxState:
        """Create a box with nothing but its init in it. Raises OSError, ValueError, KeyError."""
        self._count += 1
        name = f"b{self._count}"
        host_id = self._host_ids[volume]
        copies = self.open_sources(mounts)
        network = group = None
        try:
            copies["/tmp"] = filesystem.open_volume(self._open_volumes[volume].path)
            network = self._networks.pop() if self._networks else create_network()
            if self._tree is not None:
                group = cgroups.make_group(self._tree, name, memory_mb)
            box = boxes.open_box(
                self.confinement,
                name=name,
                host_id=host_id,
                network=network,
                group=group,
                memory_mb=memory_mb,
                mounts=copies,
            )
        except BaseException:
            if network is not None:
                network.close()
            if group is not None:
                group.close()
                self._remove(group, _ignore_end)
            raise
        finally:
            messages.close_all(list(copies.values()))
        self.boxes[name] = box
        self.watch(box, box.init_pid, box.init_pidfd)
        return box

    def spawn(
        self,
        box: BoxState,
        *,
        argv: Sequence[str],
        environment: Mapping[str, str],
        outputs: Sequence[int],
        control: int | None = None,
        on_entered: OnEntered,
    ) -> int:
        """Begin to start a program in a box; see `entering.spawn`."""
        pid = spawn(
            self.confinement,
            self._loop,
            box,
            argv=argv,
            environment=environment,
            outputs=outputs,
            control=control,
            on_entered=on_entered,
        )
        self.watch(box, pid, box.processes[pid])
        return pid

    def watch(self, box: BoxState, pid: int, pidfd: int) -> None:
        """Wait for the end of a process of a box."""
        self._loop.register(pidfd, selectors.EVENT_READ, partial(self._on_exit, box, pid))

    def stop_or_continue(self, box: BoxState, number: signal.Signals) -> None:
        """Send a signal to every process of a box that has no freezer."""
        for pid in linux.processes_beside(box.init_pid) - {box.init_pid}:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def kill(self, box: BoxState) -> None:
        """Kill everything in a box: when its init ends, everything ends. `box.on_closed` is called
        when all has been released."""
        if box.group is not None:
            box.group.thaw()
        for pidfd in (box.init_pidfd, *box.processes.values()):
            if pidfd >= 0:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def close(self) -> None:
        """End every box and release everything; zygotes have been killed."""
        for box in self.boxes.values():
            self.kill(box)
        self._templates.close()
        # All children, including those that started in the last moment.
        linux.reap_all()
        for box in self.boxes.values():
            box.close()
            if box.group is not None:
                box.group.remove()
        for network in self._networks:
            network.close()
        self._close_volumes([*self._volumes_ready, *self._open_volumes.values()])
        if self._tree is not None:
            cgroup_tree.sweep(self._tree)

    def _on_exit(self, box: BoxState, pid: int) -> None:
        """A process of a box has ended."""
        while (hear := box.entering.get(pid)) is not None:
            # Its last message comes before the end.
            hear()
        pidfd = box.init_pidfd if pid == box.init_pid else box.processes[pid]
        result = linux.reap(pidfd, waits=False)
        if result is None:
            return
        self._loop.unregister(pidfd)
        os.close(pidfd)
        if pid == box.init_pid:
            box.init_pidfd = -1
        else:
            del box.processes[pid]
            self._on_process_exit(box, pid, describe_end(box, result))
        if box.init_pidfd < 0 and not box.processes:
            self._finish(box)

    def _finish(self, box: BoxState) -> None:
        """Everything in the box is dead: release all of it."""
        del self.boxes[box.name]
        box.close()
        on_closed = box.on_closed or _ignore_end
        if box.group is not None:
            self._remove(box.group, on_closed)
        else:
            on_closed()

    def _remove(
        self, group: cgroups.Cgroup, on_removed: Callable[[], None], attempts: int = 0
    ) -> None:
        """Remove a group whose last process has been reaped; the kernel may need a moment."""
        if not group.remove():
            if attempts < _REMOVE_ATTEMPTS:
                again = partial(self._remove, group, on_removed, attempts + 1)
                self._loop.after(_REMOVE_PAUSE_S, again)
                return
            print(f"launcher: cannot remove {group.directories}", file=sys.stderr)
        on_removed()


def _ignore_end() -> None:
    """Ignore the end of a process."""


def describe_end(box: BoxState, result: os.waitid_result) -> dict[str, Any]:
    """Return how a process of a box has ended, in the form for the platform."""
    kills = box.group.out_of_memory_kills() if box.group is not None else 0
    was_out_of_memory = kills > box.out_of_memory_kills
    box.out_of_memory_kills = kills
    is_signal = result.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
    return {
        "code": None if is_signal else result.si_status,
        "signal": result.si_status if is_signal else None,
        "out_of_memory": is_signal and was_out_of_memory,
    }


def _open_namespace(kind: str) -> int:
    """Return a descriptor of a namespace of this process."""
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def hold(directory: Path) -> int:
    """Create a directory and wait until no other launcher uses it: one whose platform was killed
    may still be cleaning up. Returns the descriptor that holds it. Raises OSError."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _HOLD_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise OSError(f"another launcher still uses {directory}") from None
            time.sleep(0.005)  # noqa: TID251 - the launcher has no clock but the kernel's
