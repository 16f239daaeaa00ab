"""The launcher: the one process with privileges, and everything it does.

It starts before the platform drops its privileges, and talks only to the platform. One loop waits
for requests and for the end of processes. It is single-threaded, because namespaces and forks
require that. When the platform ends, however it ends, the socket closes: the launcher kills every
box, removes its cgroups and ends.

The platform parses what strangers send, so the launcher trusts it less than itself: it checks every
request, and refuses a bad one without harm.
"""

import contextlib
import fcntl
import gc
import json
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from lambent.kit.journal import PriorityLines
from lambent.sandbox import messages
from lambent.sandbox.launcher import box as boxes
from lambent.sandbox.launcher import cgroup_tree, linux, lockdown, rootless
from lambent.sandbox.launcher.box import BoxState, NotExecutableError
from lambent.sandbox.launcher.host import HostResources, hold
from lambent.sandbox.launcher.loop import Loop, Timer
from lambent.sandbox.launcher.prewarmed import Prewarmed, StartRequest
from lambent.sandbox.launcher.process_host import ProcessHost
from lambent.sandbox.launcher.snapshots import SnapshotFiles
from lambent.sandbox.launcher.templates import ZygoteTemplate
from lambent.sandbox.launcher.warm_pool import WarmPool
from lambent.sandbox.launcher.watchdog import PlatformGone, Watchdog

_QUIET_S = 0.008
"""After this long without a request there is time to prepare something."""
_ARGUMENTS_MAX = 64
_VARIABLES_MAX = 2048
"""A function may have 4 KiB of variables, of a few bytes each."""

Operation = Callable[[dict[str, Any]], None]


