"""Snapshots of initialised versions, kept for their environments."""

from collections.abc import Collection

from lambent.model.function import FunctionKey, FunctionVersion
from lambent.sandbox.ports import Snapshot

_FAILURES_MAX = 3


class Snapshots:
    """The snapshots, by configuration. When they need too much memory, those used longest ago are
    deleted."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        """Most bytes of all snapshots together; 0 turns snapshots off."""
        self._known: dict[str, tuple[FunctionVersion, Snapshot | None]] = {}
        """By configuration; None stands for a version that cannot be captured."""
        self._bytes = 0
        self._failures: dict[str, int] = {}
        """By configuration: how often in a row it could not be restored."""

    def knows(self, function: FunctionVersion) -> bool:
        """Whether the version has been captured, or cannot be."""
        return function.configuration_id in self._known

    def find(self, function: FunctionVersion) -> Snapshot | None:
        """The version's snapshot, if there is one."""
        known = self._known.pop(function.configuration_id, None)
        if known is None:
            return None
        self._known[function.configuration_id] = known
        return known[1]

    def keep(self, function: FunctionVersion, snapshot: Snapshot | None) -> None:
        """Own a new snapshot; None if the version cannot be captured."""
        self._forget(function.configuration_id)
        self._known[function.configuration_id] = function, snapshot
        if snapshot is None:
            return
        self._bytes += snapshot.size_bytes
        for configuration_id in list(self._known)[:-1]:
            if self._bytes > self.bytes_max:
                self._forget(configuration_id)

    def note_restore(self, function: FunctionVersion, *, failed: bool) -> None:
        """Count failed restores: after three in a row environments are initialised instead."""
        failures = self._failures.pop(function.configuration_id, 0) + 1
        if not failed or function.configuration_id not in self._known:
            return
        if failures < _FAILURES_MAX:
            self._failures[function.configuration_id] = failures
        else:
            self.keep(function, None)

    def versions(self, key: FunctionKey | None) -> list[FunctionVersion]:
        """The versions that are known here: those of one function, or all."""
        known = [function for function, _ in self._known.values()]
        return known if key is None else [function for function in known if function.key == key]

    def retire(self, configuration_ids: Collection[str]) -> None:
        """Forget versions that are not current any more."""
        for configuration_id in configuration_ids:
            self._forget(configuration_id)

    def close(self) -> None:
        """Delete all of them."""
        for configuration_id in list(self._known):
            self._forget(configuration_id)

    def _forget(self, configuration_id: str) -> None:
        self._failures.pop(configuration_id, None)
        known = self._known.pop(configuration_id, None)
        if known is not None and known[1] is not None:
            self._bytes -= known[1].size_bytes
            known[1].close()
