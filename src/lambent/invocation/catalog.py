"""What is deployed, in memory.

The warm path may not ask the database, so what was looked up once is kept until the control
plane says that the function has changed. A look-up that was under way when the change came is
not kept: its answer may be the old one.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable

from lambent.model.function import LATEST, FunctionKey, FunctionVersion

Load = Callable[[FunctionKey, str], Awaitable[FunctionVersion | None]]


class Catalog:
    """Resolved function versions by key and qualifier."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._known: dict[FunctionKey, dict[str, FunctionVersion]] = {}
        self._changes: defaultdict[FunctionKey, int] = defaultdict(int)

    def get_nowait(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """What is known of the function; None means: ask `get`."""
        known = self._known.get(key)
        return known.get(qualifier or LATEST) if known is not None else None

    async def get(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """The version the qualifier leads to, or None if there is no such thing."""
        wanted = qualifier or LATEST
        known = self.get_nowait(key, wanted)
        if known is not None:
            return known
        changes = self._changes[key]
        function = await self._load(key, wanted)
        if function is None:
            if not self._known.get(key):
                self._changes.pop(key, None)
        elif self._changes[key] == changes:
            self._known.setdefault(key, {})[wanted] = function
        return function

    def forget(self, key: FunctionKey) -> None:
        """The function has changed."""
        self._changes[key] += 1
        self._known.pop(key, None)
