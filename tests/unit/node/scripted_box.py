"""A sandbox whose programs do what a test says.

The boxes are fakes of `sandbox.ports`: nothing is isolated and no process runs. What the platform
serves in a box is real, HTTP included, and so are the pipes that programs print to. The box's
network is a directory of Unix sockets, one for each port.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.node.apis.extensions_api import PREFIX as EXTENSIONS
from lambent.node.apis.runtime_api import (
    INIT_ERROR,
    INVOCATION,
    NEXT,
    RESTORE_ERROR,
    RESTORE_NEXT,
)
from lambent.sandbox.ports import (
    BoxSpec,
    BoxUsage,
    ExitStatus,
    ProcessSpec,
    SandboxError,
    Snapshot,
    StartSpec,
    Template,
    Volume,
)
from tests.unit.node.virtual_time import VirtualLoop

RUNTIME_ARGV = ("/var/runtime/bootstrap",)
_MB = 1024 * 1024


class Request:
    """A program's request, and its response once that has arrived."""

    def __init__(self, box: "ScriptedBox", data: bytes) -> None:
        self._loop = box.loop
        self._socket: socket.socket | None = socket.socket(socket.AF_UNIX)
        self._socket.setblocking(False)
        self._received = b""
        self._unsent = memoryview(data)
        self._socket.connect(str(box.api_path))
        box.requests.append(self)
        self.send(b"")

    def send(self, data: bytes) -> None:
        """Send more of the request, as far as the platform takes it."""
        self._unsent = memoryview(bytes(self._unsent) + data)
        while self._unsent and self._socket is not None:
            try:
                sent = self._socket.send(self._unsent)
            except (BlockingIOError, BrokenPipeError):
                sent = 0
            self._unsent = self._unsent[sent:]
            self._loop.settle()
            if not sent:
                break
        self._loop.settle()

    @property
    def is_sent(self) -> bool:
        """Whether the platform has taken all of it."""
        return not self._unsent

    def cut(self) -> None:
        """Close the connection, perhaps in the middle."""
        self.close()
        self._loop.settle()

    def close(self) -> None:
        """Return the socket."""
        if self._socket is not None:
            self._receive()
            self._socket.close()
            self._socket = None

    @property
    def has_response(self) -> bool:
        """Whether the whole response is there."""
        self._receive()
        head, separator, body = self._received.partition(b"\r\n\r\n")
        return bool(separator) and len(body) >= int(self._header(head, "content-length") or 0)

    @property
    def status(self) -> int:
        """The response's status."""
        assert self.has_response
        return int(self._received.split(b" ", 2)[1])

    @property
    def body(self) -> bytes:
        """The response's body."""
        assert self.has_response
        return self._received.partition(b"\r\n\r\n")[2]

    @property
    def json(self) -> Any:
        """The same as JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        """A header of the response; empty if it is missing."""
        assert self.has_response
        return self._header(self._received.partition(b"\r\n\r\n")[0], name.lower())

    @staticmethod
    def _header(head: bytes, name: str) -> str:
        for line in head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return ""

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while self._socket is not None and (data := self._socket.recv(1 << 20)):
                self._received += data


def head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The beginning of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1:9001"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Program:
    """A process in a box. It does nothing by itself but end when it is signalled."""

    def __init__(self, box: "ScriptedBox", spec: ProcessSpec, on_exit: Callable[..., None]) -> None:
        self.box = box
        self.argv = spec.argv
        self.environment = spec.environment
        self.signals: list[int] = []
        """Those it was sent."""
        self.ignores_sigterm = False
        self._on_exit: Callable[[ExitStatus], None] | None = on_exit
        self.stdout, self._stdout = _pipe()
        self.log_pipe: int | None = None
        self._log_pipe: int | None = None
        if spec.log_pipe_variable:
            self.log_pipe, self._log_pipe = _pipe()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._on_exit is not None

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """Send a request to the API in the box."""
        assert self.is_running
        assert not self.box.is_frozen
        length = {"Content-Length": str(len(body))} if body else {}
        data = head(method, path, {**length, **(headers or {})}) + body
        return Request(self.box, data)

    def prints(self, text: str | bytes) -> None:
        """Write to stdout."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self._stdout, data) :]
            self.box.loop.settle()

    def logs(self, frame: bytes) -> None:
        """Write to the log pipe."""
        assert self._log_pipe is not None
        os.write(self._log_pipe, frame)
        self.box.loop.settle()

    def exits(
        self, code: int | None = None, *, signal: int | None = None, out_of_memory: bool = False
    ) -> None:
        """End, with an exit status or by a signal."""
        self.box.loop.do(self.end, ExitStatus(code, signal, out_of_memory))

    def end(self, status: ExitStatus) -> None:
        """The same, from within the loop."""
        on_exit, self._on_exit = self._on_exit, None
        if on_exit is not None:
            for pipe in (self._stdout, self._log_pipe):
                if pipe is not None:
                    os.close(pipe)
            on_exit(status)

    def take_signal(self, number: int) -> None:
        """What the platform's signal does to it."""
        self.signals.append(number)
        if number == signal.SIGKILL or not self.ignores_sigterm:
            self.box.loop.call_soon(self.end, ExitStatus(signal=number))


