"""A box in which a runtime waits for its function, from its creation to its assignment.

The zygote reports when the process has started. The process itself reports through its control
socket: `mapping`, when it has created the box's user namespace and waits for the user to be mapped;
`ready`, when it has dropped all privileges and waits for its function.
"""

import dataclasses
import json
import resource
import selectors
import socket
from collections.abc import Callable, Mapping
from functools import partial

from lambent.sandbox import messages
from lambent.sandbox.launcher import box as boxes
from lambent.sandbox.launcher import linux
from lambent.sandbox.launcher.box import BoxState
from lambent.sandbox.launcher.host import HostResources
from lambent.sandbox.launcher.loop import Loop
from lambent.sandbox.launcher.snapshots import StoredSnapshot
from lambent.sandbox.launcher.templates import Kind, ZygoteTemplate
from lambent.sandbox.launcher.zygote import Zygote


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A function that waits for a box."""

    memory_mb: int
    mounts: Mapping[str, str]
    environment: Mapping[str, str]
    snapshot: StoredSnapshot | None
    """The snapshot that the process becomes before it gets its variables."""
    deadline: float
    """In monotonic seconds: afterwards the caller no longer waits for the box."""
    on_started: Callable[["Prewarmed | None", str], None]
    """Receives the box that now belongs to the function, or the reason why there is none."""


@dataclasses.dataclass(slots=True, eq=False)
class Prewarmed:
    """A box with a runtime in it that waits, or will soon."""

    template: ZygoteTemplate
    kind: Kind
    volume: str
    owns_volume: bool
    """Whether the volume was created for it."""
    box: BoxState
    wanted: StartRequest | None
    """The function for which it is created; None if for any."""
    zygote: Zygote | None
    rehearses: bool
    control: socket.socket | None = None
    outputs: list[int] = dataclasses.field(default_factory=list)
    """Read ends of the output and of the framed log."""
    pid: int = -1
    said: bytes = b""
    """Its last message, if nothing has handled it."""
    is_assigned: bool = False
    is_lost: bool = False

    def close(self) -> None:
        """Close what belongs to the owner of the box."""
        if self.control is not None:
            self.control.close()
        messages.close_all(self.outputs)


class Builder:
    """Creates prewarmed boxes and assigns them to functions.

    For each box that was begun, either `on_ready` or `on_failed`, with the reason, is called.
    """

    def __init__(
        self,
        host: HostResources,
        loop: Loop,
        *,
        on_ready: Callable[[Prewarmed], None],
        on_failed: Callable[[Prewarmed, str], None],
    ) -> None:
        self._host = host
        self._loop = loop
        self._on_ready = on_ready
        self._on_failed = on_failed

    def begin(
        self,
        template: ZygoteTemplate,
        kind: Kind,
        *,
        volume: str | None,
        wanted: StartRequest | None,
        zygote: Zygote | None,
        rehearses: bool,
    ) -> Prewarmed:
        """Create a box with a new volume, unless it has one. `start` comes next.

        Raises OSError, KeyError, ValueError.
        """
        name = self._host.open_volume(kind[1]) if volume is None else volume
        try:
            box = self._host.open_box(memory_mb=None, mounts=template.mounts, volume=name)
        except BaseException:
            if volume is None:
                self._host.close_volume(name)
            raise
        return Prewarmed(template, kind, name, volume is None, box, wanted, zygote, rehearses)

    def start(self, prepared: Prewarmed) -> None:
        """Start the runtime in the box."""
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        control.setblocking(False)
        prepared.control = control
        pipes = [linux.output_pipe() for _ in range(2)]
        prepared.outputs = [read for read, _ in pipes]
        outputs = [write for _, write in pipes]
        self._loop.register(control, selectors.EVENT_READ, partial(self._on_word, prepared))
        try:
            if prepared.template.forks:
                self._fork(prepared, outputs, theirs.fileno())
            else:
                self._execute(prepared, outputs, theirs.fileno())
        except OSError as error:
            self._on_failed(prepared, str(error))
        finally:
            theirs.close()
            messages.close_all(outputs)

    def _execute(self, prepared: Prewarmed, outputs: list[int], control: int) -> None:
        def on_entered(failure: OSError | None) -> None:
            # A process that has entered reports the next step itself.
            if failure is not None:
                self._on_failed(prepared, str(failure))

        prepared.pid = self._host.spawn(
            prepared.box,
            argv=prepared.template.argv,
            environment=prepared.template.environment,
            outputs=outputs,
            control=control,
            on_entered=on_entered,
        )

    def _fork(self, prepared: Prewarmed, outputs: list[int], control: int) -> None:
        box, zygote = prepared.box, prepared.zygote
        assert zygote is not None
        entry = boxes.describe_entry(
            self._host.confinement, box, outputs=outputs, control=control, executes=False
        )

        def on_forked(pid: int, pidfd: int) -> None:
            if pid < 0:
                self._on_failed(prepared, zygote.failure)
                return
            if prepared.is_lost:
                # Killed with its box; the box's init cannot end before it has been reaped.
                self._host.reap_later(pidfd)
                return
            box.processes[pid] = pidfd
            self._host.watch(box, pid, pidfd)
            prepared.pid = pid
            self._advance(prepared)

        zygote.fork(entry, box.cgroup_fd, on_forked, rehearses=prepared.rehearses)

    def _on_word(self, prepared: Prewarmed) -> None:
        """A waiting runtime reports that it is ready, reports an error, or ends."""
        assert prepared.control is not None
        try:
            said = prepared.control.recv(4096)
        except OSError as error:
            said = f"!{error}".encode()
        if not said and (hear := prepared.box.entering.get(prepared.pid)) is not None:
            hear()  # Why it has ended.
        if said in (b"mapping", b"ready"):
            prepared.said = said
            self._advance(prepared)
        else:
            self._on_failed(prepared, said[1:].decode(errors="replace") or "it ended")

    def _advance(self, prepared: Prewarmed) -> None:
        """Do what a process asks for, once its pid is known."""
        if prepared.pid < 0:
            return
        said, prepared.said = prepared.said, b""
        if said == b"mapping":
            self._map_user(prepared)
        elif said == b"ready":
            self._on_ready(prepared)

    def _map_user(self, prepared: Prewarmed) -> None:
        assert prepared.control is not None
        try:
            boxes.map_user(self._host.confinement, prepared.box, prepared.pid)
            prepared.control.send(b"m")
        except OSError as error:
            self._on_failed(prepared, str(error))

    def assign(self, prepared: Prewarmed, wanted: StartRequest) -> None:
        """Assign a waiting runtime to a function, which is then notified."""
        box, control = prepared.box, prepared.control
        assert control is not None
        self._loop.unregister(control)
        prepared.is_assigned = True
        try:
            shown = {
                target: source
                for target, source in wanted.mounts.items()
                if target not in prepared.template.mounts
            }
            copies = self._host.open_sources(shown)
            try:
                boxes.attach(self._host.confinement, box, copies)
            finally:
                messages.close_all(list(copies.values()))
            box.memory_mb = wanted.memory_mb
            if box.group is not None:
                box.group.limit(wanted.memory_mb)
            if not box.limits_memory:
                limit = wanted.memory_mb * 1024 * 1024
                resource.prlimit(prepared.pid, resource.RLIMIT_DATA, (limit, limit))
            if wanted.snapshot is not None:
                wanted.snapshot.restore(
                    prepared.pid,
                    box.processes[prepared.pid],
                    control=control,
                    user=box.host_id if self._host.confinement.is_root else None,
                    on_done=partial(self._on_restored, prepared, wanted),
                )
                return
            self._tell(prepared, wanted)
        except (OSError, ValueError, KeyError) as error:
            self._take_back(prepared, wanted, str(error))
            return
        wanted.on_started(prepared, "")

    def _on_restored(self, prepared: Prewarmed, wanted: StartRequest, failure: str | None) -> None:
        try:
            if failure is not None:
                raise OSError(failure)
            if prepared.pid not in prepared.box.processes:
                raise OSError("the restored process has ended")
            self._tell(prepared, wanted)
        except OSError as error:
            self._take_back(prepared, wanted, str(error))
            return
        wanted.on_started(prepared, "")

    def _tell(self, prepared: Prewarmed, wanted: StartRequest) -> None:
        """Send a runtime its variables, after which it starts."""
        control = prepared.control
        assert control is not None
        control.sendall(json.dumps(dict(wanted.environment)).encode())
        # It reads to the end. Closing is not enough while a child of the launcher has the socket
        # open, too.
        control.shutdown(socket.SHUT_WR)
        control.close()

    def _take_back(self, prepared: Prewarmed, wanted: StartRequest, reason: str) -> None:
        self.discard(prepared)
        wanted.on_started(None, reason)

    def discard(self, prepared: Prewarmed) -> None:
        """Discard a box, whatever its state."""
        prepared.is_lost = True
        if prepared.control is not None and not prepared.is_assigned:
            self._loop.unregister(prepared.control)
        prepared.close()

        def close_volume() -> None:
            if prepared.owns_volume:
                self._host.close_volume(prepared.volume)

        if prepared.box.name in self._host.boxes:
            prepared.box.on_closed = close_volume
            self._host.kill(prepared.box)
        else:
            close_volume()
