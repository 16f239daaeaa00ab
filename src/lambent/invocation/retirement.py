"""Has nodes end what runs code or configuration that is not current any more."""

from collections.abc import Awaitable, Callable

from lambent.invocation.ports import Node
from lambent.kit.backlog import Backlog
from lambent.model.changes import Changes
from lambent.model.debugging import DebuggedVersion
from lambent.model.function import FunctionKey, FunctionVersion

Resolve = Callable[[FunctionKey, str], Awaitable[FunctionVersion | None]]
"""The current value of a function's version; None if there is none any more."""


class Retirement:
    """Follows the changes of functions. A `ChangeListener`."""

    def __init__(self, node: Node, resolve: Resolve) -> None:
        self._node = node
        self._resolve = resolve
        self._changed = Backlog[FunctionKey]()

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`: the versions of what changed are looked at soon."""
        if changes.is_everything:
            for version in self._node.versions():
                self._changed.add(version.key)
        for key in changes.functions:
            self._changed.add(key)

    async def follow_changes(self) -> None:
        """Retire versions that are not current, until cancelled."""
        await self._changed.work_off(self._retire_stale)

    async def _retire_stale(self, key: FunctionKey) -> None:
        current = dict[str, str | None]()
        stale = set[str]()
        for held in self._node.versions(key):
            if isinstance(held, DebuggedVersion):
                continue  # Its one call retires it.
            if held.version not in current:
                now = await self._resolve(key, held.version)
                current[held.version] = None if now is None else now.configuration_id
            if held.configuration_id != current[held.version]:
                stale.add(held.configuration_id)
        self._node.retire(stale)
