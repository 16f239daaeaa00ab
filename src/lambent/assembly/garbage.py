"""What a running platform can give back when its owner asks: `lambent gc`.

It looks after this by itself, some time after nobody needs it; here it is done now.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence, Set
from typing import Any

import anyio.to_thread

from lambent.node.code.cache import CodeCache
from lambent.store.blobs import Blobs

CODE, TRASH = "unpacked code", "deleted packages"


@dataclasses.dataclass(frozen=True, slots=True)
class Garbage:
    """Finds and removes what no version refers to."""

    code: CodeCache
    needed: Callable[[], Awaitable[Set[str]]]
    """The packages that any version of a function or layer refers to."""
    blobs: Sequence[Blobs]

    async def find(self) -> list[dict[str, Any]]:
        """What there is: kind, place and bytes of each."""
        unneeded = await self.code.unneeded(await self.needed())
        trash = await anyio.to_thread.run_sync(self._expired)
        return [
            *({"kind": CODE, "place": name, "bytes": size} for name, size in unneeded.items()),
            *trash,
        ]

    async def collect(self) -> list[dict[str, Any]]:
        """Remove it; returns what that was."""
        found = await self.find()
        await self.code.free(await self.needed())
        for blobs in self.blobs:
            await anyio.to_thread.run_sync(blobs.empty_trash)
        return found

    def _expired(self) -> list[dict[str, Any]]:
        return [
            {"kind": TRASH, "place": str(path), "bytes": path.stat().st_size}
            for blobs in self.blobs
            for path in blobs.expired()
        ]