class Runtime(Program):
    """A process that speaks the Runtime API."""

    _poll: Request | None = None

    def asks(self) -> Request:
        """Ask for the next invocation."""
        self._poll = self.request("GET", NEXT)
        return self._poll

    @property
    def event(self) -> bytes | None:
        """The event it was given last; None while it waits for one."""
        return self._poll.body if self._poll is not None and self._poll.has_response else None

    @property
    def poll(self) -> Request:
        """The request for the next invocation."""
        assert self._poll is not None
        return self._poll

    @property
    def request_id(self) -> str:
        """Of the invocation it was given last."""
        return self.poll.header("Lambda-Runtime-Aws-Request-Id")

    def responds(self, payload: bytes = b"null", **headers: str) -> Request:
        """Post its response to the current invocation."""
        return self.request("POST", f"{INVOCATION}{self.request_id}/response", payload, headers)

    def fails(self, payload: bytes, error_type: str) -> Request:
        """Report that the current invocation has failed."""
        headers = {"Lambda-Runtime-Function-Error-Type": error_type}
        return self.request("POST", f"{INVOCATION}{self.request_id}/error", payload, headers)

    def streams(self, content_type: str = "text/plain", mode: str = "streaming") -> "Stream":
        """Begin a response that is sent chunk by chunk."""
        return Stream(self, content_type, mode)

    def init_error(self, payload: bytes, error_type: str) -> Request:
        """Report that the function cannot be loaded."""
        headers = {"Lambda-Runtime-Function-Error-Type": error_type}
        return self.request("POST", INIT_ERROR, payload, headers)

    def awaits_restore(self) -> Request:
        """Say that the function is loaded and may be captured."""
        return self.request("GET", RESTORE_NEXT)

    def restore_error(self, payload: bytes, error_type: str) -> Request:
        """Report that a hook has failed after the restore."""
        headers = {"Lambda-Runtime-Function-Error-Type": error_type}
        return self.request("POST", RESTORE_ERROR, payload, headers)

    def has_extension(self, name: str) -> "Extension":
        """An internal extension: part of this process."""
        return Extension(self, name)


class Stream:
    """A streamed response, sent in the chunked encoding."""

    def __init__(self, runtime: Runtime, content_type: str, mode: str) -> None:
        headers = {"Transfer-Encoding": "chunked", "Content-Type": content_type}
        if mode:
            headers["Lambda-Runtime-Function-Response-Mode"] = mode
        path = f"{INVOCATION}{runtime.request_id}/response"
        self.request = Request(runtime.box, head("POST", path, headers))

    def sends(self, chunk: bytes) -> None:
        self.request.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def ends(self, **trailers: str) -> None:
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in trailers.items()]
        self.request.send(b"0\r\n" + "".join(lines).encode() + b"\r\n")

    def is_cut(self) -> None:
        self.request.cut()