class LauncherServer:
    """Serves one platform."""

    def __init__(
        self, platform: socket.socket, config: dict[str, Any], tree: cgroup_tree.Tree | None
    ) -> None:
        self._platform = platform
        self._loop = Loop()
        self._host: HostResources | ProcessHost
        self._stock: WarmPool | None = None
        if config["uses_namespaces"]:
            self._host = HostResources(config, tree, self._loop, self._on_exit)
            self._stock = WarmPool(self._host, self._loop, int(config["prepared_memory_mb"]))
        else:
            self._host = ProcessHost(config, self._loop, self._on_exit)
        self._snapshots = SnapshotFiles(self._loop)
        self._last_request = time.monotonic()
        self._patience: Timer | None = None
        self._given: set[str] = set()
        """Names of the boxes that the platform knows."""
        self._operations: dict[str, Operation] = {
            "open_volume": self._open_volume,
            "close_volume": self._close_volume,
            "open_box": self._open_box,
            "close_box": self._close_box,
            "spawn": self._spawn,
            "prepare": self._prepare,
            "start": self._start,
            "signal": self._signal,
            "kill": self._kill,
            "open_socket": self._open_socket,
            "take_snapshot": self._take_snapshot,
            "discard_snapshot": self._discard_snapshot,
            "stay": self._stay,
        }

    def run(self) -> None:
        """Serve until the platform is gone, then leave nothing behind."""
        self._loop.register(self._platform, selectors.EVENT_READ, None)
        watchdog = Watchdog(self._platform)
        try:
            while True:
                happened = self._wait()
                watchdog.begin()
                for key in happened:
                    # Work for one request may have completed another.
                    if self._loop.get_map().get(key.fd) is not key:
                        continue
                    if key.data is not None:
                        key.data()
                    elif not self._on_message():
                        return
                watchdog.end()
        except PlatformGone:
            return
        finally:
            watchdog.tidy_up()
            self._snapshots.close()
            if self._stock is not None:
                self._stock.close()
            self._host.close()

    def _wait(self) -> list[selectors.SelectorKey]:
        """Return what has happened. In quiet moments, prepare something."""
        host, warm_pool = self._host, self._stock
        while (
            isinstance(host, HostResources)
            and warm_pool
            and not (host.has_all_ready and warm_pool.is_full)
        ):
            quiet_s = self._last_request + _QUIET_S - time.monotonic()
            if happened := self._loop.wait(max(quiet_s, 0)):
                return happened
            if quiet_s > 0:
                continue
            try:
                if not host.has_all_ready:
                    host.make_one_ready()
                else:
                    warm_pool.make_one()
            except (OSError, KeyError, ValueError):
                # Callers that need a box get the reason why there is none.
                break
        return self._loop.wait(None)

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
        self._perform(request, lambda: self._operations[request["op"]](request))
        self._last_request = time.monotonic()
        return True

    def _perform(self, request: dict[str, Any], operation: Callable[[], None]) -> None:
        """Do what a request asks for, unless its caller no longer waits."""
        try:
            if _deadline(request) < time.monotonic():
                raise OSError("it took too long")
            operation()
        except OSError as error:
            self._refuse_because(request, error)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._refuse(request, f"cannot understand a request: {error!r}")

    def _reply(self, request: dict[str, Any], ok: dict[str, Any], *descriptors: int) -> None:
        self._send({"id": request["id"], "ok": ok}, list(descriptors))

    def _refuse_because(self, request: dict[str, Any], error: OSError) -> None:
        number = error.number if isinstance(error, NotExecutableError) else None
        self._refuse(request, str(error), number)

    def _refuse(
        self, request: dict[str, Any], reason: str, not_executable: int | None = None
    ) -> None:
        """`not_executable` is the error number with which a program cannot be executed."""
        answer = {"id": request.get("id"), "error": reason}
        if not_executable is not None:
            answer["not_executable"] = not_executable
        self._send(answer, [])

    def _send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        try:
            messages.send(self._platform, messages.encode(message), descriptors)
        except (BrokenPipeError, ConnectionError):
            pass

    def _stay(self, request: dict[str, Any]) -> None:
        """The platform runs. From the first such request on, the launcher ends with all boxes when
        it hears nothing more for so long: what a paused platform runs counts no longer."""
        milliseconds = _number(request, "milliseconds", 1, 3_600_000)
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self._loop.after(milliseconds / 1000, self._give_up)
        self._reply(request, {})

    def _give_up(self) -> None:
        print("launcher: the platform does not say that it runs", file=sys.stderr)
        raise PlatformGone

    def _open_volume(self, request: dict[str, Any]) -> None:
        def open_() -> None:
            self._reply(request, {"volume": self._host.open_volume(size_mb)})

        size_mb = _number(request, "size_mb", 1, 65_536)
        self._host.await_volumes(size_mb, partial(self._perform, request, open_))

    def _close_volume(self, request: dict[str, Any]) -> None:
        self._host.close_volume(_text(request["volume"]))
        self._reply(request, {})

    def _open_box(self, request: dict[str, Any]) -> None:
        box = self._host.open_box(
            memory_mb=_number(request, "memory_mb", 1, 1 << 20),
            mounts=_texts(request["mounts"]),
            volume=_text(request["volume"]),
        )
        self._given.add(box.name)
        described, descriptors = _describe(box)
        if isinstance(self._host, ProcessHost):
            described["user"] = box.host_id if self._host.separates_users else None
        self._reply(request, described, *descriptors)
        _hand_over(box)

    def _spawn(self, request: dict[str, Any]) -> None:
        box = self._box(request)
        argv = _arguments(request["argv"])
        environment = _variables(request["environment"])
        variable = request.get("log_pipe_variable")
        if variable is not None:
            environment[_text(variable)] = str(lockdown.LOG_FD)
        if box.group is not None:
            box.group.open_doors()
        pipes = [linux.output_pipe() for _ in range(1 if variable is None else 2)]
        reads = [read for read, _ in pipes]

        def on_entered(failure: OSError | None) -> None:
            if failure is None:
                with _statuses(box, pid) as statuses:
                    answer = {"process": pid, "has_status": bool(statuses)}
                    self._reply(request, answer, *reads, *statuses)
            else:
                self._refuse_because(request, failure)
            messages.close_all(reads)

        try:
            pid = self._host.spawn(
                box,
                argv=argv,
                environment=environment,
                outputs=[write for _, write in pipes],
                on_entered=on_entered,
            )
        except BaseException:
            messages.close_all(reads)
            raise
        finally:
            messages.close_all([write for _, write in pipes])
            if box.group is not None:
                box.group.close()

    def _prepare(self, request: dict[str, Any]) -> None:
        volume_mb = _number(request, "volume_mb", 1, 65_536)
        self._need_stock().declare(_template(request["template"]), volume_mb)
        if not self._host.awaits_volumes:
            self._host.await_volumes(volume_mb, lambda: None)
        self._reply(request, {})

    def _need_stock(self) -> WarmPool:
        if self._stock is None:
            raise ValueError("without namespaces nothing is prepared")
        return self._stock

    def _start(self, request: dict[str, Any]) -> None:
        def on_started(prepared: Prewarmed | None, reason: str) -> None:
            if prepared is None:
                self._refuse(request, f"cannot start a prepared runtime: {reason}")
                return
            self._given.add(prepared.box.name)
            described, descriptors = _describe(prepared.box)
            described |= {"volume": prepared.volume, "process": prepared.pid}
            with _statuses(prepared.box, prepared.pid) as statuses:
                self._reply(request, described, *descriptors, *prepared.outputs, *statuses)
            messages.close_all(prepared.outputs)
            _hand_over(prepared.box)

        environment = _variables(request["environment"])
        environment[_text(request["log_pipe_variable"])] = str(lockdown.LOG_FD)
        snapshot = request.get("snapshot")
        wanted = StartRequest(
            snapshot=None if snapshot is None else self._snapshots.get(_text(snapshot)),
            memory_mb=_number(request, "memory_mb", 1, 1 << 20),
            mounts=_texts(request["mounts"]),
            environment=environment,
            deadline=_deadline(request),
            on_started=on_started,
        )
        volume = None if request.get("volume") is None else _text(request["volume"])
        volume_mb = _number(request, "volume_mb", 1, 65_536)
        template = _template(request["template"])
        start = partial(
            self._need_stock().start, template, wanted, volume_mb=volume_mb, volume=volume
        )
        if volume is not None:
            start()
        else:
            self._host.await_volumes(volume_mb, partial(self._perform, request, start))

    def _signal(self, request: dict[str, Any]) -> None:
        """Stop or continue every process of a box that has no freezer."""
        number = signal.SIGSTOP if request["stop"] else signal.SIGCONT
        self._host.stop_or_continue(self._box(request), number)
        self._reply(request, {})

    def _take_snapshot(self, request: dict[str, Any]) -> None:
        def on_taken(name: str | None, size_bytes: int, reason: str) -> None:
            if reason:
                self._refuse(request, reason)
            else:
                self._reply(request, {"snapshot": name, "size_bytes": size_bytes})

        box = self._box(request)
        pid = _number(request, "process", 1, 1 << 30)
        size_mb = min(box.memory_mb or 0, _number(request, "size_mb_max", 0, 1 << 30))
        self._snapshots.take(box, pid, bytes_max=size_mb << 20, on_taken=on_taken)

    def _discard_snapshot(self, request: dict[str, Any]) -> None:
        self._snapshots.discard(_text(request["snapshot"]))
        self._reply(request, {})

    def _kill(self, request: dict[str, Any]) -> None:
        """Ask a spawned process to end, or kill it."""
        number = _number(request, "signal", 1, 31)
        if number not in (signal.SIGTERM, signal.SIGKILL):
            raise ValueError(f"signal {number} is not sent to processes of boxes")
        pidfd = self._box(request).processes.get(_number(request, "process", 1, 1 << 30))
        if pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)
        self._reply(request, {})

    def _open_socket(self, request: dict[str, Any]) -> None:
        """Return a socket that belongs to a box's network, for the platform to connect."""
        box = self._box(request)
        if isinstance(self._host, HostResources):
            opened = boxes.open_socket(self._host.confinement, box)
        else:
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with opened:
            self._reply(request, {}, opened.fileno())

    def _close_box(self, request: dict[str, Any]) -> None:
        name = _text(request["box"])
        box = self._host.boxes.get(name) if name in self._given else None
        if box is None:
            self._given.discard(name)
            self._reply(request, {})
            return
        box.on_closed = lambda: self._on_closed(request, name)
        self._host.kill(box)

    def _box(self, request: dict[str, Any]) -> BoxState:
        name = _text(request["box"])
        if name not in self._given:
            raise KeyError(name)
        box = self._host.boxes[name]
        if box.on_closed is not None:
            raise ValueError("the box is being closed")
        return box

    # -- ends ------------------------------------------------------------------------------

    def _on_exit(self, box: BoxState, pid: int, end: dict[str, Any]) -> None:
        if box.name in self._given:
            self._send({"exited": {"box": box.name, "process": pid, **end}}, [])

    def _on_closed(self, request: dict[str, Any], name: str) -> None:
        self._given.discard(name)
        self._reply(request, {})


