"""What authorizers decide."""

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from lambent.identity.authorizer import Caller
from lambent.kit.clock import Clock

T = TypeVar("T")


class Decision(NamedTuple):
    """Whether a request may pass, and what the authorizer says about its sender."""

    status: int = 200
    """200 if it may; else 401, 403 or 500."""
    event: Mapping[str, Any] | None = None
    """`requestContext.authorizer` of the events."""
    values: Mapping[str, Any] = {}
    """What `$context.authorizer` has: the claims, or the context of a function."""
    challenge: str | None = None
    """The header `www-authenticate` of a refusal."""
    caller: Caller | None = None
    """Who signed the request."""

    @property
    def is_allowed(self) -> bool:
        """Whether the request may pass."""
        return self.status == 200


class Cache(Generic[T]):
    """Results by key, for a while. At most `size` are kept: the oldest go first."""

    def __init__(self, clock: Clock, *, size: int) -> None:
        self._clock = clock
        self._size = size
        self._entries: dict[Any, tuple[float, T]] = {}
        """With the monotonic time at which each ends."""

    def get(self, key: object) -> T | None:
        """The result that was put with this key; None if there is none any more."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock.monotonic():
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: object, value: T, *, lifetime_s: float) -> None:
        """Keep a result for so many seconds."""
        if lifetime_s <= 0:
            return
        self._entries.pop(key, None)
        if len(self._entries) >= self._size:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = self._clock.monotonic() + lifetime_s, value
