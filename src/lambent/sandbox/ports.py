"""What a sandbox is to the rest of the platform.

A `Box` is a set of namespaces, cgroups and mounts with a trusted init in it and nothing
else. Processes are *spawned into* a box: the runtime first, extensions later. The worker
gives a box away by closing it: everything inside dies with it. `Volume` is the `/tmp` of an
environment; it outlives a box so that a reset keeps the files.

All of it is done by the privileged launcher process; these objects are its handles in the
unprivileged platform. Methods without `async` are single writes or reads on descriptors the
launcher handed over: they cost microseconds and may be called on the warm path.
"""

import dataclasses
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory shown read-only inside the box."""

    source: str
    """Absolute host path. The launcher accepts only paths below the roots it was started
    with (code cache, prepared runtimes, interpreter prefixes)."""
    target: str
    """`/var/task`, `/opt`, `/var/lang`, `/var/runtime`, `/var/pycache` (bytecode of Python modules
    in `/var/task`) or `/var/node_modules` (where Node's ES modules in `/var/task` look for packages
    they did not bring; they ignore `NODE_PATH`)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BoxSpec:
    """What to build."""

    memory_mb: int
    """Memory limit; the CPU share follows from it (1,769 MB = one vCPU)."""
    mounts: Sequence[Mount]
    volume: "Volume"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A program to start in a box, as the unprivileged user, in `/var/task`."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    log_pipe_variable: str | None = None
    """If set, the process gets one more pipe; this variable tells it the descriptor's number."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How a runtime starts ahead of demand, without a function.

    The process waits at descriptor 4, its control socket: it says `ready` there and reads, to the
    end, the environment variables of the function it becomes, as a JSON object. By then the
    function's code is in its place.
    """

    name: str
    """Whose children have to be strangers to each other need templates of different names."""
    argv: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    forks: bool
    """Whether `argv` is a zygote, which forks such processes, or such a process itself."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StartSpec:
    """A function to start from a template, at once in a box of its own."""

    memory_mb: int
    mounts: Sequence[Mount]
    """All of the function's; the template's are there already."""
    environment: Mapping[str, str]
    volume_mb: int
    log_pipe_variable: str
    """Tells the process the number of its log pipe's descriptor."""
    volume: "Volume | None" = None
    """The environment's `/tmp`, if it has one already."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: exactly one of the two is set."""

    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    """The kernel killed something in this box because the memory limit was reached."""


class Process(Protocol):
    """A process spawned into a box."""

    @property
    def stdout(self) -> int:
        """Read end of the pipe behind the process's stdout and stderr; non-blocking. The
        worker closes it."""
        ...

    @property
    def log_pipe(self) -> int | None:
        """Read end of the extra pipe, if one was asked for; non-blocking. The worker closes it."""
        ...


