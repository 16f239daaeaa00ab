"""The platform's end of the launcher: boxes as objects.

`start_launcher` runs early, with privileges and without an event loop; `open_sandboxes` runs later,
in the unprivileged platform. A number connects a request with its reply. A loop callback reads the
socket, so no task is needed. What a reply hands over is handled even if the caller has been
cancelled in the meantime.
"""

import asyncio
import contextlib
import dataclasses
import errno
import json
import logging
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import lambent
from lambent.kit.journal import PriorityLines
from lambent.sandbox import messages, peers, scopes, users
from lambent.sandbox.ports import (
    Box,
    BoxSpec,
    BoxUsage,
    ExitStatus,
    NotExecutable,
    Process,
    ProcessSpec,
    SandboxBusy,
    SandboxError,
    Snapshot,
    StartSpec,
    Template,
    Volume,
)
from lambent.sandbox.settings import SandboxSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

_START_DEADLINE_MS = 30_000
_END_DEADLINE_S = 65.0
"""Added to the deadline that the launcher itself has."""
_REQUESTS_WAITING_MAX = 10_000
_CAPTURE_ATTEMPTS, _CAPTURE_PAUSE_S = 200, 0.01
_COMMAND = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from lambent.sandbox.launcher.main import main; main()"
)


_FILES = frozenset({"freeze", "cpu", "memory_peak", "memory_now", "cpu_time"})
"""The descriptors of a box that are files of its cgroup."""


