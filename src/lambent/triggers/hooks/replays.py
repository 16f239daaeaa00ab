"""Recognizes copies of signed requests.

What was accepted is remembered until a copy would be refused for its age. The memory is that of the
process. After a start it is empty, so what was signed before is refused if its sender signs again
when it retries. Among several nodes, each remembers what it has accepted, and the front asks all of
them; what a node remembered is lost with it.
"""

import enum

from lambent.kit.clock import Clock
from lambent.triggers.hooks.kind import Once

_PER_HOOK_MAX = 100_000
_ALL_MAX = 400_000
"""Requests that are remembered, with about 150 bytes each."""


class Seen(enum.Enum):
    """Whether a request was made before."""

    NEVER = enum.auto()
    """It is remembered from now on. `settle` or `remove` must follow."""
    NOW = enum.auto()
    """Its first copy is being delivered, which may still fail."""
    BEFORE = enum.auto()
    """It was accepted."""


class TooMany(Exception):
    """No further request can be remembered now."""


class Stale(Exception):
    """A request was signed before this platform started."""


class Replays:
    """See the module."""

    def __init__(
        self, clock: Clock, *, per_hook_max: int = _PER_HOOK_MAX, all_max: int = _ALL_MAX
    ) -> None:
        self._clock = clock
        self._started = clock.now()
        self._per_hook_max = per_hook_max
        self._all_max = all_max
        self._hooks: dict[str, dict[bytes, float]] = {}
        """By hook: what is remembered, and until when, in the order of arrival."""
        self._unsettled = set[tuple[str, bytes]]()
        self._count = 0

    def add(self, hook_id: str, once: Once) -> Seen:
        """Remember a request unless it is a copy. Raises `TooMany` and `Stale`."""
        # Times of signatures are whole seconds.
        if once.signed_at is not None and once.signed_at < int(self._started):
            raise Stale
        now = self._clock.now()
        known = self._hooks.setdefault(hook_id, {})
        expires = known.get(once.key)
        if (hook_id, once.key) in self._unsettled:
            return Seen.NOW
        if expires is not None and expires > now:
            return Seen.BEFORE
        if expires is not None:
            self._remove(known, once.key)
        if len(known) >= self._per_hook_max or self._count >= self._all_max:
            self._forget_expired(now)
            known = self._hooks.setdefault(hook_id, {})
            if len(known) >= self._per_hook_max or self._count >= self._all_max:
                raise TooMany
        known[once.key] = once.expires
        self._unsettled.add((hook_id, once.key))
        self._count += 1
        return Seen.NEVER

    def find(self, hook_id: str, key: bytes) -> Seen:
        """Whether a request was made before; it is not remembered."""
        expires = self._hooks.get(hook_id, {}).get(key)
        if (hook_id, key) in self._unsettled:
            return Seen.NOW
        return Seen.BEFORE if expires is not None and expires > self._clock.now() else Seen.NEVER

    def settle(self, hook_id: str, once: Once) -> None:
        """A request was delivered."""
        self._unsettled.discard((hook_id, once.key))

    def remove(self, hook_id: str, once: Once) -> None:
        """Forget a request that was not delivered, so that it can be sent again."""
        self._unsettled.discard((hook_id, once.key))
        known = self._hooks.get(hook_id, {})
        if once.key in known:
            self._remove(known, once.key)

    def _remove(self, known: dict[bytes, float], key: bytes) -> None:
        del known[key]
        self._count -= 1

    def _forget_expired(self, now: float) -> None:
        for hook_id, known in list(self._hooks.items()):
            left = {key: expires for key, expires in known.items() if expires > now}
            self._count -= len(known) - len(left)
            if left:
                self._hooks[hook_id] = left
            else:
                del self._hooks[hook_id]
