"""Snapshots of initialised versions, kept for their environments."""

from collections.abc import Awaitable, Callable
from functools import partial

from lambent.kit.backlog import Backlog
from lambent.model.changes import Changes
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.sandbox.ports import Snapshot

_FAILURES_MAX = 3

Resolve = Callable[[FunctionKey, str | None], Awaitable[FunctionVersion | None]]


class Snapshots:
    """Those there are, by configuration; the ones used longest ago go when there are too many."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        """Of all together, and so of any; 0 if there are to be none."""
        self._known: dict[str, tuple[FunctionVersion, Snapshot | None]] = {}
        """By configuration; None stands for a version that cannot be captured."""
        self._bytes = 0
        self._failures: dict[str, int] = {}
        """By configuration: how often in a row it could not be restored."""
        self._changed = Backlog[FunctionKey]()

    def knows(self, function: FunctionVersion) -> bool:
        """Whether it was seen what becomes of the version when it is captured."""
        return function.configuration_id in self._known

    def find(self, function: FunctionVersion) -> Snapshot | None:
        """The version's snapshot, if there is one."""
        known = self._known.pop(function.configuration_id, None)
        if known is None:
            return None
        self._known[function.configuration_id] = known
        return known[1]

    def keep(self, function: FunctionVersion, snapshot: Snapshot | None) -> None:
        """Take over a new snapshot; None if the version cannot be captured."""
        self._forget(function.configuration_id)
        self._known[function.configuration_id] = function, snapshot
        if snapshot is None:
            return
        self._bytes += snapshot.size_bytes
        for configuration_id in list(self._known)[:-1]:
            if self._bytes > self.bytes_max:
                self._forget(configuration_id)

    def note_restore(self, function: FunctionVersion, *, failed: bool) -> None:
        """What cannot be restored time and again is initialised for each environment instead."""
        failures = self._failures.pop(function.configuration_id, 0) + 1
        if not failed or function.configuration_id not in self._known:
            return
        if failures < _FAILURES_MAX:
            self._failures[function.configuration_id] = failures
        else:
            self.keep(function, None)

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`: some versions of what changed may be gone."""
        for function, _ in self._known.values():
            if changes.is_everything or function.key in changes.functions:
                self._changed.add(function.key)

    async def follow_changes(self, resolve: Resolve) -> None:
        """Close the snapshots that no version needs any more, until cancelled."""
        await self._changed.work_off(partial(self._forget_stale, resolve))

    async def _forget_stale(self, resolve: Resolve, key: FunctionKey) -> None:
        for function, _ in list(self._known.values()):
            if function.key == key:
                now = await resolve(function.key, function.version)
                if now is None or now.configuration_id != function.configuration_id:
                    self._forget(function.configuration_id)

    def close(self) -> None:
        """Give all of them back."""
        for configuration_id in list(self._known):
            self._forget(configuration_id)

    def _forget(self, configuration_id: str) -> None:
        self._failures.pop(configuration_id, None)
        known = self._known.pop(configuration_id, None)
        if known is not None and known[1] is not None:
            self._bytes -= known[1].size_bytes
            known[1].close()