def _describe(box: BoxState) -> tuple[dict[str, Any], list[int]]:
    """Return what the platform gets of a box: facts, and the descriptors that they name."""
    names = list(box.network.sockets)
    descriptors = [opened.fileno() for opened in box.network.sockets.values()]
    group = box.group
    if group is not None:
        for kind, fd in (
            ("freeze", group.freeze_fd),
            ("cpu", group.cpu_fd),
            ("memory_peak", group.memory_peak_fd),
            *group.usage_fds.items(),
        ):
            if fd >= 0:
                names.append(kind)
                descriptors.append(fd)
    described = {
        "box": box.name,
        "descriptors": names,
        "cpu_limit": group.cpu_limit if group is not None else "",
        "freezes_with_words": group.freezes_with_words if group is not None else False,
    }
    return described, descriptors


@contextlib.contextmanager
def _statuses(box: BoxState, pid: int) -> Iterator[list[int]]:
    """Return a descriptor for a process's memory use, if the box's group does not report it."""
    opened: list[int] = []
    if box.group is None or not box.group.tells_memory_peak:
        # It may already have ended.
        with contextlib.suppress(OSError):
            opened.append(os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC))
    try:
        yield opened
    finally:
        messages.close_all(opened)


def _hand_over(box: BoxState) -> None:
    """Close what the platform has now: every process that is forked here would have to close it."""
    box.network.hand_over()
    if box.group is not None:
        box.group.close()


