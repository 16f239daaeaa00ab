"""How runtimes start without a function, and the zygotes from which some of them are forked."""

import dataclasses
import selectors
import time
from collections.abc import Iterable
from functools import partial

from lambent.sandbox import messages
from lambent.sandbox.launcher.host import HostResources
from lambent.sandbox.launcher.loop import Loop
from lambent.sandbox.launcher.zygote import Zygote

_FORKED_MB, _EXECUTED_MB = 4, 16
"""The memory of a waiting runtime, estimated generously."""
_FORKED_READY, _EXECUTED_READY = 96, 8
"""How many of a kind are kept, if memory allows."""
_FAILURES_MAX = 3
_PAUSE_S = 60.0
_ZYGOTES_MAX = 8
_ZYGOTE_AGE_MAX_S = 3600.0
"""Children of one zygote share the layout of their address space and the seed of text hashes."""


@dataclasses.dataclass(slots=True, eq=False)
class ZygoteTemplate:
    """How a runtime starts without a function."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    mounts: dict[str, str]
    forks: bool
    """Whether `argv` is a zygote's."""
    zygote: Zygote | None = None
    failures: int = 0
    """In a row. After some of them the template is unusable for a while."""
    failed: float = 0.0
    """Time of the last failure, in monotonic seconds."""

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


Kind = tuple[str, int]
"""Name of a template, size of the volume in MB."""


class Zygotes:
    """The zygotes of the templates, started when they are needed."""

    def __init__(self, host: HostResources, loop: Loop) -> None:
        self._host = host
        self._loop = loop

    def get(self, template: ZygoteTemplate, templates: Iterable[ZygoteTemplate]) -> Zygote:
        """Return the template's zygote, a new one if there is none or it is old. `templates` are
        all templates, the one used longest ago first: if there are too many zygotes, theirs end
        first.

        Raises OSError, ValueError.
        """
        zygote = template.zygote
        is_old = zygote is not None and time.monotonic() - zygote.started > _ZYGOTE_AGE_MAX_S
        if zygote is not None and is_old and not zygote.is_busy:
            self.end(template)
            zygote = None
        if zygote is None:
            self._end_idle(templates)
            zygote = template.zygote = self._start(template)
        return zygote

    def end(self, template: ZygoteTemplate) -> None:
        """End the template's zygote, if there is one."""
        zygote, template.zygote = template.zygote, None
        if zygote is not None:
            self._loop.unregister(zygote.socket)
            zygote.close()
            self._host.reap_later(zygote.pidfd)

    def _start(self, template: ZygoteTemplate) -> Zygote:
        copies = self._host.open_sources(template.mounts)
        try:
            zygote = Zygote(
                self._host.confinement,
                argv=template.argv,
                environment=template.environment,
                mounts=copies,
            )
        finally:
            messages.close_all(list(copies.values()))
        on_readable = partial(self._on_readable, template, zygote)
        self._loop.register(zygote.socket, selectors.EVENT_READ, on_readable)
        return zygote

    def _end_idle(self, templates: Iterable[ZygoteTemplate]) -> None:
        running = [
            template
            for template in templates
            if template.zygote is not None and not template.zygote.is_busy
        ]
        for template in running[: max(0, len(running) + 1 - _ZYGOTES_MAX)]:
            self.end(template)

    def _on_readable(self, template: ZygoteTemplate, zygote: Zygote) -> None:
        if not zygote.on_readable() and template.zygote is zygote:
            self.end(template)
