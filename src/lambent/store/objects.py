"""Objects in buckets: what is known of them, and which blobs their contents are.

Contents are stored with the packages of functions, in chunks. An *owner* is an id that chunks
belong to: an object that was put has one, one that was uploaded in parts has one for each part.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lambent.store.tables import bucket_chunks, bucket_objects
from lambent.store.upserts import upsert

_objects, _chunks = bucket_objects.c, bucket_chunks.c


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object without its contents."""

    key: str
    size: int
    """Bytes."""
    etag: str
    """Without quotes."""
    modified: int
    """Seconds since the epoch."""
    members: Mapping[str, Any]
    """What GetObject shows of it besides, by the name in the API."""
    owners: Sequence[str]
    """Whose chunks its contents are, in this order."""


class Chunk(NamedTuple):
    """A blob, and its bytes."""

    code_key: str
    size: int


class ObjectRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, bucket: str, key: str) -> StoredObject | None:
        """An object, or None if there is none."""
        query = sa.select(bucket_objects).where(
            _objects.bucket == bucket, _objects.key == key.encode()
        )
        row = self._connection.execute(query).first()
        return None if row is None else _to_object(row)

    def put(self, bucket: str, stored: StoredObject) -> None:
        """Add an object, or replace it. The chunks of the former one stay."""
        body = dataclasses.asdict(stored)
        key, size = body.pop("key").encode(), body.pop("size")
        row = {"bucket": bucket, "key": key}
        upsert(self._connection, bucket_objects, row, {"size": size, "body": body})

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object. Its chunks stay."""
        self._connection.execute(
            sa.delete(bucket_objects).where(_objects.bucket == bucket, _objects.key == key.encode())
        )

    def list_from(
        self, bucket: str, begin: bytes, end: bytes | None, limit: int
    ) -> list[StoredObject]:
        """Objects whose keys are at least `begin` and below `end`, by key."""
        query = sa.select(bucket_objects).where(_objects.bucket == bucket, _objects.key >= begin)
        if end is not None:
            query = query.where(_objects.key < end)
        rows = self._connection.execute(query.order_by(_objects.key).limit(limit))
        return [_to_object(row) for row in rows]

    def size_total(self) -> int:
        """Bytes of all chunks, those of incomplete uploads included."""
        total = self._connection.execute(sa.select(sa.func.sum(_chunks.size))).scalar()
        return int(total or 0)

    def add_chunks(self, owner: str, chunks: Sequence[Chunk]) -> None:
        """Add the chunks of a new owner, in their order."""
        rows = [
            {"owner": owner, "number": number, **chunk._asdict()}
            for number, chunk in enumerate(chunks)
        ]
        if rows:
            self._connection.execute(sa.insert(bucket_chunks), rows)

    def chunks_of(self, owners: Sequence[str]) -> list[Chunk]:
        """The chunks of these owners, in their order."""
        found: list[Chunk] = []
        for owner in owners:
            rows = self._connection.execute(
                sa.select(_chunks.code_key, _chunks.size)
                .where(_chunks.owner == owner)
                .order_by(_chunks.number)
            )
            found += [Chunk(row.code_key, row.size) for row in rows]
        return found

    def drop_chunks(self, owners: Sequence[str]) -> set[str]:
        """Remove owners; returns the blobs that may be unused now."""
        dropped: set[str] = set()
        for owner in owners:
            is_its = _chunks.owner == owner
            dropped |= set(
                self._connection.execute(sa.select(_chunks.code_key).where(is_its)).scalars()
            )
            self._connection.execute(sa.delete(bucket_chunks).where(is_its))
        return dropped

    def code_keys(self) -> set[str]:
        """Every blob that any chunk is."""
        return set(self._connection.execute(sa.select(_chunks.code_key)).scalars())

    def is_code_used(self, code_key: str) -> bool:
        """Whether any chunk is this blob."""
        query = sa.select(_chunks.number).where(_chunks.code_key == code_key).limit(1)
        return self._connection.execute(query).first() is not None


def _to_object(row: sa.Row[Any]) -> StoredObject:
    return StoredObject(key=bytes(row.key).decode(), size=row.size, **row.body)