class Extension:
    """What an extension says to the Extensions and Telemetry APIs."""

    def __init__(self, program: Program, name: str) -> None:
        self.program = program
        self.name = name
        self.id = ""
        self._poll: Request | None = None

    def registers(self, *events: str, name: str | None = None, **headers: str) -> Request:
        """Register for events."""
        given = {"Lambda-Extension-Name": self.name if name is None else name, **headers}
        body = json.dumps({"events": list(events)}).encode()
        request = self.program.request("POST", f"{EXTENSIONS}register", body, given)
        self.id = request.header("Lambda-Extension-Identifier") or self.id
        return request

    def asks(self) -> Request:
        """Ask for the next event."""
        self._poll = self.program.request("GET", f"{EXTENSIONS}event/next", headers=self._mine)
        return self._poll

    @property
    def event(self) -> Any:
        """The event it was given last; None while it waits for one."""
        return self._poll.json if self._poll is not None and self._poll.has_response else None

    def init_error(self, error_type: str) -> Request:
        return self._fails("init/error", error_type)

    def exit_error(self, error_type: str) -> Request:
        return self._fails("exit/error", error_type)

    def subscribes(self, subscription: Any, path: str) -> Request:
        """Subscribe at the Telemetry API or the Logs API, as `path` says."""
        return self.program.request("PUT", path, json.dumps(subscription).encode(), self._mine)

    def _fails(self, action: str, error_type: str) -> Request:
        headers = {**self._mine, "Lambda-Extension-Function-Error-Type": error_type}
        return self.program.request("POST", EXTENSIONS + action, b"{}", headers)

    @property
    def _mine(self) -> dict[str, str]:
        return {"Lambda-Extension-Identifier": self.id} if self.id else {}


class ScriptedVolume:
    """A `/tmp`."""

    def __init__(self) -> None:
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True


class ScriptedSnapshot:
    """A captured runtime."""

    size_bytes = 10 * _MB

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class ScriptedBox:
    """A box: notes what is done to it."""

    egress: Sequence[socket.socket] = ()
    datagrams = None
    resolver = None

    def __init__(self, sandboxes: "ScriptedSandboxes", memory_mb: int, volume: Any) -> None:
        self._sandboxes = sandboxes
        self.loop = sandboxes.loop
        self.name = f"box-{len(sandboxes.boxes) + 1}"
        self.directory = sandboxes.directory / self.name
        self.directory.mkdir()
        self.memory_mb = memory_mb
        self.volume = volume
        self.api_path = self.directory / "9001"
        self.runtime_api = _listen(self.api_path)
        self.endpoint = _listen(self.directory / "9002")
        self.programs: list[Program] = []
        self.requests: list[Request] = []
        self.is_frozen = self.is_limited = self.is_closed = False
        self.peak_bytes = 0

    def admits(self, connection: socket.socket) -> bool:
        return True

    async def spawn(self, spec: ProcessSpec, on_exit: Callable[[ExitStatus], None]) -> Program:
        failure = self._sandboxes.spawn_failures.get(Path(spec.argv[0]).name)
        if failure is not None:
            raise failure
        kind = Runtime if spec.argv == RUNTIME_ARGV else Program
        program = kind(self, spec, on_exit)
        self.programs.append(program)
        return program

    def signal(self, process: Any, number: int) -> None:
        if process.is_running:
            process.take_signal(number)

    async def open_socket(self) -> socket.socket:
        return _BoxSocket(self.directory)

    def freeze(self) -> None:
        assert not self.is_closed
        self.is_frozen = True

    def thaw(self) -> None:
        assert self.is_frozen
        self.is_frozen = False

    def limit_cpu(self) -> None:
        self.is_limited = True

    def memory_peak_bytes(self) -> int:
        return self.peak_bytes

    def usage(self) -> BoxUsage:
        return BoxUsage(self.peak_bytes, 0.25)

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            for program in self.programs:
                program.end(ExitStatus(signal=9))