class Box(Protocol):
    """A running sandbox."""

    name: str
    """For log lines."""

    @property
    def runtime_api(self) -> socket.socket:
        """Listening on 127.0.0.1:9001 inside the box; served by the platform's loop."""
        ...

    @property
    def endpoint(self) -> socket.socket:
        """Listening on 127.0.0.1:9002 inside the box: the way to the platform's own API."""
        ...

    @property
    def egress(self) -> Sequence[socket.socket]:
        """Listeners inside the box that its outbound connections are led to; some are of IPv6
        if that leads out of it."""
        ...

    @property
    def datagrams(self) -> tuple[socket.socket, socket.socket] | None:
        """What the box's outbound datagrams are led to, with destinations as ancillary data on
        request, and a raw socket that sends IPv4 packets into the box. None if UDP fails there."""
        ...

    @property
    def resolver(self) -> tuple[socket.socket, socket.socket] | None:
        """Where the box asks for names: 127.0.0.1:53 inside it, UDP and TCP. None if its network is
        the host's."""
        ...

    def admits(self, connection: socket.socket) -> bool:
        """Whether a connection that a listener of the box has accepted is from inside it."""
        ...

    async def spawn(self, spec: ProcessSpec, on_exit: Callable[[ExitStatus], None]) -> Process:
        """Start a process; `on_exit` is called once on the event loop when it has ended.

        Raises `NotExecutable` if the kernel does not execute the program, else `SandboxError`.
        """
        ...

    def signal(self, process: Process, number: int) -> None:
        """Send SIGTERM or SIGKILL to a spawned process; nothing happens if it has ended."""
        ...

    async def open_socket(self) -> socket.socket:
        """A TCP socket of the box's network that is neither bound nor connected, the caller's.

        Raises `SandboxError`.
        """
        ...

    def freeze(self) -> None:
        """Stop every process until `thaw`."""
        ...

    def thaw(self) -> None:
        """Let every process go on."""
        ...

    def limit_cpu(self) -> None:
        """Apply the CPU share; a new box starts unlimited so that init is fast."""
        ...

    def memory_peak_bytes(self) -> int:
        """The most memory the box's processes have used together, in bytes."""
        ...

    async def close(self) -> None:
        """Kill everything inside and give the box back. Idempotent; never raises for a dead box."""
        ...


class Started(Protocol):
    """A function's process in its new box. All three are the caller's to close."""

    @property
    def box(self) -> Box: ...

    @property
    def volume(self) -> "Volume": ...

    @property
    def process(self) -> Process: ...


class Snapshot(Protocol):
    """What a process was at one moment; new environments may start from it."""

    @property
    def size_bytes(self) -> int:
        """What keeping it costs the host's memory."""
        ...

    def close(self) -> None:
        """Throw it away; environments that started from it are not touched. Idempotent."""
        ...


class Volume(Protocol):
    """A private writable `/tmp` of bounded size."""

    async def close(self) -> None:
        """Throw the files away. Idempotent."""
        ...


class Sandboxes(Protocol):
    """The door to the launcher."""

    @property
    def has_templates(self) -> bool:
        """Whether functions may start from templates. If not, all are executed."""
        ...

    async def open_volume(self, size_mb: int) -> Volume:
        """Make an empty volume. Raises `SandboxError`."""
        ...

    def prepare(self, template: Template, volume_mb: int) -> None:
        """Make a template known; boxes of its kind will soon be wanted with such a volume."""
        ...

    async def start(
        self, template: Template, spec: StartSpec, on_exit: Callable[[ExitStatus], None]
    ) -> Started:
        """Start a function from a template made known before; `on_exit` is called once, on the
        event loop, when its process has ended. Raises `SandboxError` if that cannot be done: a box
        may still be built and the runtime be executed in it."""
        ...

    async def take_snapshot(self, box: Box, process: Process, size_mb_max: int) -> Snapshot:
        """Capture a process that was started from a template and waits to be captured, if that
        takes at most so much memory; it goes no further. Raises `SandboxError`, which says why it
        cannot be captured."""
        ...

    async def restore(
        self,
        template: Template,
        snapshot: Snapshot,
        spec: StartSpec,
        on_exit: Callable[[ExitStatus], None],
    ) -> Started:
        """As `start`, but the process goes on where the captured one waited. Raises
        `SandboxError`."""
        ...

    async def open_box(self, spec: BoxSpec) -> Box:
        """Build a box. Raises `SandboxError` if the host refuses."""
        ...

    def end(self) -> None:
        """Let the launcher end every box at once. Nothing can be asked for afterwards, and nobody
        hears of the end of a process; closing a box or volume needs no launcher any more."""
        ...


class SandboxError(Exception):
    """The host could not give what was asked; the message names the step and the reason."""


class NotExecutable(SandboxError):
    """The kernel does not execute the program: it is no program, or of another machine, or its
    interpreter is not there."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        """As the C library says it: `Exec format error`."""


class SandboxBusy(SandboxError):
    """The launcher has not come to it in time; later it may."""
