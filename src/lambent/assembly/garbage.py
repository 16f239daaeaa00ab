"""Removes what a running platform does not need: `lambent gc`.

The platform does this by itself after some time; this does it now.
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
    """Finds and removes files that no version refers to."""

    code: CodeCache
    needed: Callable[[], Awaitable[Set[str]]]
    """The packages that any version of a function or layer refers to."""
    blobs: Sequence[Blobs]

    async def find(self) -> list[dict[str, Any]]:
        """Kind, place and bytes of each."""
        unneeded = await self.code.unneeded(await self.needed())
        trash = await anyio.to_thread.run_sync(self._expired)
        return [
            *({"kind": CODE, "place": name, "bytes": size} for name, size in unneeded.items()),
            *trash,
        ]

    async def collect(self) -> list[dict[str, Any]]:
        """Remove them; returns kind, place and bytes of each."""
        found = await self.find()
        await self.code.free(await self.needed())
        for blobs in self.blobs:
            await anyio.to_thread.run_sync(blobs.empty_trash)
        return found

    def _expired(self) -> list[dict[str, Any]]:
        return [
            {"kind": TRASH, "place": trashed.place, "bytes": trashed.size}
            for blobs in self.blobs
            for trashed in blobs.expired()
        ]