def _template(value: Any) -> ZygoteTemplate:
    return ZygoteTemplate(
        name=_text(value["name"]),
        argv=_arguments(value["argv"]),
        environment=_variables(value["environment"]),
        mounts=_texts(value["mounts"]),
        forks=bool(value["forks"]),
    )


def _deadline(request: dict[str, Any]) -> float:
    """Return the time, in monotonic seconds, after which the caller no longer waits for a reply."""
    return float(request.get("deadline", math.inf))


def _arguments(value: Any) -> list[str]:
    argv = [_text(argument) for argument in value]
    if not 0 < len(argv) <= _ARGUMENTS_MAX:
        raise ValueError(f"a program may have 1 to {_ARGUMENTS_MAX} arguments, not {len(argv)}")
    return argv


def _variables(value: Any) -> dict[str, str]:
    variables = _texts(value)
    if len(variables) > _VARIABLES_MAX:
        raise ValueError(f"{len(variables)} variables are too many")
    return variables


def _texts(value: Any) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in dict(value).items()}


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
    """Entry point of the launcher's process: descriptor and configuration are arguments."""
    platform = socket.socket(fileno=_move_up(int(sys.argv[1])))
    config = json.loads(sys.argv[2])
    if config.get("logs_to_journal"):
        sys.stderr = PriorityLines(sys.stderr)
    # The terminal's Ctrl-C goes to the whole group; the platform decides when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tree = None
    try:
        # Held until the process ends.
        hold(Path(config["directory"]))
        if config["uses_namespaces"]:
            tree = _take_place(platform, config)
        launcher = LauncherServer(platform, config, tree)
    except OSError as error:
        if tree is not None:
            cgroup_tree.remove_tree(tree)
        messages.send(platform, messages.encode({"failed": str(error)}))
        sys.exit(1)
    # Children share this memory until one writes to it, and the garbage collector writes
    # everywhere.
    gc.collect()
    gc.freeze()
    gc.disable()
    limits = tree.limits if tree is not None else ()
    messages.send(platform, messages.encode({"ready": True, "limits": limits}))
    try:
        launcher.run()
    finally:
        if tree is not None:
            cgroup_tree.remove_tree(tree)


def _move_up(number: int) -> int:
    """Move a descriptor above those that children use, and keep these occupied permanently."""
    moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, lockdown.FIRST_FREE_FD)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for low in range(3, lockdown.FIRST_FREE_FD):
        if low != null:
            os.dup2(null, low, inheritable=False)
    return moved


def _take_place(platform: socket.socket, config: dict[str, Any]) -> cgroup_tree.Tree | None:
    """Enter the group and the namespaces in which everything else happens.

    Rootless: become root in a separate user namespace, which is all that boxes need. Also enter a
    pid namespace: a process can return from a box's pid namespace only to its own. The caller waits
    for the process in it that continues as the launcher. Raises OSError.
    """
    is_root, ids = bool(config["is_root"]), {"uid": os.geteuid(), "gid": os.getegid()}
    namespaces = 0 if is_root else linux.CLONE_NEWUSER | linux.CLONE_NEWPID
    tree = None
    if config["uses_cgroups"]:
        tree = cgroup_tree.move_in(config["group"], namespaces)
        cgroup_tree.sweep(tree)
        tree = tree if tree.directories else None
    else:
        linux.unshare(linux.CLONE_NEWCGROUP | namespaces)
    if is_root:
        return tree
    rootless.map_ids(ids)
    rootless.go_on_in_child(platform)
    return tree


if __name__ == "__main__":
    main()