class _BoxSocket(socket.socket):
    """A socket that finds a box's ports in its directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(socket.AF_UNIX)
        self._directory = directory

    def connect(self, address: Any) -> None:
        _, port = address
        path = self._directory / str(port)
        if not path.exists():
            raise ConnectionRefusedError(111, "Connection refused")
        super().connect(str(path))


@dataclasses.dataclass
class ScriptedStart:
    """What a start from a template leads to."""

    box: ScriptedBox
    volume: Any
    process: Program


@dataclasses.dataclass
class ScriptedSandboxes:
    """The launcher's client, as a test says."""

    loop: VirtualLoop
    directory: Path
    has_templates: bool = False
    boxes: list[ScriptedBox] = dataclasses.field(default_factory=list)
    volumes: list[ScriptedVolume] = dataclasses.field(default_factory=list)
    snapshots: list[ScriptedSnapshot] = dataclasses.field(default_factory=list)
    prepared: list[Template] = dataclasses.field(default_factory=list)
    spawn_failures: dict[str, SandboxError] = dataclasses.field(default_factory=dict)
    """What starting a program of this name fails with."""
    box_failure: Exception | None = None
    """What making a box fails with."""
    start_failure: SandboxError | None = None
    """What starting from a template fails with."""
    restore_failure: SandboxError | None = None
    capture_failure: SandboxError | None = None
    restored: list[Any] = dataclasses.field(default_factory=list)
    """Snapshots that were restored."""
    build_s: float = 0.0
    """How long making a box takes."""

    async def open_volume(self, size_mb: int) -> Volume:
        volume = ScriptedVolume()
        self.volumes.append(volume)
        return volume

    def prepare(self, template: Template, volume_mb: int) -> None:
        self.prepared.append(template)

    async def start(
        self, template: Template, spec: StartSpec, on_exit: Callable[[ExitStatus], None]
    ) -> ScriptedStart:
        if self.start_failure is not None:
            raise self.start_failure
        return await self._start(spec, on_exit)

    async def restore(
        self,
        template: Template,
        snapshot: Snapshot,
        spec: StartSpec,
        on_exit: Callable[[ExitStatus], None],
    ) -> ScriptedStart:
        if self.restore_failure is not None:
            raise self.restore_failure
        self.restored.append(snapshot)
        return await self._start(spec, on_exit)

    async def _start(self, spec: StartSpec, on_exit: Callable[[ExitStatus], None]) -> ScriptedStart:
        volume = spec.volume or await self.open_volume(spec.volume_mb)
        box = await self._open(spec.memory_mb, volume)
        process = Runtime(
            box, ProcessSpec(argv=RUNTIME_ARGV, environment=spec.environment), on_exit
        )
        box.programs.append(process)
        return ScriptedStart(box, volume, process)

    async def take_snapshot(self, box: Any, process: Any, size_mb_max: int) -> Snapshot:
        if self.capture_failure is not None:
            raise self.capture_failure
        snapshot = ScriptedSnapshot()
        self.snapshots.append(snapshot)
        return snapshot

    async def open_box(self, spec: BoxSpec) -> ScriptedBox:
        return await self._open(spec.memory_mb, spec.volume)

    async def _open(self, memory_mb: int, volume: Any) -> ScriptedBox:
        if self.build_s:
            await asyncio.sleep(self.build_s)
        if self.box_failure is not None:
            raise self.box_failure
        box = ScriptedBox(self, memory_mb, volume)
        self.boxes.append(box)
        return box

    def end(self) -> None:
        """A node closes: every box ends."""


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    listener.setblocking(False)
    return listener


def _pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return reading, writing
