"""All hooks, in memory: who guesses addresses costs no look into the database.

They are read when the first request comes after a change.
"""

from collections.abc import Awaitable, Callable, Sequence

import anyio

from lambent.kit.clock import Clock
from lambent.model.changes import Changes
from lambent.model.hooks.hook import SERVICE, Hook
from lambent.triggers.apis.throttling import TokenBucket

Load = Callable[[], Awaitable[Sequence[Hook]]]
"""Reads the hooks of all accounts."""
_BURST_S = 2.0
_TRIES_PER_REQUEST = 10.0
"""How many requests may be refused for each that may be accepted."""


class LiveHook:
    """A hook, its limits, and what has happened to it since the platform started."""

    def __init__(self, hook: Hook, clock: Clock) -> None:
        self._clock = clock
        self.hook = hook
        self.accepted = 0
        self.duplicates = 0
        self.refused = 0
        self.last_refusal: str | None = None
        self._set_limits()

    def update(self, hook: Hook) -> None:
        """The hook has changed."""
        is_other = hook.rate != self.hook.rate
        self.hook = hook
        if is_other:
            self._set_limits()

    def note_refusal(self, message: str) -> None:
        """A request was refused. The message says why, and has nothing of the request."""
        self.refused += 1
        self.last_refusal = message

    def _set_limits(self) -> None:
        rate = self.hook.rate
        self.accepts = TokenBucket(self._clock, rate=rate, burst=max(1.0, rate * _BURST_S))
        """Requests whose senders are known."""
        tries = rate * _TRIES_PER_REQUEST
        self.tries = TokenBucket(self._clock, rate=tries, burst=max(10.0, tries * _BURST_S))
        """Requests of anyone."""


class HookDirectory:
    """See the module. It is a `ChangeListener`."""

    def __init__(self, load: Load, clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._live: dict[str, LiveHook] = {}
        self._is_stale = True
        self._lock = anyio.Lock(fast_acquire=True)

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything or any(root.service == SERVICE for root in changes.documents):
            self._is_stale = True

    async def find(self, hook_id: str) -> LiveHook | None:
        """The hook with an id; None if there is none."""
        if self._is_stale:
            async with self._lock:
                if self._is_stale:
                    await self._read()
        return self._live.get(hook_id)

    async def _read(self) -> None:
        self._is_stale = False
        try:
            hooks = await self._load()
        except BaseException:
            self._is_stale = True
            raise
        before, self._live = self._live, {}
        for hook in hooks:
            live = before.get(hook.id)
            if live is None:
                live = LiveHook(hook, self._clock)
            else:
                live.update(hook)
            self._live[hook.id] = live
