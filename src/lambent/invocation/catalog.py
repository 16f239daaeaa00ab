"""What is deployed, in memory.

The warm path may not ask the database, so what was looked up once is kept until the control
plane says that the function has changed. A look-up that was under way when the change came is
not kept: its answer may be the old one. What has changed is looked up again at once, ahead of the
first call.
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
        """What is known of the function; None means: ask `get`."""
        known = self._known.get(key)
        return known.get(qualifier or LATEST) if known is not None else None

    async def get(self, key: FunctionKey, qualifier: str | None) -> Route | None:
        """Where the qualifier leads to, or None if there is no such thing."""
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
        """How many functions anything is remembered of."""
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
