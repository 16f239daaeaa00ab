"""The interface of the sandbox to the rest of the platform.

A `Box` is a set of namespaces, cgroups and mounts with a trusted init in it and nothing else.
Processes are *spawned into* a box: the runtime first, extensions later. Closing a box ends
everything inside. `Volume` is the `/tmp` of an environment; it survives its box so that a reset
keeps the files.

The privileged launcher process does all of this; these objects are its handles in the unprivileged
platform. Methods without `async` are single writes or reads on descriptors that the launcher handed
over: they cost microseconds and may be called on the warm path.
"""

import dataclasses
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory mounted read-only in the box."""

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
    """If set, the process gets one more pipe; this variable contains the descriptor's number."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How a runtime starts in advance, without a function.

    The process waits at descriptor 4, its control socket. It writes `ready` there and reads, to the
    end, the environment variables of its function, as a JSON object. By then the function's code is
    mounted.
    """

    name: str
    """Templates whose children must not share an address space layout need different names."""
    argv: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    forks: bool
    """Whether `argv` is a zygote, which forks such processes, or such a process itself."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StartSpec:
    """A function to start from a template, immediately in its own box."""

    memory_mb: int
    mounts: Sequence[Mount]
    """All variables of the function; those of the template are already set."""
    environment: Mapping[str, str]
    volume_mb: int
    log_pipe_variable: str
    """Contains the descriptor number of the process's log pipe."""
    volume: "Volume | None" = None
    """The environment's `/tmp`, if it already has one."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: exactly one of the two is set."""

    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    """The kernel killed something in this box because the memory limit was reached."""


@dataclasses.dataclass(frozen=True, slots=True)
class BoxUsage:
    """What a box uses; None where this host does not report it."""

    memory_bytes: int | None
    """Memory of all its processes, now."""
    cpu_s: float | None
    """CPU time of all its processes since it was created, in seconds."""


@dataclasses.dataclass(slots=True)
class Traffic:
    """What has gone through a box's egress, in bytes."""

    sent: int = 0
    received: int = 0


class Process(Protocol):
    """A process spawned into a box."""

    @property
    def stdout(self) -> int:
        """Read end of the pipe for the process's stdout and stderr; non-blocking. The caller closes
        it."""
        ...

    @property
    def log_pipe(self) -> int | None:
        """Read end of the extra pipe, if one was requested; non-blocking. The caller closes it."""
        ...


class Box(Protocol):
    """A running sandbox."""

    name: str
    """For log lines."""

    @property
    def runtime_api(self) -> socket.socket:
        """Listens on 127.0.0.1:9001 inside the box; served by the platform's loop."""
        ...

    @property
    def endpoint(self) -> socket.socket:
        """Listens on 127.0.0.1:9002 inside the box: the endpoint of the platform's own API."""
        ...

    @property
    def egress(self) -> Sequence[socket.socket]:
        """Listeners inside the box to which its outbound connections are redirected; some are IPv6
        if the box can reach IPv6 addresses."""
        ...

    @property
    def datagrams(self) -> tuple[socket.socket, socket.socket] | None:
        """The socket to which the box's outbound datagrams are redirected, with destinations as
        ancillary data on request, and a raw socket that sends IPv4 packets into the box. None if
        UDP is not available."""
        ...

    @property
    def resolver(self) -> tuple[socket.socket, socket.socket] | None:
        """The name server's sockets: 127.0.0.1:53 inside the box, UDP and TCP. None if its network
        is the host's."""
        ...

    @property
    def trace_daemon(self) -> socket.socket | None:
        """A UDP socket, bound to 127.0.0.1:2000 inside the box: where programs send traces to. None
        if there is none."""
        ...

    def admits_sender(self, listener: socket.socket, sender: tuple[str, int]) -> bool:
        """Whether a datagram that a UDP socket of the box has received is from inside it."""
        ...

    def admits(self, connection: socket.socket) -> bool:
        """Whether a connection that a listener of the box has accepted is from inside it."""
        ...

    async def spawn(self, spec: ProcessSpec, on_exit: Callable[[ExitStatus], None]) -> Process:
        """Start a process; `on_exit` is called once on the event loop when it has ended.

        Raises `NotExecutable` if the kernel cannot execute the program, else `SandboxError`.
        """
        ...

    def signal(self, process: Process, number: int) -> None:
        """Send SIGTERM or SIGKILL to a spawned process; does nothing if it has ended."""
        ...

    async def open_socket(self) -> socket.socket:
        """Return a TCP socket of the box's network, neither bound nor connected, which belongs to
        the caller.

        Raises `SandboxError`.
        """
        ...

    def freeze(self) -> None:
        """Stop every process until `thaw`."""
        ...

    def thaw(self) -> None:
        """Continue every process."""
        ...

    def limit_cpu(self) -> None:
        """Apply the CPU share; a new box starts unlimited so that init is fast."""
        ...

    def memory_peak_bytes(self) -> int:
        """Return the most memory that the box's processes have used together, in bytes."""
        ...

    def usage(self) -> BoxUsage:
        """Return what the box uses now."""
        ...

    async def close(self) -> None:
        """Kill everything inside and release the box. Idempotent; never raises for a dead box."""
        ...