@dataclasses.dataclass(frozen=True, slots=True)
class LauncherHandle:
    """A started launcher; it ends when its socket is closed."""

    socket: socket.socket
    process: subprocess.Popen[bytes]
    tier: str
    limits: Sequence[str] = ()
    """Those of memory, cpu and pids that cgroups limit in boxes."""

    def close(self) -> None:
        """Make the launcher remove everything and end."""
        self.socket.close()
        try:
            self.process.wait(_END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            logger.error("the launcher (pid %d) does not end", self.process.pid)


def start_launcher(
    settings: SandboxSettings,
    *,
    tier: str,
    directory: Path,
    roots: Sequence[Path],
    instance: str,
    trust: Path | None = None,
    errors: int | None = None,
) -> LauncherHandle:
    """Start the launcher and wait until it is ready. Call this before privileges are dropped.

    `directory` is its own, `roots` are the directories that may be mounted into boxes, `instance`
    (hex digits) makes the names of cgroups unique on this host. `trust` has the certificates that
    boxes trust (see `launcher/filesystem.py`); without it those are the host's. `errors` is a
    descriptor for what the launcher prints; without one it prints to the platform's stderr. Raises
    `SandboxError`.
    """
    ours, theirs = messages.socket_pair()
    name = f"lambent-{instance}"
    places = users.first_users(settings.uid_base, int(instance[:4], 16))
    config = {
        "directory": str(directory),
        "roots": [str(root) for root in roots],
        "trust": None if trust is None else str(trust),
        "group": name,
        "uid_base": places[0],
        "uid_bases": places,
        "is_root": tier != "rootless",
        "uses_namespaces": tier != "process",
        "separates_users": users.can_separate(settings.platform_uid),
        "drops_bounding_set": users.has_capability(users.CAP_SETPCAP),
        "uses_cgroups": tier in ("root", "rootless"),
        "prepared_memory_mb": settings.prepared_mb,
        "logs_to_journal": isinstance(sys.stderr, PriorityLines),
    }
    source = str(Path(lambent.__file__).parent.parent)
    command = [sys.executable, "-I", "-S", "-c", _COMMAND]
    command += [source, str(theirs.fileno()), json.dumps(config)]
    needs_scope = bool(config["uses_cgroups"] and scopes.are_needed() and scopes.limits()[0])
    process = subprocess.Popen(
        scopes.wrap(command, name) if needs_scope else command,
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stderr=errors,
        cwd="/",
        env=scopes.environment() if needs_scope else {},
    )
    theirs.close()
    handle = LauncherHandle(ours, process, tier)
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    try:
        received = messages.receive(ours) if poll.poll(_START_DEADLINE_MS) else None
    except (ConnectionError, ValueError) as error:
        handle.close()
        raise SandboxError(f"cannot start the launcher: {error}") from error
    if received is None or "ready" not in received[0]:
        handle.close()
        reason = received[0].get("failed") if received is not None else "it ended"
        raise SandboxError(f"cannot start the launcher: {reason}")
    return dataclasses.replace(handle, limits=received[0]["limits"])


class _Volume:
    """See `ports.Volume`."""

    def __init__(self, launcher: "Launcher", name: str) -> None:
        self._launcher = launcher
        self.name = name
        self._is_closed = False

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._launcher.request_quietly("close_volume", volume=self.name)


class _Snapshot:
    """See `ports.Snapshot`."""

    def __init__(self, launcher: "Launcher", name: str, size_bytes: int) -> None:
        self._launcher = launcher
        self.name = name
        self.size_bytes = size_bytes
        self._is_closed = False

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._launcher.tell("discard_snapshot", snapshot=self.name)


@dataclasses.dataclass(frozen=True, slots=True)
class _Process:
    """See `ports.Process`."""

    id: int
    stdout: int
    log_pipe: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    """See `ports.Started`."""

    box: "LauncherBox"
    volume: _Volume
    process: _Process


class LauncherBox:
    """See `ports.Box`."""

    def __init__(
        self, launcher: "Launcher", answer: dict[str, Any], descriptors: Sequence[int]
    ) -> None:
        self._launcher = launcher
        self.name: str = answer["box"]
        self._cpu_limit = str(answer["cpu_limit"]).encode()
        words = answer["freezes_with_words"]
        self._freeze_words = (b"FROZEN", b"THAWED") if words else (b"1", b"0")
        self._files: dict[str, int] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._statuses: list[int] = []
        """`/proc/PID/status` of its processes, if no cgroup reports their memory."""
        for name, descriptor in zip(answer["descriptors"], descriptors, strict=True):
            if name in _FILES:
                self._files[name] = descriptor
            else:
                self._sockets[name] = socket.socket(fileno=descriptor)
        self.on_exit: dict[int, Callable[[ExitStatus], None]] = {}
        self._user: int | None = answer.get("user")
        self._is_closed = False

    @property
    def runtime_api(self) -> socket.socket:
        return self._sockets["runtime_api"]

    @property
    def endpoint(self) -> socket.socket:
        return self._sockets["endpoint"]

    @property
    def resolver(self) -> tuple[socket.socket, socket.socket] | None:
        """The name server's sockets inside the box, UDP and TCP."""
        found = self._sockets.get("resolver_udp"), self._sockets.get("resolver_tcp")
        return None if found[0] is None or found[1] is None else (found[0], found[1])

    @property
    def trace_daemon(self) -> socket.socket | None:
        """Where programs in the box send traces to."""
        return self._sockets.get("trace_daemon")

    def admits_sender(self, listener: socket.socket, sender: tuple[str, int]) -> bool:
        """Whether the sender of a datagram is in the box."""
        return self._user is None or peers.user_of_socket(sender) == self._user

    def admits(self, connection: socket.socket) -> bool:
        """Whether the client that has connected to a listener of the box is in the box."""
        return self._user is None or peers.user_of(connection) == self._user

    @property
    def egress(self) -> list[socket.socket]:
        """Listeners to which outbound connections are redirected."""
        return [sock for name, sock in self._sockets.items() if name.startswith("egress")]

    @property
    def datagrams(self) -> tuple[socket.socket, socket.socket] | None:
        """The socket to which outbound datagrams are redirected, and the raw socket for
        responses."""
        found = self._sockets.get("datagrams"), self._sockets.get("answers")
        return None if found[0] is None or found[1] is None else (found[0], found[1])

    async def spawn(self, spec: ProcessSpec, on_exit: Callable[[ExitStatus], None]) -> _Process:
        def adopt(answer: dict[str, Any], descriptors: list[int]) -> _Process:
            self.on_exit[answer["process"]] = on_exit
            if answer["has_status"]:
                self.follow_memory(descriptors.pop())
            for descriptor in descriptors:
                os.set_blocking(descriptor, False)
            log_pipe = descriptors[1] if len(descriptors) > 1 else None
            return _Process(answer["process"], descriptors[0], log_pipe)

        def discard(process: _Process) -> None:
            messages.close_all([fd for fd in (process.stdout, process.log_pipe) if fd is not None])

        return await self._launcher.request(
            "spawn",
            adopt,
            discard,
            box=self.name,
            argv=list(spec.argv),
            environment=dict(spec.environment),
            log_pipe_variable=spec.log_pipe_variable,
        )

    def signal(self, process: Process, number: int) -> None:
        assert isinstance(process, _Process)
        if not self._is_closed:
            self._launcher.tell("kill", box=self.name, process=process.id, signal=number)

    async def open_socket(self) -> socket.socket:
        return await self._launcher.request(
            "open_socket",
            lambda _, descriptors: socket.socket(fileno=descriptors[0]),
            socket.socket.close,
            box=self.name,
        )

    def freeze(self) -> None:
        self._write_freeze(self._freeze_words[0], stop=True)

    def thaw(self) -> None:
        self._write_freeze(self._freeze_words[1], stop=False)

    def _write_freeze(self, word: bytes, *, stop: bool) -> None:
        freeze = self._files.get("freeze")
        if freeze is not None:
            _write_to_group(freeze, word)
        elif not self._is_closed:
            self._launcher.tell("signal", box=self.name, stop=stop)

    def limit_cpu(self) -> None:
        cpu = self._files.get("cpu")
        if cpu is not None:
            _write_to_group(cpu, self._cpu_limit)

    @property
    def has_cpu_limit(self) -> bool:
        """Whether `limit_cpu` has an effect on this host."""
        return "cpu" in self._files

    def memory_peak_bytes(self) -> int:
        memory_peak = self._files.get("memory_peak")
        if memory_peak is not None:
            try:
                return int(os.pread(memory_peak, 32, 0))
            except OSError:  # The launcher has ended, and its control groups with it.
                return 0
        return sum(_memory_of_process(status, b"VmHWM") for status in self._statuses)

    def usage(self) -> BoxUsage:
        try:
            return BoxUsage(self._memory_bytes(), self._cpu_s())
        except OSError:  # Its processes have ended.
            return BoxUsage(None, None)

    def _memory_bytes(self) -> int | None:
        memory_now = self._files.get("memory_now")
        if memory_now is not None:
            return int(os.pread(memory_now, 32, 0))
        found = [_memory_of_process(status, b"VmRSS") for status in self._statuses]
        return sum(found) if found else None

    def _cpu_s(self) -> float | None:
        cpu_time = self._files.get("cpu_time")
        if cpu_time is None:
            return None
        text = os.pread(cpu_time, 256, 0)
        if text.startswith(b"usage_usec "):
            return int(text.split(maxsplit=2)[1]) / 1e6
        return int(text) / 1e9

    def follow_memory(self, status: int) -> None:
        """Count a process's memory, too; takes ownership of the descriptor."""
        self._statuses.append(status)

    def close_descriptors(self) -> None:
        """Close what the launcher handed over."""
        self._is_closed = True
        for sock in self._sockets.values():
            sock.close()
        messages.close_all([*self._files.values(), *self._statuses])
        self._files.clear()
        self._statuses.clear()

    async def close(self) -> None:
        if self._is_closed:
            return
        self.close_descriptors()
        await self._launcher.request_quietly("close_box", box=self.name)
        self._launcher.boxes.pop(self.name, None)


def _memory_of_process(status: int, name: bytes) -> int:
    """Return what one process uses (`VmRSS`) or the most it has used (`VmHWM`), in bytes; 0 after
    it has ended."""
    try:
        found = re.search(rb"^%b:\s*(\d+) kB" % name, os.pread(status, 4096, 0), re.MULTILINE)
    except ProcessLookupError:
        return 0
    return int(found[1]) * 1024 if found else 0


class Launcher:
    """See `ports.Sandboxes`."""

    def __init__(self, end: socket.socket, deadline_s: float, *, has_templates: bool) -> None:
        self.has_templates = has_templates
        self._socket = end
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._pending: dict[int, Callable[[dict[str, Any], list[int]], None]] = {}
        self._unsent: dict[int, bytes] = {}
        """By number, in order."""
        self.boxes: dict[str, LauncherBox] = {}
        self._is_gone = False
        self._gone = asyncio.Event()
        end.setblocking(False)
        self._loop.add_reader(end, self._read)

    @property
    def is_gone(self) -> bool:
        """Whether the launcher has ended by itself: nothing can be started any more."""
        return self._gone.is_set()

    async def wait_gone(self) -> None:
        """Wait until the launcher has ended by itself."""
        await self._gone.wait()

    async def open_volume(self, size_mb: int) -> Volume:
        def adopt(answer: dict[str, Any], descriptors: list[int]) -> _Volume:
            return _Volume(self, answer["volume"])

        def discard(volume: _Volume) -> None:
            self.tell("close_volume", volume=volume.name)

        return await self.request("open_volume", adopt, discard, size_mb=size_mb)

    async def open_box(self, spec: BoxSpec) -> LauncherBox:
        assert isinstance(spec.volume, _Volume)

        def adopt(answer: dict[str, Any], descriptors: list[int]) -> LauncherBox:
            box = self.boxes[answer["box"]] = LauncherBox(self, answer, descriptors)
            return box

        def discard(box: LauncherBox) -> None:
            box.close_descriptors()
            self.tell("close_box", box=box.name)
            del self.boxes[box.name]

        return await self.request(
            "open_box",
            adopt,
            discard,
            memory_mb=spec.memory_mb,
            mounts={mount.target: mount.source for mount in spec.mounts},
            volume=spec.volume.name,
        )

    def stay(self, seconds: float) -> None:
        """This platform runs. If it does not say so again within this time, the launcher ends, with
        all boxes."""
        self.tell("stay", milliseconds=max(round(seconds * 1000), 1))

    def prepare(self, template: Template, volume_mb: int) -> None:
        self.tell("prepare", template=_describe(template), volume_mb=volume_mb)

    async def start(
        self,
        template: Template,
        spec: StartSpec,
        on_exit: Callable[[ExitStatus], None],
    ) -> _Started:
        return await self._start(template, spec, on_exit, None)

    async def _start(
        self,
        template: Template,
        spec: StartSpec,
        on_exit: Callable[[ExitStatus], None],
        snapshot: str | None,
    ) -> _Started:
        given = spec.volume
        assert given is None or isinstance(given, _Volume)

        def adopt(answer: dict[str, Any], descriptors: list[int]) -> _Started:
            count = len(answer["descriptors"])
            box = self.boxes[answer["box"]] = LauncherBox(self, answer, descriptors[:count])
            box.on_exit[answer["process"]] = on_exit
            stdout, log_pipe, *status = descriptors[count:]
            for descriptor in status:
                box.follow_memory(descriptor)
            for descriptor in (stdout, log_pipe):
                os.set_blocking(descriptor, False)
            volume = given or _Volume(self, answer["volume"])
            process = _Process(answer["process"], stdout, log_pipe)
            return _Started(box=box, volume=volume, process=process)

        def discard(started: _Started) -> None:
            assert started.process.log_pipe is not None
            messages.close_all([started.process.stdout, started.process.log_pipe])
            started.box.close_descriptors()
            self.tell("close_box", box=started.box.name)
            del self.boxes[started.box.name]
            if given is None:
                self.tell("close_volume", volume=started.volume.name)

        return await self.request(
            "start",
            adopt,
            discard,
            template=_describe(template),
            snapshot=snapshot,
            memory_mb=spec.memory_mb,
            mounts={mount.target: mount.source for mount in spec.mounts},
            environment=dict(spec.environment),
            volume_mb=spec.volume_mb,
            volume=given.name if given is not None else None,
            log_pipe_variable=spec.log_pipe_variable,
        )

    async def take_snapshot(self, box: Box, process: Process, size_mb_max: int) -> Snapshot:
        assert isinstance(box, LauncherBox)
        assert isinstance(process, _Process)

        def adopt(answer: dict[str, Any], _: list[int]) -> _Snapshot | None:
            name = answer["snapshot"]
            return None if name is None else _Snapshot(self, name, answer["size_bytes"])

        def discard(snapshot: _Snapshot | None) -> None:
            if snapshot is not None:
                snapshot.close()

        for _ in range(_CAPTURE_ATTEMPTS):
            fields = {"box": box.name, "process": process.id, "size_mb_max": size_mb_max}
            snapshot = await self.request("take_snapshot", adopt, discard, **fields)
            if snapshot is not None:
                return snapshot
            await asyncio.sleep(_CAPTURE_PAUSE_S)
        raise SandboxError("the runtime did not reach the snapshot point")

    async def restore(
        self,
        template: Template,
        snapshot: Snapshot,
        spec: StartSpec,
        on_exit: Callable[[ExitStatus], None],
    ) -> _Started:
        assert isinstance(snapshot, _Snapshot)
        return await self._start(template, spec, on_exit, snapshot.name)

    async def request(
        self,
        operation: str,
        adopt: Callable[[dict[str, Any], list[int]], T],
        discard: Callable[[T], None],
        **fields: Any,
    ) -> T:
        """Send a request to the launcher and wait for its reply. `adopt` turns the result into an
        object, immediately when the reply arrives; `discard` releases it if the caller no longer
        waits. The launcher skips a request that is past its deadline. Raises `SandboxError`."""
        future: asyncio.Future[T] = self._loop.create_future()
        deadline = time.monotonic() + self._deadline_s
        late = SandboxBusy(
            f"cannot {operation.replace('_', ' ')}: the launcher did not answer within "
            f"{self._deadline_s:g} s"
        )

        def on_reply(message: dict[str, Any], descriptors: list[int]) -> None:
            if "error" in message:
                messages.close_all(descriptors)
                if not future.done():
                    is_late = time.monotonic() > deadline
                    future.set_exception(late if is_late else _refusal(message))
                return
            result = adopt(message["ok"], descriptors)
            if future.done():
                discard(result)
            else:
                future.set_result(result)

        number = self._post(operation, {**fields, "deadline": deadline}, on_reply)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await future
        except TimeoutError:
            raise late from None
        finally:
            if self._unsent.pop(number, None) is not None:
                self._pending.pop(number, None)

    async def request_quietly(self, operation: str, **fields: Any) -> None:
        """Ask the launcher to release something, however long it takes to get to it. If the
        launcher is gone, there is nothing left to do."""
        future: asyncio.Future[None] = self._loop.create_future()

        def on_reply(_: dict[str, Any], descriptors: list[int]) -> None:
            messages.close_all(descriptors)
            if not future.done():
                future.set_result(None)

        with contextlib.suppress(SandboxError, TimeoutError):
            self._post(operation, fields, on_reply)
            async with asyncio.timeout(self._deadline_s):
                await future

    def tell(self, operation: str, **fields: Any) -> None:
        """Send a request and do not wait for its reply."""
        with contextlib.suppress(SandboxError):
            self._post(operation, fields, lambda _, descriptors: messages.close_all(descriptors))

    def end(self) -> None:
        """See `ports.Sandboxes`."""
        if not self._is_gone:
            self._give_up("the platform ends")
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening; the launcher itself ends with its handle."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)

    def _post(
        self,
        operation: str,
        fields: dict[str, Any],
        on_reply: Callable[[dict[str, Any], list[int]], None],
    ) -> int:
        """Send a request now or soon; returns its number."""
        if self._is_gone:
            raise SandboxError("the launcher is gone")
        if len(self._unsent) >= _REQUESTS_WAITING_MAX:
            raise SandboxBusy("too many requests wait for the launcher")
        self._count += 1
        try:
            data = messages.encode({"id": self._count, "op": operation, **fields})
        except ValueError as error:
            raise SandboxError(str(error)) from error
        self._pending[self._count] = on_reply
        self._unsent[self._count] = data
        number = self._count
        self._write()
        return number

    def _write(self) -> None:
        while self._unsent:
            number, data = next(iter(self._unsent.items()))
            try:
                messages.send(self._socket, data)
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._write)
                return
            except OSError as error:
                self._lose(f"cannot reach the launcher: {error}")
                return
            del self._unsent[number]
        self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        while not self._is_gone:
            try:
                received = messages.receive(self._socket)
            except BlockingIOError:
                return
            except (OSError, ValueError) as error:
                self._lose(str(error))
                return
            if received is None:
                self._lose("the launcher has ended")
                return
            message, descriptors = received
            if "exited" in message:
                self._on_exited(message["exited"])
            else:
                on_reply = self._pending.pop(message["id"], None)
                if on_reply is not None:
                    on_reply(message, descriptors)

    def _on_exited(self, fact: dict[str, Any]) -> None:
        box = self.boxes.get(fact["box"])
        on_exit = box.on_exit.pop(fact["process"], None) if box is not None else None
        if on_exit is not None:
            on_exit(ExitStatus(fact["code"], fact["signal"], fact["out_of_memory"]))

    def _lose(self, reason: str) -> None:
        """Without the launcher nothing can be started any more: notify all who wait."""
        logger.error("%s", reason)
        self._gone.set()
        self._give_up(reason)
        # All processes have ended with the launcher.
        for box in list(self.boxes.values()):
            waiting, box.on_exit = box.on_exit, {}
            for on_exit in waiting.values():
                on_exit(ExitStatus(signal=signal.SIGKILL))

    def _give_up(self, reason: str) -> None:
        """Notify all who wait for a reply that none will come."""
        self._is_gone = True
        self.close()
        self._unsent.clear()
        pending, self._pending = self._pending, {}
        for on_reply in pending.values():
            on_reply({"error": reason}, [])


def _write_to_group(file: int, word: bytes) -> None:
    """Write to a file of a box's control group, unless the group was removed: the launcher has
    ended, and all that ran there."""
    try:
        os.write(file, word)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def _describe(template: Template) -> dict[str, Any]:
    """A template as the launcher knows it."""
    return {
        "name": template.name,
        "argv": list(template.argv),
        "environment": dict(template.environment),
        "mounts": {mount.target: mount.source for mount in template.mounts},
        "forks": template.forks,
    }


def _refusal(message: dict[str, Any]) -> SandboxError:
    reason: str = message["error"]
    number = message.get("not_executable")
    return SandboxError(reason) if number is None else NotExecutable(reason, os.strerror(number))


@asynccontextmanager
async def open_sandboxes(
    handle: LauncherHandle, settings: SandboxSettings
) -> AsyncIterator[Launcher]:
    """Open the connection to a started launcher, on the running loop."""
    has_templates = handle.tier != "process"
    launcher = Launcher(handle.socket, settings.request_deadline_s, has_templates=has_templates)
    try:
        yield launcher
    finally:
        launcher.close()
