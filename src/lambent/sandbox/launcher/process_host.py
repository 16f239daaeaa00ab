"""Environments without namespaces, for hosts that allow none: the tier `process`.

It has the same interface as `host.HostResources`, with less to build on. An environment is a
directory, two loopback addresses that cannot be guessed, and processes with limits, a seccomp
filter, Landlock's rules where the kernel has them and, if the launcher may, a separate user.
Nothing is prewarmed. docs/security.md lists what this does not restrict.
"""

import contextlib
import os
import resource
import selectors
import shutil
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from lambent.sandbox.launcher import entering, filesystem, landlock, linux, lockdown, process_tree
from lambent.sandbox.launcher.box import BoxState
from lambent.sandbox.launcher.entering import OnEntered
from lambent.sandbox.launcher.host import OnExit, describe_end
from lambent.sandbox.launcher.loop import Loop
from lambent.sandbox.launcher.network import Network
from lambent.sandbox.launcher.process_directories import (
    HINT,
    ROOT_VARIABLE,
    ProcessDirectories,
    names_fixed_paths,
)
from lambent.sandbox.launcher.process_parts import link, listen, remove_of_users, take_users
from lambent.sandbox.launcher.seccomp import Filter

_USERS_MAX = 1000
_REMOVE_ATTEMPTS, _REMOVE_PAUSE_S = 200, 0.01
_STRANGERS_EVERY_S = 5.0
_READABLE = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc", "/proc", "/nix/store"),
)
_LINKED_FROM = ("/etc/resolv.conf", "/etc/localtime")
"""They may lead out of `/etc`."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_SHARED_TMP = "/tmp"
"""Many functions name it. All environments share it, so `_UMASK` closes the files in it to others,
and they are removed with the environment if its user identifies them."""
_UMASK = 0o077


class ProcessHost:
    """Owner of everything that environments are made of."""

    def __init__(self, config: dict[str, Any], loop: Loop, on_exit: OnExit) -> None:
        self._loop = loop
        self._on_process_exit = on_exit
        self._directory = Path(config["directory"])
        self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._roots = {
            path: os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
            for path in config["roots"]
        }
        self.separates_users = bool(config["separates_users"])
        self._first_user = -1
        if self.separates_users:
            self._users_lock, self._first_user = take_users(config["uid_bases"])
        self._has_landlock = landlock.abi() > 0
        self._last_capability = _last_capability() if config["drops_bounding_set"] else -1
        self._filter = Filter()
        self._null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        linux.be_subreaper()
        linux.be_no_root_to_programs(may_set_bits=config["drops_bounding_set"])
        if not self.separates_users:
            linux.hide_memory()
        self._end_leftovers()
        self._count = 0
        self._users = iter(range(self._first_user, self._first_user + _USERS_MAX))
        self._free_users: deque[int] = deque()
        self._volumes: dict[str, int] = {}
        """The user of each; -1 if all have the launcher's."""
        self._places: dict[str, ProcessDirectories] = {}
        """By box."""
        self._rules: dict[str, int] = {}
        """Landlock's rules, by box."""
        self._limits: dict[str, int] = {}
        """The size of a volume, in MB."""
        self._helpers: set[int] = set()
        """Children that belong to no box."""
        self.boxes: dict[str, BoxState] = {}
        loop.after(_STRANGERS_EVERY_S, self._look_for_strangers)

    def _end_leftovers(self) -> None:
        """Remove what a killed launcher has left: processes, then files."""
        if self.separates_users:
            find = partial(process_tree.of_users, self._first_user, _USERS_MAX)
        else:
            beginning = f"{ROOT_VARIABLE}={self._directory}/".encode()
            find = partial(process_tree.with_variable, beginning)
        process_tree.kill_all(find)
        for path in self._directory.glob("v*"):
            shutil.rmtree(path, ignore_errors=True)
        if self.separates_users:
            remove_of_users(_SHARED_TMP, range(self._first_user, self._first_user + _USERS_MAX))

    # -- volumes ---------------------------------------------------------------------------

    awaits_volumes = False

    def await_volumes(self, size_mb: int, then: Callable[[], None]) -> None:
        """Volumes are directories: they exist immediately."""
        then()

    def open_volume(self, size_mb: int) -> str:
        """Return the name of an empty volume. Its size limits each file in it, not their sum.
        Raises OSError."""
        user = -1
        if self.separates_users:
            user = self._free_users.popleft() if self._free_users else next(self._users, -1)
            if user < 0:
                raise OSError(f"all of {_USERS_MAX} users have environments")
        self._count += 1
        name = f"v{self._count}"
        root = self._directory / name
        try:
            root.mkdir(mode=0o711 if self.separates_users else 0o700)
            root.chmod(0o711 if self.separates_users else 0o700)
            (root / "tmp").mkdir(mode=0o700)
            if user >= 0:
                os.chown(root / "tmp", user, user)
        except OSError:
            if user >= 0:
                self._free_users.append(user)
            raise
        self._volumes[name] = user
        self._limits[name] = size_mb
        return name

    def close_volume(self, name: str) -> None:
        """Delete a volume, if there is one of that name."""
        user = self._volumes.pop(name, None)
        if user is None:
            return
        del self._limits[name]
        root = self._directory / name
        # The tree may be large, and its files are hostile: not in the launcher's own process.
        pid, pidfd = linux.fork()
        if pid == 0:
            shutil.rmtree(root, ignore_errors=True)
            if user >= 0:
                remove_of_users(_SHARED_TMP, (user,))
            os._exit(0)
        self._helpers.add(pid)
        give_back = partial(self._on_removed, pid, pidfd, user)
        self._loop.register(pidfd, selectors.EVENT_READ, give_back)

    def _on_removed(self, pid: int, pidfd: int, user: int) -> None:
        linux.reap(pidfd)
        self._loop.unregister(pidfd)
        os.close(pidfd)
        self._helpers.discard(pid)
        if user >= 0:
            self._free_users.append(user)

    # -- boxes -----------------------------------------------------------------------------

    def open_box(
        self, *, memory_mb: int | None, mounts: Mapping[str, str], volume: str
    ) -> BoxState:
        """Create an environment with nothing running. Raises OSError, ValueError, KeyError."""
        user = self._volumes[volume]
        root = self._directory / volume
        self._check_sources(mounts)
        link(root, mounts)
        sockets = listen()
        try:
            addresses = ["{}:{}".format(*socket.getsockname()) for socket in sockets.values()]
            self._count += 1
            name = f"b{self._count}"
            if self._has_landlock:
                readable = [*_READABLE, *map(os.path.realpath, _LINKED_FROM), *mounts.values()]
                writable = [str(root / "tmp"), _SHARED_TMP, *_DEVICES]
                self._rules[name] = landlock.make_rules([*readable, str(root)], writable)
        except BaseException:
            for socket in sockets.values():
                socket.close()
            raise
        network = Network(namespace_fd=-1, sockets=sockets, limitation=None, link_fd=None)
        box = self.boxes[name] = BoxState(name, network, None, memory_mb, user, -1, -1, -1)
        box.volume_mb = self._limits[volume]
        self._places[name] = ProcessDirectories(
            root=str(root),
            runtime_api=addresses[0],
            endpoint=addresses[1],
            trace_daemon=addresses[2],
        )
        return box

    def _check_sources(self, mounts: Mapping[str, str]) -> None:
        """Only directories below the allowed roots are shown, without links on the way."""
        for target, source in mounts.items():
            if target not in filesystem.TARGETS:
                raise ValueError(f"nothing may be shown at {target!r}")
            os.close(filesystem.open_directory(self._roots, source))

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
        """Begin to start a program; returns its pid. See `entering.start`. Raises OSError."""
        places = self._places[box.name]
        arguments = places.translate_all(argv)
        variables = places.translate_variables(environment)
        calls, descriptors = self._lock_down(box, outputs)

        def execute() -> NoReturn:
            lockdown.perform(calls, descriptors, self._filter.address)
            os.chdir(f"{places.root}/var/task")
            if names_fixed_paths(arguments[0]):
                os.write(1, HINT)
            entering.execute_program(arguments, variables)

        pid = entering.start(
            self._loop, box, execute, map_user=_makes_no_namespace, on_entered=on_entered
        )
        pidfd = box.processes[pid]
        self._loop.register(pidfd, selectors.EVENT_READ, partial(self._on_exit, box, pid))
        return pid

    def _lock_down(
        self, box: BoxState, outputs: Sequence[int]
    ) -> tuple[list[lockdown.Call], list[int]]:
        """Everything a new process does until it has only the privileges of an environment."""
        placed = [(self._null_fd, 0), (outputs[0], 1), (outputs[0], 2)]
        if len(outputs) > 1:
            placed.append((outputs[1], lockdown.LOG_FD))
        rules = self._rules.get(box.name)
        keep = [number for _, number in placed] + [lockdown.STATUS_FD]
        if rules is not None:
            placed.append((rules, lockdown.RULES_FD))
        calls = [lockdown.place(at, number) for at, (_, number) in enumerate(placed)]
        if box.memory_mb is not None:
            calls.append(lockdown.limit(resource.RLIMIT_DATA, box.memory_mb << 20))
        calls.append(lockdown.limit(resource.RLIMIT_FSIZE, box.volume_mb << 20))
        if not self.separates_users:
            # A process that leaves the tree returns to it: nothing else identifies its environment.
            calls.append(lockdown.be_subreaper())
        calls += lockdown.lock_down(
            box.host_id if self.separates_users else os.geteuid(),
            self._last_capability,
            keep,
            is_root=self.separates_users,
            executes=True,
            has_rules=rules is not None,
            umask=_UMASK,
        )
        return calls, [fd for fd, _ in placed]

    # -- ends ------------------------------------------------------------------------------

    def _find(self, box: BoxState) -> set[int]:
        """The processes of a box."""
        if self.separates_users:
            # A process that leaves its parent becomes a child of the launcher.
            return process_tree.of_users(box.host_id, among=process_tree.below({os.getpid()}))
        return process_tree.below(set(box.processes))

    def stop_or_continue(self, box: BoxState, number: signal.Signals) -> None:
        """Send a signal to every process of a box."""
        for pidfd in box.processes.values():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)
        process_tree.send_all(partial(self._find, box), number)

    def kill(self, box: BoxState) -> None:
        """Kill everything in a box. `box.on_closed` is called when all has been released."""
        for pidfd in box.processes.values():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        process_tree.kill_all(partial(self._find, box))
        if not box.processes:
            self._finish(box)

    def close(self) -> None:
        """End every box and release everything."""
        for box in list(self.boxes.values()):
            process_tree.kill_all(partial(self._find, box))
        self._end_strangers()
        linux.reap_all()
        for box in self.boxes.values():
            box.close()
        for name in self._volumes:
            shutil.rmtree(self._directory / name, ignore_errors=True)
        if self.separates_users:
            remove_of_users(_SHARED_TMP, range(self._first_user, self._first_user + _USERS_MAX))

    def _on_exit(self, box: BoxState, pid: int) -> None:
        """A process that was spawned has ended."""
        while (hear := box.entering.get(pid)) is not None:
            # Its last message comes before the end.
            hear()
        pidfd = box.processes[pid]
        result = linux.reap(pidfd, waits=False)
        if result is None:
            return
        self._loop.unregister(pidfd)
        os.close(pidfd)
        del box.processes[pid]
        self._on_process_exit(box, pid, describe_end(box, result))
        self._end_strangers()
        if box.on_closed is not None and not box.processes:
            self._finish(box)

    def _finish(self, box: BoxState, attempts: int = 0) -> None:
        """The spawned process is dead: end all others, and release everything."""
        if self.separates_users and self._find(box) and attempts < _REMOVE_ATTEMPTS:
            process_tree.kill_all(partial(self._find, box))
            self._loop.after(_REMOVE_PAUSE_S, partial(self._finish, box, attempts + 1))
            return
        del self.boxes[box.name], self._places[box.name]
        rules = self._rules.pop(box.name, None)
        if rules is not None:
            os.close(rules)
        box.close()
        if box.on_closed is not None:
            box.on_closed()

    def _look_for_strangers(self) -> None:
        self._end_strangers()
        self._loop.after(_STRANGERS_EVERY_S, self._look_for_strangers)

    def _end_strangers(self) -> None:
        """Children that were not started here are orphans of boxes. They are reaped and, if no user
        identifies their box, killed, because the process that started them is gone."""
        for _ in range(_REMOVE_ATTEMPTS):
            known = {pid for box in self.boxes.values() for pid in box.processes} | self._helpers
            strangers = process_tree.children(os.getpid()) - known
            if not self.separates_users and strangers:
                process_tree.kill_all(partial(_strangers_below, known))
            for pid in strangers:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if self.separates_users or not strangers:
                return


def _strangers_below(known: set[int]) -> set[int]:
    return process_tree.below(process_tree.children(os.getpid()) - known)


def _makes_no_namespace(pid: int) -> None:
    raise OSError(f"process {pid} wants a user namespace")


def _last_capability() -> int:
    return int(Path("/proc/sys/kernel/cap_last_cap").read_text())
