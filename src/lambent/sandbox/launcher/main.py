"""The launcher: the one process with privileges, and all it does.

It is started before the platform gives up its own and speaks only to it. One loop waits for
requests and for the end of processes; it is single-threaded, because namespaces and forks are.
When the platform goes, however it goes, the socket ends: the launcher kills every box, removes
its cgroups and ends.

The platform parses what strangers send, so it is trusted less than the launcher: every request
is checked, and a bad one is refused without harm.
"""

import contextlib
import gc
import itertools
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lambent.sandbox import messages
from lambent.sandbox.launcher import box as boxes
from lambent.sandbox.launcher import cgroups, filesystem, linux
from lambent.sandbox.launcher.network import Network, create_network
from lambent.sandbox.launcher.seccomp import Filter
from lambent.sandbox.launcher.volumes import Volume, Volumes

_REMOVE_ATTEMPTS = 200
_NETWORKS_READY = 4
_VOLUMES_READY = 2
_QUIET_S = 0.02
"""After this long without a request there is time to make networks ahead of need."""
_ARGUMENTS_MAX = 64
_VARIABLES_MAX = 2048
"""A function may have 4 KiB of them, of a few bytes each."""


class Launcher:
    """Serves one platform."""

    def __init__(self, platform: socket.socket, config: dict[str, Any]) -> None:
        self._platform = platform
        self._selector = selectors.DefaultSelector()
        self._uid_base = int(config["uid_base"])
        directory = Path(config["directory"])
        is_root = bool(config["is_root"])
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
        if not is_root:
            # That of the pid namespace we have just entered.
            linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
        root = directory / "root"
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        filesystem.make_base_root(root)
        base_mounts_fd = _open_mount_namespace()
        linux.unshare(linux.CLONE_NEWNS)
        self._volumes = Volumes(directory / "volumes", may_use_disk=is_root)
        self._roots = {
            path: os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
            for path in config["roots"]
        }
        self._confinement = boxes.Confinement(
            root=str(root),
            is_root=is_root,
            last_capability=int(Path("/proc/sys/kernel/cap_last_cap").read_text()),
            filter=Filter(),
            pid_namespace_fd=os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC),
            base_mounts_fd=base_mounts_fd,
            own_mounts_fd=_open_mount_namespace(),
        )
        # Last, so that a launcher that cannot start leaves none behind.
        self._tree = cgroups.find_tree(config["group"]) if config["uses_cgroups"] else None
        if self._tree is not None:
            cgroups.sweep(self._tree)
        self._networks: list[Network] = []
        self._volumes_ready: list[Volume] = []
        self._volume_size_mb = 0
        """The size of those that are ready: the one wanted last."""
        self._count = 0
        self._ids = itertools.count(self._uid_base)
        self._free_ids: deque[int] = deque()
        """Given again in the order they became free, so that nobody shares one by haste."""
        self._open_volumes: dict[str, Volume] = {}
        self._boxes: dict[str, boxes.Box] = {}
        self._host_ids: dict[str, int] = {}
        """By volume: boxes that share one, one after the other, are the same host user."""
        self._operations: dict[str, Callable[[dict[str, Any]], tuple[dict[str, Any], list[int]]]]
        self._operations = {
            "open_volume": self._open_volume,
            "close_volume": self._close_volume,
            "open_box": self._open_box,
            "signal": self._signal,
        }

    def run(self) -> None:
        """Serve until the platform is gone, then leave nothing behind."""
        self._selector.register(self._platform, selectors.EVENT_READ, None)
        try:
            while True:
                for key, _ in self._wait():
                    if key.data is not None:
                        key.data()
                    elif not self._on_message():
                        return
        finally:
            for box in list(self._boxes.values()):
                self._kill(box)
                self._finish(box)
            for network in self._networks:
                network.close()
            self._close_volumes_ready()
            for volume in self._open_volumes.values():
                self._volumes.close(volume)
            if self._tree is not None:
                cgroups.sweep(self._tree)
                cgroups.remove_tree(self._tree)

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        """What has happened. In quiet moments networks, and volumes of the size that was wanted
        last, are made ahead: each takes the kernel a millisecond or more."""
        while len(self._networks) < _NETWORKS_READY or self._needs_volume():
            if events := self._selector.select(_QUIET_S):
                return events
            try:
                if len(self._networks) < _NETWORKS_READY:
                    self._networks.append(create_network())
                else:
                    self._volumes_ready.append(self._volumes.open(self._volume_size_mb))
            except OSError:
                # Whoever wants a box is told why there is none.
                break
        return self._selector.select()

    def _needs_volume(self) -> bool:
        return bool(self._volume_size_mb) and len(self._volumes_ready) < _VOLUMES_READY

    # -- requests --------------------------------------------------------------------------

    def _on_message(self) -> bool:
        """Handle one message; False when the platform is gone."""
        try:
            received = messages.receive(self._platform)
        except ValueError as error:
            print(f"launcher: {error}", file=sys.stderr)
            return True
        except ConnectionError:
            return False
        if received is None:
            return False
        request, descriptors = received
        messages.close_all(descriptors)
        try:
            if request["op"] == "close_box":
                self._close_box(request)
            elif request["op"] == "spawn":
                result, pipes = self._spawn(request)
                self._reply({"id": request["id"], "ok": result}, pipes)
                messages.close_all(pipes)
            else:
                result, lent = self._operations[request["op"]](request)
                self._reply({"id": request["id"], "ok": result}, lent)
        except OSError as error:
            self._reply({"id": request.get("id"), "error": str(error)})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"cannot understand a request: {error!r}"
            self._reply({"id": request.get("id"), "error": problem})
        return True

    def _reply(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        try:
            messages.send(self._platform, messages.encode(message), descriptors or [])
        except (BrokenPipeError, ConnectionError):
            pass

    def _open_volume(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        size_mb = _number(request, "size_mb", 1, 65_536)
        self._count += 1
        name = f"v{self._count}"
        if size_mb != self._volume_size_mb:
            self._close_volumes_ready()
            self._volume_size_mb = size_mb
        ready = self._volumes_ready
        self._open_volumes[name] = ready.pop() if ready else self._volumes.open(size_mb)
        self._host_ids[name] = self._free_ids.popleft() if self._free_ids else next(self._ids)
        return {"volume": name}, []

    def _close_volumes_ready(self) -> None:
        for volume in self._volumes_ready:
            self._volumes.close(volume)
        self._volumes_ready.clear()

    def _close_volume(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        volume = self._open_volumes.pop(request["volume"], None)
        if volume is not None:
            # Giving back a disk takes the kernel a while: not the launcher's own.
            pid, pidfd = linux.fork()
            if pid == 0:
                self._volumes.close(volume)
                os._exit(0)
            reap = partial(self._reap, pidfd)
            self._selector.register(pidfd, selectors.EVENT_READ, reap)
            self._free_ids.append(self._host_ids.pop(request["volume"]))
        return {}, []

    def _reap(self, pidfd: int) -> None:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        self._selector.unregister(pidfd)
        os.close(pidfd)

    def _open_box(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        memory_mb = _number(request, "memory_mb", 1, 1 << 20)
        volume = self._open_volumes[request["volume"]]
        self._count += 1
        name = f"b{self._count}"
        mounts: dict[str, int] = {}
        network = group = None
        try:
            for target, source in dict(request["mounts"]).items():
                if target not in filesystem.TARGETS:
                    raise ValueError(f"nothing may be mounted on {target!r}")
                mounts[target] = filesystem.open_source(self._roots, _text(source))
            mounts["/tmp"] = filesystem.open_volume(volume.path)
            network = self._networks.pop() if self._networks else create_network()
            if self._tree is not None:
                group = cgroups.make_group(self._tree, name, memory_mb)
            box = boxes.open_box(
                self._confinement,
                name=name,
                host_id=self._host_ids[request["volume"]],
                network=network,
                group=group,
                memory_mb=memory_mb,
                mounts=mounts,
            )
        except BaseException:
            if network is not None:
                network.close()
            if group is not None:
                group.close()
                _remove(group)
            raise
        finally:
            messages.close_all(list(mounts.values()))
        self._boxes[name] = box
        self._selector.register(
            box.init_pidfd, selectors.EVENT_READ, partial(self._on_exit, box, box.init_pid)
        )
        names, descriptors = list(network.sockets), [s.fileno() for s in network.sockets.values()]
        if group is not None:
            for kind, fd in (
                ("freeze", group.freeze_fd),
                ("cpu", group.cpu_fd),
                ("memory_peak", group.memory_peak_fd),
            ):
                if fd >= 0:
                    names.append(kind)
                    descriptors.append(fd)
        answer = {
            "box": name,
            "descriptors": names,
            "cpu_limit": group.cpu_limit if group is not None else "",
            "freezes_with_words": group.freezes_with_words if group is not None else False,
        }
        return answer, descriptors

    def _spawn(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        box = self._boxes[request["box"]]
        if box.closing is not None:
            raise ValueError("the box is being closed")
        argv = [_text(argument) for argument in request["argv"]]
        environment = {
            _text(name): _text(value) for name, value in dict(request["environment"]).items()
        }
        variable = request.get("log_pipe_variable")
        if not argv or len(argv) > _ARGUMENTS_MAX or len(environment) > _VARIABLES_MAX:
            raise ValueError("too many or no arguments or variables")
        pid, pidfd, pipes = boxes.spawn(
            self._confinement,
            box,
            argv=argv,
            environment=environment,
            log_pipe_variable=None if variable is None else _text(variable),
        )
        self._selector.register(pidfd, selectors.EVENT_READ, partial(self._on_exit, box, pid))
        return {"process": pid}, pipes

    def _signal(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """Stop or continue every process of a box that has no freezer."""
        box = self._boxes[request["box"]]
        number = signal.SIGSTOP if request["stop"] else signal.SIGCONT
        namespace = os.readlink(f"/proc/{box.init_pid}/ns/pid_for_children")
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != box.init_pid:
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                        os.kill(int(entry), number)
        return {}, []

    # -- ends ------------------------------------------------------------------------------

    def _on_exit(self, box: boxes.Box, pid: int) -> None:
        """A process of a box has ended."""
        pidfd = box.init_pidfd if pid == box.init_pid else box.processes[pid]
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        if result is None:
            return
        self._selector.unregister(pidfd)
        os.close(pidfd)
        if pid == box.init_pid:
            box.init_pidfd = -1
        else:
            del box.processes[pid]
            kills = box.group.out_of_memory_kills() if box.group is not None else 0
            was_out_of_memory = kills > box.out_of_memory_kills
            box.out_of_memory_kills = kills
            is_signal = result.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
            fact = {
                "box": box.name,
                "process": pid,
                "code": None if is_signal else result.si_status,
                "signal": result.si_status if is_signal else None,
                "out_of_memory": is_signal and was_out_of_memory,
            }
            self._reply({"exited": fact})
        if box.init_pidfd < 0 and not box.processes:
            self._finish(box)

    def _close_box(self, request: dict[str, Any]) -> None:
        box = self._boxes.get(request["box"])
        if box is None:
            self._reply({"id": request["id"], "ok": {}})
            return
        box.closing = request["id"]
        self._kill(box)

    def _kill(self, box: boxes.Box) -> None:
        """Kill everything in a box: its init's end is the end of all."""
        if box.group is not None:
            box.group.thaw()
        for pidfd in (box.init_pidfd, *box.processes.values()):
            if pidfd >= 0:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def _finish(self, box: boxes.Box) -> None:
        """Everything in the box is dead, or about to be: reap and give all of it back."""
        for pidfd in (*box.processes.values(), box.init_pidfd):
            if pidfd >= 0:
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
                self._selector.unregister(pidfd)
                os.close(pidfd)
        box.processes.clear()
        del self._boxes[box.name]
        box.network.close()
        if box.group is not None:
            box.group.close()
            _remove(box.group)
        if box.closing is not None:
            self._reply({"id": box.closing, "ok": {}})


def _open_mount_namespace() -> int:
    """A descriptor of the mount namespace this process is in."""
    return os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)


def _remove(group: cgroups.Group) -> None:
    """Remove a group whose last process has just been reaped; the kernel may need a moment."""
    for _ in range(_REMOVE_ATTEMPTS):
        if group.remove():
            return
        time.sleep(0.001)  # noqa: TID251 - the launcher has no clock but the kernel's
    print(f"launcher: cannot remove {group.directories}", file=sys.stderr)


def _number(request: dict[str, Any], name: str, low: int, high: int) -> int:
    value = request[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}, not {value!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("paths, arguments and variables must be text without NUL")
    return value


def main() -> None:
    """Entry of the launcher's process: descriptor and configuration come as arguments."""
    platform = socket.socket(fileno=int(sys.argv[1]))
    platform.set_inheritable(False)
    config = json.loads(sys.argv[2])
    # The terminal's Ctrl-C goes to the whole group; the platform decides when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        if not config["is_root"]:
            _enter_user_namespace(platform)
        launcher = Launcher(platform, config)
    except OSError as error:
        messages.send(platform, messages.encode({"failed": str(error)}))
        sys.exit(1)
    # Children share this memory until one writes to it, and the collector writes everywhere.
    gc.collect()
    gc.freeze()
    gc.disable()
    messages.send(platform, messages.encode({"ready": True}))
    launcher.run()


def _enter_user_namespace(platform: socket.socket) -> None:
    """Rootless: be root in a user namespace of our own, which is all that boxes need.

    Also in a pid namespace: one may come back from a box's only to one's own. Who calls waits
    for the process in it that goes on as the launcher.
    """
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWPID)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    pid, _ = linux.fork()
    if pid == 0:
        linux.die_with_parent()
        return
    platform.close()
    _, status = os.waitpid(pid, 0)
    os._exit(1 if status else 0)


if __name__ == "__main__":
    main()
