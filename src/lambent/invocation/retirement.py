"""Has nodes end what runs code or configuration that is not current any more."""

from collections.abc import Awaitable, Callable

import anyio

from lambent.invocation.ports import Node
from lambent.model.function import FunctionKey, FunctionVersion

Resolve = Callable[[FunctionKey, str], Awaitable[FunctionVersion | None]]
"""The current value of a function's version; None if there is none any more."""


class Retirement:
    """Follows the changes of functions."""

    def __init__(self, node: Node, resolve: Resolve) -> None:
        self._node = node
        self._resolve = resolve
        self._changed: set[FunctionKey] = set()
        self._bell = anyio.Event()

    def note_change(self, key: FunctionKey) -> None:
        """A function was changed or deleted: look at its versions soon."""
        self._changed.add(key)
        self._bell.set()

    async def follow_changes(self) -> None:
        """Retire what is not current, forever. A change that cannot be looked up is kept."""
        while True:
            while self._changed:
                key = self._changed.pop()
                try:
                    self._node.retire(await self._find_stale(key))
                except BaseException:
                    self._changed.add(key)
                    raise
            self._bell = anyio.Event()
            await self._bell.wait()

    async def _find_stale(self, key: FunctionKey) -> set[str]:
        current = dict[str, str | None]()
        stale = set[str]()
        for held in self._node.versions(key):
            if held.version not in current:
                now = await self._resolve(key, held.version)
                current[held.version] = None if now is None else now.configuration_id
            if held.configuration_id != current[held.version]:
                stale.add(held.configuration_id)
        return stale
