"""Things to look at again, and the loop that looks at them."""

from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Generic, TypeVar

import anyio

T = TypeVar("T", bound=Hashable)


class Backlog(Generic[T]):
    """A set with a bell. A thing that is added again while it is looked at is looked at again."""

    def __init__(self) -> None:
        self._waiting: dict[T, None] = {}
        self._bell = anyio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return iter(self._waiting)

    def add(self, item: T) -> None:
        """Have a thing looked at soon."""
        self._waiting[item] = None
        self._bell.set()

    async def work_off(self, look: Callable[[T], Awaitable[object]]) -> None:
        """Look at each thing, the oldest first, until cancelled. If `look` raises, the thing stays
        in the backlog and the exception is the caller's, which calls this again later."""
        while True:
            while self._waiting:
                item = next(iter(self._waiting))
                del self._waiting[item]
                try:
                    await look(item)
                except BaseException:
                    self._waiting[item] = None
                    raise
            self._bell = anyio.Event()
            await self._bell.wait()
