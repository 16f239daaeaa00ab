"""Prewarmed runtimes, so that starting a function only means attaching its code.

A template says how a runtime starts without a function: forked from a zygote, or executed. From it
the warm pool creates boxes in which such a runtime waits, without privileges like any function's
process, and without data of any customer. To become a function's environment, a box gets the code
mounted from outside and its limits set, and the waiting process gets its environment variables.

The pool refills in quiet moments, up to a memory limit, with the kinds that were needed last. A
burst beyond it uses the same steps, one after the other. If a kind cannot be prewarmed, the error
makes the platform execute the runtime instead.
"""

import contextlib
import os
import sys
import time
from collections import defaultdict, deque
from functools import partial

from lambent.sandbox.launcher.host import HostResources
from lambent.sandbox.launcher.loop import Loop
from lambent.sandbox.launcher.prewarmed import Builder, Prewarmed, StartRequest
from lambent.sandbox.launcher.templates import Kind, Zygotes, ZygoteTemplate

_RECENT_S = 60.0
"""A kind that was needed within this time does not make room for another."""
_KINDS_MAX = 128
_RESERVE_MB_MIN, _RESERVE_SHARE = 256, 0.05
"""The part of the host's memory that stays free."""
_MAKING_MAX = 4
"""At the same time: the launcher's part is sequential anyway."""
_DEADLINE_S = 10.0


