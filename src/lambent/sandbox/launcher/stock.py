"""Runtimes prepared ahead of demand, so that starting a function is attaching its code.

A template says how a runtime starts without a function: forked from a zygote, or executed. From it
the stock makes boxes in which such a runtime waits, locked down like any function's process, with
nothing of any customer. To become a function's environment a box gets the code mounted from
outside, its limits set, and the waiting process its environment variables.

The stock refills in quiet moments, up to a bound of memory, with what was wanted last. A burst
beyond it is served by the same steps, one after the other. What cannot be prepared is an error
that tells the platform to execute instead.
"""

import contextlib
import dataclasses
import json
import os
import resource
import selectors
import socket
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from functools import partial

from lambent.sandbox import messages
from lambent.sandbox.launcher import box as boxes
from lambent.sandbox.launcher import linux
from lambent.sandbox.launcher.box import Box
from lambent.sandbox.launcher.host import Host
from lambent.sandbox.launcher.zygote import Zygote

_FORKED_MB, _EXECUTED_MB = 4, 16
"""What a waiting runtime takes of the host's memory, counted generously."""
_FORKED_READY, _EXECUTED_READY = 96, 8
"""How many of a kind are kept, if memory allows."""
_RECENT_S = 60.0
"""What was wanted within this time is not given up for something else."""
_ZYGOTES_MAX = 8
_TEMPLATES_MAX = 1000
_RESERVE_MB_MIN, _RESERVE_SHARE = 256, 0.05
"""What is left alone of the host's memory."""
_MAKING_MAX = 4
"""At once: the launcher's part is done one after the other anyway."""
_DEADLINE_S = 10.0
_FAILURES_MAX = 3
_PAUSE_S = 60.0
_ZYGOTE_AGE_MAX_S = 3600.0
"""Children of one zygote share their address space's layout and the seed of text hashes."""


@dataclasses.dataclass(slots=True, eq=False)
class Template:
    """How a runtime starts without a function."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    mounts: dict[str, str]
    forks: bool
    """Whether `argv` is a zygote's."""
    zygote: Zygote | None = None
    failures: int = 0
    """In a row. After some the template counts as unusable for a while."""
    failed: float = 0.0
    """When the last was, in monotonic seconds."""

    @property
    def is_usable(self) -> bool:
        is_over = time.monotonic() > self.failed + _PAUSE_S
        return self.failures < _FAILURES_MAX or is_over

    @property
    def memory_mb(self) -> int:
        return _FORKED_MB if self.forks else _EXECUTED_MB

    @property
    def ready_max(self) -> int:
        return _FORKED_READY if self.forks else _EXECUTED_READY


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A function that waits for a box."""

    memory_mb: int
    mounts: Mapping[str, str]
    environment: Mapping[str, str]
    on_started: Callable[["Prepared | None", str], None]
    """Gets the box that is the function's now, or why there is none."""


Kind = tuple[str, int]
"""Name of a template, size of the volume in MB."""


@dataclasses.dataclass(slots=True, eq=False)
class Prepared:
    """A box with a runtime in it that waits, or is about to."""

    template: Template
    kind: Kind
    volume: str
    box: Box
    wanted: Wanted | None
    """The function it is made for; None if for any."""
    control: socket.socket | None = None
    outputs: list[int] = dataclasses.field(default_factory=list)
    """Read ends of the output and of the framed log."""
    pid: int = -1
    began: float = dataclasses.field(default_factory=time.monotonic)
    said: bytes = b""
    """Its last word, if nobody has acted on it."""
    is_lost: bool = False

    def close(self) -> None:
        """Close what is only for who has the box."""
        if self.control is not None:
            self.control.close()
        messages.close_all(self.outputs)