class Started(Protocol):
    """A function's process in its new box. The caller closes all three."""

    @property
    def box(self) -> Box: ...

    @property
    def volume(self) -> "Volume": ...

    @property
    def process(self) -> Process: ...


class Snapshot(Protocol):
    """The state of a process at one moment; new environments may start from it."""

    @property
    def size_bytes(self) -> int:
        """The host memory that it uses."""
        ...

    def close(self) -> None:
        """Discard it; environments that started from it are not affected. Idempotent."""
        ...


class Volume(Protocol):
    """A private writable `/tmp` of bounded size."""

    async def close(self) -> None:
        """Delete the files. Idempotent."""
        ...


class Sandboxes(Protocol):
    """The connection to the launcher."""

    @property
    def has_templates(self) -> bool:
        """Whether functions may start from templates. If not, all are executed."""
        ...

    async def open_volume(self, size_mb: int) -> Volume:
        """Create an empty volume. Raises `SandboxError`."""
        ...

    def prepare(self, template: Template, volume_mb: int) -> None:
        """Register a template; boxes of its kind will soon be needed with such a volume."""
        ...

    async def start(
        self, template: Template, spec: StartSpec, on_exit: Callable[[ExitStatus], None]
    ) -> Started:
        """Start a function from a registered template; `on_exit` is called once, on the event loop,
        when its process has ended. Raises `SandboxError` if this is not possible: the caller can
        still build a box and execute the runtime in it."""
        ...

    async def take_snapshot(self, box: Box, process: Process, size_mb_max: int) -> Snapshot:
        """Capture a process that was started from a template and waits to be captured, if that
        takes at most `size_mb_max` MB of memory; the process ends. Raises `SandboxError`, which
        says why it cannot be captured."""
        ...

    async def restore(
        self,
        template: Template,
        snapshot: Snapshot,
        spec: StartSpec,
        on_exit: Callable[[ExitStatus], None],
    ) -> Started:
        """As `start`, but the process continues where the captured one waited. Raises
        `SandboxError`."""
        ...

    async def open_box(self, spec: BoxSpec) -> Box:
        """Build a box. Raises `SandboxError` if the host refuses."""
        ...

    def end(self) -> None:
        """Make the launcher end every box at once. Afterwards no request is possible, and no end of
        a process is reported; closing a box or volume no longer needs the launcher."""
        ...


class SandboxError(Exception):
    """The host refused a request; the message names the step and the reason."""


class NotExecutable(SandboxError):
    """The kernel cannot execute the program: it is not a program, or is built for another machine,
    or its interpreter is missing."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        """The C library's text: `Exec format error`."""


class SandboxBusy(SandboxError):
    """The launcher has not reached the request in time; a retry may succeed."""
