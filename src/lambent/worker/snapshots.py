"""Snapshots of initialised versions, kept for their environments."""

from lambent.model.function import FunctionKey, FunctionVersion
from lambent.sandbox.ports import Snapshot


class Snapshots:
    """Those there are, by configuration; the ones used longest ago go when there are too many."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._known: dict[str, tuple[FunctionKey, Snapshot]] = {}
        self._bytes = 0

    def find(self, function: FunctionVersion) -> Snapshot | None:
        """The version's snapshot, if there is one."""
        known = self._known.pop(function.configuration_id, None)
        if known is None:
            return None
        self._known[function.configuration_id] = known
        return known[1]

    def keep(self, function: FunctionVersion, snapshot: Snapshot) -> None:
        """Take over a new snapshot."""
        self._forget(function.configuration_id)
        self._known[function.configuration_id] = function.key, snapshot
        self._bytes += snapshot.size_bytes
        for configuration_id in list(self._known)[:-1]:
            if self._bytes > self._bytes_max:
                self._forget(configuration_id)

    def forget_other(self, key: FunctionKey, current: set[str]) -> None:
        """A function has changed: only snapshots of these configurations are still wanted."""
        for configuration_id, (owner, _) in list(self._known.items()):
            if owner == key and configuration_id not in current:
                self._forget(configuration_id)

    def close(self) -> None:
        """Give all of them back."""
        for configuration_id in list(self._known):
            self._forget(configuration_id)

    def _forget(self, configuration_id: str) -> None:
        known = self._known.pop(configuration_id, None)
        if known is not None:
            self._bytes -= known[1].size_bytes
            known[1].close()
