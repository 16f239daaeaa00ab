"""How the tasks of a mapping stop."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import anyio

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most


class Stop:
    """Set once. Reading then ends at once; work in progress continues to its end. A stop with a
    `whole` belongs to a part of it: it is set when the whole is, or earlier."""

    def __init__(self, whole: "Stop | None" = None) -> None:
        self.is_set: bool = whole is not None and whole.is_set
        self._whole = whole
        self._parts: set[Stop] = set()
        if whole is not None:
            whole._parts.add(self)
        self._scopes: set[anyio.CancelScope] = set()
        self._under_way = 0
        self._quiet = anyio.Event()
        self._quiet.set()

    def set(self) -> None:
        """Stop."""
        self.is_set = True
        if self._whole is not None:
            self._whole._parts.discard(self)
        for part in list(self._parts):
            part.set()
        for scope in self._scopes:
            scope.cancel()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """The block is work that is not cancelled, such as a batch."""
        if not self._under_way:
            self._quiet = anyio.Event()
        self._under_way += 1
        try:
            with nullcontext() if self._whole is None else self._whole.under_way():
                yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def wait_quiet(self, clock: Clock, seconds: float) -> None:
        """Wait until no work is in progress, for at most `seconds`."""
        await wait_at_most(clock, self._quiet, seconds)

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """The block is cancelled when the stop is set. It then ends without an exception."""
        with anyio.CancelScope() as scope:
            if self.is_set:
                scope.cancel()
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
