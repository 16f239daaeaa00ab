"""How far a mapping has read the parts of its source, for sources that do not remember it."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from lambent.polling.ports import DATABASE_AWAY, SourceError
from lambent.store.positions import Position
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction

T = TypeVar("T")


class OpenShards:
    """The number of shards that are being read, of all mappings."""

    def __init__(self) -> None:
        self.number = 0


class MappingPositions:
    """The positions of one mapping in the database, by part. All methods raise `SourceError` while
    the database is away."""

    def __init__(self, store: Store, uuid: str) -> None:
        self._store = store
        self._uuid = uuid

    async def load(self) -> dict[str, Position]:
        """All of them."""
        return dict(await self._transact(lambda tx: tx.positions.of_mapping(self._uuid)))

    async def put(self, positions: Mapping[str, Position]) -> None:
        """Write some. Does nothing if the mapping is deleted."""
        await self._transact(lambda tx: tx.positions.put(self._uuid, positions))

    async def forget(self, parts: Iterable[str]) -> None:
        """Delete those of parts that no longer exist."""
        gone = list(parts)
        await self._transact(lambda tx: tx.positions.forget(self._uuid, gone))

    async def _transact(self, work: Callable[[Transaction], T]) -> T:
        try:
            return await self._store.transact(work)
        except StoreUnavailable as error:
            raise SourceError(DATABASE_AWAY) from error