class Stock:
    """Templates, and boxes made from them."""

    def __init__(self, host: Host, selector: selectors.BaseSelector, memory_mb: int) -> None:
        self._host = host
        self._selector = selector
        self._memory_mb = memory_mb
        self._reserve_mb = max(_RESERVE_MB_MIN, int(_total_mb() * _RESERVE_SHARE))
        self._is_closed = False
        self._templates: dict[str, Template] = {}
        self._kinds: dict[Kind, float] = {}
        """When they were last wanted, in monotonic seconds and in that order."""
        self._ready: defaultdict[Kind, deque[Prepared]] = defaultdict(deque)
        self._making: set[Prepared] = set()
        self._waiting: defaultdict[Kind, deque[Wanted]] = defaultdict(deque)

    def declare(self, template: Template, volume_mb: int) -> None:
        """Make known how a runtime starts, and that such boxes will be wanted soon.

        Raises ValueError if there are too many.
        """
        if len(self._kinds) >= _TEMPLATES_MAX and (template.name, volume_mb) not in self._kinds:
            raise ValueError(f"more than {_TEMPLATES_MAX} kinds of templates")
        template = self._templates.setdefault(template.name, template)
        self._note_wanted((template.name, volume_mb))

    def start(self, name: str, wanted: Wanted, *, volume_mb: int, volume: str | None) -> None:
        """Give a function a box: a prepared one if there is one and it brings no volume.

        Raises ValueError if the template is not known or not usable.
        """
        template = self._templates.get(name)
        if template is None or not template.is_usable:
            raise ValueError(f"the template {name!r} cannot be used")
        kind = (name, volume_mb)
        if volume is not None:
            self._make(template, kind, volume, wanted)
            return
        self._note_wanted(kind)
        if self._ready[kind]:
            self._assign(self._ready[kind].popleft(), wanted)
            return
        self._waiting[kind].append(wanted)
        self._serve_waiting()

    # -- ahead of need ---------------------------------------------------------------------

    @property
    def is_making(self) -> bool:
        """Whether something is on its way: then `give_up_late` wants to be called now and then."""
        return bool(self._making)

    def give_up_late(self) -> None:
        """Give up what should have been ready long ago."""
        late = time.monotonic() - _DEADLINE_S
        for prepared in [one for one in self._making if one.began < late]:
            self._fail(prepared, f"it was not ready within {_DEADLINE_S:g} s")

    @property
    def is_full(self) -> bool:
        """Whether there is nothing to make ahead."""
        return self._next_to_make() is None

    def make_one(self) -> None:
        """Begin to make one more box ahead of need. Raises OSError, also if the host is short of
        memory."""
        if _available_mb() < self._reserve_mb:
            raise OSError("there is no memory to prepare anything")
        kind = self._next_to_make()
        if kind is not None:
            if self._free_mb < self._templates[kind[0]].memory_mb:
                self._give_up_oldest(kind)
            self._make(self._templates[kind[0]], kind, None, None)

    @property
    def _free_mb(self) -> int:
        """What the bound leaves."""
        used = sum(one.template.memory_mb for one in self._making)
        for kind, ready in self._ready.items():
            used += len(ready) * self._templates[kind[0]].memory_mb
        return self._memory_mb - used

    def _next_to_make(self) -> Kind | None:
        if len(self._making) >= _MAKING_MAX:
            return None
        for kind in reversed(self._kinds):
            template = self._templates[kind[0]]
            count = len(self._ready[kind]) + sum(one.kind == kind for one in self._making)
            if template.is_usable and count < template.ready_max:
                has_room = self._free_mb >= template.memory_mb or self._oldest_but(kind)
                return kind if has_room else None
        return None

    def _oldest_but(self, kind: Kind) -> Kind | None:
        """What has not been wanted for long and has boxes to give up."""
        before = time.monotonic() - _RECENT_S
        for other, when in self._kinds.items():
            if when > before or other == kind:
                return None
            if self._ready[other]:
                return other
        return None

    def _give_up_oldest(self, kind: Kind) -> None:
        oldest = self._oldest_but(kind)
        if oldest is not None:
            prepared = self._ready[oldest].popleft()
            assert prepared.control is not None
            self._selector.unregister(prepared.control)
            self._discard(prepared)

    def _note_wanted(self, kind: Kind) -> None:
        self._kinds.pop(kind, None)
        self._kinds[kind] = time.monotonic()

    # -- making ----------------------------------------------------------------------------

    def _make(
        self, template: Template, kind: Kind, volume: str | None, wanted: Wanted | None
    ) -> None:
        """Begin to make a box. What happens next is told by its zygote and by itself."""
        own_volume = volume is None
        if volume is None:
            volume = self._host.open_volume(kind[1])

        try:
            box = self._host.open_box(memory_mb=None, mounts=template.mounts, volume=volume)
        except BaseException:
            if own_volume:
                self._host.close_volume(volume)
            raise
        prepared = Prepared(template, kind, volume, box, wanted)
        self._making.add(prepared)
        self._start_process(prepared)

    def _start_process(self, prepared: Prepared) -> None:
        """Start the runtime in a new box."""
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        control.setblocking(False)
        prepared.control = control
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        prepared.outputs = [read for read, _ in pipes]
        outputs = [write for _, write in pipes]
        self._selector.register(control, selectors.EVENT_READ, partial(self._on_word, prepared))
        try:
            if prepared.template.forks:
                self._fork(prepared, outputs, theirs.fileno())
            else:
                self._execute(prepared, outputs, theirs.fileno())
        except OSError as error:
            self._fail(prepared, str(error))
        finally:
            theirs.close()
            messages.close_all(outputs)

    def _execute(self, prepared: Prepared, outputs: list[int], control: int) -> None:
        pid, pidfd = boxes.spawn(
            self._host.confinement,
            prepared.box,
            argv=prepared.template.argv,
            environment=prepared.template.environment,
            outputs=outputs,
            control=control,
        )
        self._host.watch(prepared.box, pid, pidfd)
        prepared.pid = pid

    def _fork(self, prepared: Prepared, outputs: list[int], control: int) -> None:
        template, box = prepared.template, prepared.box
        entry = boxes.describe_entry(
            self._host.confinement, box, outputs=outputs, control=control, executes=False
        )

        def on_forked(pid: int, pidfd: int) -> None:
            if pid < 0:
                self._fail(prepared, zygote.failure)
                return
            if prepared.is_lost:
                # Killed with its box; the box's init cannot end before it has been reaped.
                linux.reap(pidfd)
                os.close(pidfd)
                return
            box.processes[pid] = pidfd
            self._host.watch(box, pid, pidfd)
            prepared.pid = pid
            self._advance(prepared)

        zygote = self._zygote(template)
        is_awaited = prepared.wanted is not None or bool(self._waiting.get(prepared.kind))
        zygote.fork(entry, box.cgroup_fd, on_forked, rehearses=not is_awaited)

    def _zygote(self, template: Template) -> Zygote:
        zygote = template.zygote
        is_old = zygote is not None and time.monotonic() - zygote.started > _ZYGOTE_AGE_MAX_S
        if zygote is not None and is_old and not zygote.is_busy:
            self._end_zygote(template)
            zygote = None
        if zygote is None:
            self._end_idle_zygotes()
            copies = self._host.open_sources(template.mounts)
            try:
                zygote = template.zygote = Zygote(
                    self._host.confinement,
                    argv=template.argv,
                    environment=template.environment,
                    mounts=copies,
                )
            finally:
                messages.close_all(list(copies.values()))
            self._selector.register(
                zygote.socket, selectors.EVENT_READ, partial(self._on_zygote, template, zygote)
            )
        return zygote

    def _end_idle_zygotes(self) -> None:
        """Make room for one more zygote: those wanted longest ago go first."""
        running = [
            template
            for template in dict.fromkeys(self._templates[name] for name, _ in self._kinds)
            if template.zygote is not None and not template.zygote.is_busy
        ]
        for template in running[: max(0, len(running) + 1 - _ZYGOTES_MAX)]:
            self._end_zygote(template)

    def _on_zygote(self, template: Template, zygote: Zygote) -> None:
        if not zygote.on_readable() and template.zygote is zygote:
            self._end_zygote(template)

    def _end_zygote(self, template: Template) -> None:
        zygote, template.zygote = template.zygote, None
        if zygote is not None:
            self._selector.unregister(zygote.socket)
            zygote.close()

    def _on_word(self, prepared: Prepared) -> None:
        """A waiting runtime says that it is ready, what went wrong, or ends."""
        assert prepared.control is not None
        try:
            said = prepared.control.recv(4096)
        except OSError as error:
            said = f"!{error}".encode()
        if said in (b"mapping", b"ready"):
            prepared.said = said
            self._advance(prepared)
        else:
            self._fail(prepared, said[1:].decode(errors="replace") or "it ended")

    def _advance(self, prepared: Prepared) -> None:
        """Do what a process asks for, once it is known, and use the box when it is ready."""
        if prepared.pid < 0 or not prepared.said:
            return
        if prepared.said == b"mapping":
            prepared.said = b""
            self._map_user(prepared)
            return
        self._making.discard(prepared)
        prepared.template.failures = 0
        waiting = self._waiting[prepared.kind]
        wanted = prepared.wanted
        if wanted is None and waiting:
            wanted = waiting.popleft()
        if wanted is None:
            self._ready[prepared.kind].append(prepared)
        else:
            self._assign(prepared, wanted)
        self._serve_waiting()

    def _map_user(self, prepared: Prepared) -> None:
        assert prepared.control is not None
        try:
            boxes.map_user(self._host.confinement, prepared.box, prepared.pid)
            prepared.control.send(b"m")
        except OSError as error:
            self._fail(prepared, str(error))

    def _serve_waiting(self) -> None:
        """Make boxes for the functions that wait, some at a time."""
        for kind, waiting in list(self._waiting.items()):
            if not waiting:
                del self._waiting[kind]
                continue
            under_way = sum(one.kind == kind and one.wanted is None for one in self._making)
            while under_way < len(waiting) and len(self._making) < _MAKING_MAX:
                try:
                    self._make(self._templates[kind[0]], kind, None, None)
                except OSError as error:
                    waiting.popleft().on_started(None, str(error))
                else:
                    under_way += 1

    # -- use and ends ----------------------------------------------------------------------

    def _assign(self, prepared: Prepared, wanted: Wanted) -> None:
        """Make a waiting runtime a function's."""
        box, control = prepared.box, prepared.control
        assert control is not None
        self._selector.unregister(control)
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
            else:
                limit = wanted.memory_mb * 1024 * 1024
                resource.prlimit(prepared.pid, resource.RLIMIT_DATA, (limit, limit))
            control.sendall(json.dumps(dict(wanted.environment)).encode())
        except (OSError, ValueError) as error:
            self._discard(prepared)
            wanted.on_started(None, str(error))
            return
        control.close()
        wanted.on_started(prepared, "")

    def _fail(self, prepared: Prepared, reason: str) -> None:
        """A box did not get ready, or its runtime ended while it waited."""
        if prepared.is_lost or self._is_closed:
            return
        template = prepared.template
        template.failures += 1
        template.failed = time.monotonic()
        print(f"launcher: cannot prepare {template.name}: {reason}", file=sys.stderr)
        self._making.discard(prepared)
        with contextlib.suppress(ValueError):
            self._ready[prepared.kind].remove(prepared)
        if prepared.control is not None:
            self._selector.unregister(prepared.control)
        self._discard(prepared)
        if prepared.wanted is not None:
            prepared.wanted.on_started(None, reason)
        if not template.is_usable:
            for kind, waiting in self._waiting.items():
                while kind[0] == template.name and waiting:
                    waiting.popleft().on_started(None, reason)
        self._serve_waiting()

    def _discard(self, prepared: Prepared) -> None:
        prepared.is_lost = True
        prepared.close()
        give_back = partial(self._host.close_volume, prepared.volume)
        if prepared.box.name in self._host.boxes:
            prepared.box.on_closed = give_back
            self._host.kill(prepared.box)
        else:
            give_back()

    def close(self) -> None:
        """End the zygotes; the boxes are the host's to end."""
        self._is_closed = True
        for template in self._templates.values():
            self._end_zygote(template)


def _total_mb() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1 << 20)


def _available_mb() -> int:
    """What the host could still give."""
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return _total_mb()