class WarmPool:
    """Templates, and boxes created from them."""

    def __init__(self, host: HostResources, loop: Loop, memory_mb: int) -> None:
        self._host = host
        self._loop = loop
        self._zygotes = Zygotes(host, loop)
        self._maker = Builder(host, loop, on_ready=self._on_ready, on_failed=self._fail)
        self._memory_mb = memory_mb
        self._reserve_mb = max(_RESERVE_MB_MIN, int(_total_mb() * _RESERVE_SHARE))
        self._is_closed = False
        self._templates: dict[str, ZygoteTemplate] = {}
        self._kinds: dict[Kind, float] = {}
        """When they were last needed, in monotonic seconds and in that order. Few are known."""
        self._ready: defaultdict[Kind, deque[Prewarmed]] = defaultdict(deque)
        self._making: set[Prewarmed] = set()
        self._waiting: defaultdict[Kind, deque[StartRequest]] = defaultdict(deque)

    def declare(self, template: ZygoteTemplate, volume_mb: int) -> None:
        """Register how a runtime starts, and that such boxes will be needed soon."""
        self._templates.setdefault(template.name, template)
        kind = (template.name, volume_mb)
        self._kinds.pop(kind, None)
        self._kinds[kind] = time.monotonic()
        if len(self._kinds) > _KINDS_MAX:
            self._forget_oldest()

    def start(
        self, template: ZygoteTemplate, wanted: StartRequest, *, volume_mb: int, volume: str | None
    ) -> None:
        """Assign a box to a function: a prewarmed one if there is one and the function brings no
        volume.

        Raises ValueError if the template is not usable.
        """
        self.declare(template, volume_mb)
        template = self._templates[template.name]
        kind = (template.name, volume_mb)
        if not template.is_usable:
            raise ValueError(f"the template {template.name!r} cannot be used")
        if volume is not None:
            self._make(template, kind, volume=volume, wanted=wanted)
            return
        if self._ready[kind]:
            self._maker.assign(self._ready[kind].popleft(), wanted)
            return
        self._waiting[kind].append(wanted)
        self._serve_waiting()

    # -- prepared in advance ---------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether there is nothing to prepare."""
        return self._next_to_make() is None

    def make_one(self) -> None:
        """Begin to prewarm one more box. Raises OSError, also if the host is low on memory."""
        if _available_mb() < self._reserve_mb:
            raise OSError("the host has no memory for prewarmed boxes")
        kind = self._next_to_make()
        if kind is not None:
            if self._free_mb < self._templates[kind[0]].memory_mb:
                self._give_up_oldest(kind)
            self._make(self._templates[kind[0]], kind)

    @property
    def _free_mb(self) -> int:
        """What the limit leaves."""
        used = sum(build.template.memory_mb for build in self._making)
        for kind, ready in self._ready.items():
            used += len(ready) * self._templates[kind[0]].memory_mb
        return self._memory_mb - used

    def _next_to_make(self) -> Kind | None:
        if len(self._making) >= _MAKING_MAX:
            return None
        for kind in reversed(self._kinds):
            template = self._templates[kind[0]]
            count = len(self._ready[kind]) + sum(build.kind == kind for build in self._making)
            is_possible = template.is_usable and self._host.has_volumes(kind[1])
            if is_possible and count < template.ready_max:
                has_room = self._free_mb >= template.memory_mb or self._oldest_but(kind)
                return kind if has_room else None
        return None

    def _oldest_but(self, kind: Kind) -> Kind | None:
        """Return the kind that has not been needed for longest and has boxes to give up."""
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
            self._maker.discard(self._ready[oldest].popleft())

    def _forget_oldest(self) -> None:
        """Forget, of the kinds that no caller waits for, the one needed longest ago, and its
        template if it was the last with that."""
        under_way = {build.kind for build in self._making}
        idle = (kind for kind in self._kinds if kind not in under_way and kind not in self._waiting)
        kind = next(idle, None)
        if kind is None:
            return
        del self._kinds[kind]
        for prepared in self._ready.pop(kind, ()):
            self._maker.discard(prepared)
        if all(name != kind[0] for name, _ in self._kinds):
            self._zygotes.end(self._templates.pop(kind[0]))

    # -- creating boxes --------------------------------------------------------------------

    def _make(
        self,
        template: ZygoteTemplate,
        kind: Kind,
        *,
        volume: str | None = None,
        wanted: StartRequest | None = None,
    ) -> None:
        """Begin to create a box. Raises OSError, KeyError, ValueError."""
        zygote = self._zygotes.get(template, self._by_age()) if template.forks else None
        prepared = self._maker.begin(
            template,
            kind,
            volume=volume,
            wanted=wanted,
            zygote=zygote,
            rehearses=wanted is None and not self._waiting.get(kind),
        )
        self._making.add(prepared)
        self._loop.after(_DEADLINE_S, partial(self._give_up, prepared))
        self._maker.start(prepared)

    def _give_up(self, prepared: Prewarmed) -> None:
        if prepared in self._making:
            self._fail(prepared, f"it was not ready within {_DEADLINE_S:g} s")

    def _by_age(self) -> list[ZygoteTemplate]:
        """The templates, the one needed longest ago first."""
        return list(dict.fromkeys(self._templates[name] for name, _ in self._kinds))

    def _on_ready(self, prepared: Prewarmed) -> None:
        """Use a box for the function that waits for this one, or for any."""
        self._making.discard(prepared)
        prepared.template.failures = 0
        wanted = prepared.wanted
        if wanted is None and (waiting := self._who_waits(prepared.kind)):
            wanted = waiting.popleft()
        if wanted is None:
            self._ready[prepared.kind].append(prepared)
        else:
            self._maker.assign(prepared, wanted)
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        """Create boxes for the functions that wait, some at a time."""
        while len(self._making) < _MAKING_MAX and (kind := self._next_waiting()) is not None:
            try:
                self._make(self._templates[kind[0]], kind)
            except (OSError, KeyError, ValueError) as error:
                self._waiting[kind].popleft().on_started(None, str(error))

    def _next_waiting(self) -> Kind | None:
        """Return a kind for which more functions wait than boxes are being created; it is last in
        line then."""
        for kind in list(self._waiting):
            waiting = self._who_waits(kind)
            under_way = sum(build.kind == kind and build.wanted is None for build in self._making)
            if not waiting:
                del self._waiting[kind]
            elif under_way < len(waiting):
                self._waiting[kind] = self._waiting.pop(kind)
                return kind
        return None

    def _who_waits(self, kind: Kind) -> deque[StartRequest]:
        """Return the functions that wait for a kind, without those whose callers no longer wait."""
        waiting = self._waiting[kind]
        while waiting and waiting[0].deadline < time.monotonic():
            waiting.popleft().on_started(None, "it took too long")
        return waiting

    def _fail(self, prepared: Prewarmed, reason: str) -> None:
        """A box did not become ready, or its runtime ended while it waited."""
        if prepared.is_lost or self._is_closed:
            return
        template = prepared.template
        template.failures += 1
        template.failed = time.monotonic()
        print(f"launcher: cannot prepare {template.name}: {reason}", file=sys.stderr)
        self._making.discard(prepared)
        with contextlib.suppress(ValueError):
            self._ready[prepared.kind].remove(prepared)
        self._maker.discard(prepared)
        if prepared.wanted is not None:
            prepared.wanted.on_started(None, reason)
        if not template.is_usable:
            for kind, waiting in self._waiting.items():
                while kind[0] == template.name and waiting:
                    waiting.popleft().on_started(None, reason)
        self._serve_waiting()

    def close(self) -> None:
        """End the zygotes; ending the boxes is up to the host."""
        self._is_closed = True
        for template in self._templates.values():
            self._zygotes.end(template)


def _total_mb() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1 << 20)


def _available_mb() -> int:
    """The memory that the host still has."""
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return _total_mb()
