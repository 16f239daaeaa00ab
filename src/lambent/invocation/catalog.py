"""What is deployed, in memory.

The warm path may not ask the database, so the result of a look-up is kept until the control plane
says that the function has changed. The result of a look-up that was under way at that moment is
not kept: it may be outdated. A changed function is looked up again at once, before its first call.
"""

from collections.abc import Awaitable, Callable

from lambent.kit.backlog import Backlog
from lambent.model.alias import Route
from lambent.model.changes import Changes
from lambent.model.function import LATEST, FunctionKey

Load = Callable[[FunctionKey, str], Awaitable[Route | None]]


class Catalog:
    """Where invocations go, by function and qualifier."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._known: dict[FunctionKey, dict[str, Route]] = {}
        self._looking: dict[FunctionKey, set[object]] = {}
        """Look-ups under way whose function has not changed since they began."""
        self._changed = Backlog[tuple[FunctionKey, str]]()

    def get_nowait(self, key: FunctionKey, qualifier: str | None) -> Route | None:
        """The route if it is in memory; None means: await `get`."""
        known = self._known.get(key)
        return known.get(qualifier or LATEST) if known is not None else None

    async def get(self, key: FunctionKey, qualifier: str | None) -> Route | None:
        """The route of the qualifier, or None if there is none."""
        wanted = qualifier or LATEST
        known = self.get_nowait(key, wanted)
        if known is not None:
            return known
        this = object()
        looking = self._looking.setdefault(key, set())
        looking.add(this)
        try:
            route = await self._load(key, wanted)
            if route is not None and self._looking.get(key) is looking:
                self._known.setdefault(key, {})[wanted] = route
        finally:
            looking.discard(this)
            if not looking and self._looking.get(key) is looking:
                del self._looking[key]
        return route

    @property
    def size(self) -> int:
        """Number of functions that have an entry."""
        changed = {key for key, _ in self._changed}
        return len(self._known.keys() | self._looking.keys() | changed)

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        for key in changes.functions:
            self.forget(key)
        if changes.is_everything:
            for key in [*self._known, *self._looking]:
                self.forget(key)

    def forget(self, key: FunctionKey) -> None:
        """The function has changed."""
        self._looking.pop(key, None)
        for qualifier in {LATEST, *self._known.pop(key, ())}:
            self._changed.add((key, qualifier))

    async def follow_changes(self) -> None:
        """Look up what has changed, until cancelled."""
        await self._changed.work_off(self._look_up)

    async def _look_up(self, which: tuple[FunctionKey, str]) -> None:
        await self.get(*which)
