"""Objects in the database, on SQLite and on PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.store.objects import Chunk, StoredObject
from lambent.store.settings import StoreSettings
from lambent.store.store import Transaction, open_store

pytestmark = pytest.mark.anyio


def stored(key: str, size: int, *owners: str) -> StoredObject:
    return StoredObject(
        key=key, size=size, etag="e", modified=1, members={"ContentType": "t"}, owners=owners
    )


async def test_objects_and_their_chunks(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    """Keys are in the order of their bytes; blobs are used as long as any chunk is one."""

    def fill(tx: Transaction) -> None:
        for key in ("é", "a", "Z", "b\U0010ffff"):
            tx.objects.put("x", stored(key, 3, "one"))
        tx.objects.put("x", stored("a", 5, "two", "one"))
        tx.objects.put("y", stored("a", 1))
        tx.objects.add_chunks("one", [Chunk("1" * 64, 2), Chunk("2" * 64, 1)])
        tx.objects.add_chunks("two", [Chunk("2" * 64, 2)])
        tx.objects.add_chunks("empty", [])

    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        await store.transact(fill)

        def check(tx: Transaction) -> None:
            objects = tx.objects
            listed = objects.list_from("x", b"", None, 10)
            assert [each.key for each in listed] == ["Z", "a", "b\U0010ffff", "é"]
            assert [each.key for each in objects.list_from("x", b"a", b"b", 10)] == ["a"]
            found = objects.get("x", "a")
            assert found is not None
            assert (found.size, list(found.owners)) == (5, ["two", "one"])
            assert [chunk.size for chunk in objects.chunks_of(found.owners)] == [2, 2, 1]
            assert objects.size_total() == 5
            assert tx.code_keys() == {"1" * 64, "2" * 64}

        await store.read(check)

        def drop(tx: Transaction) -> None:
            assert tx.objects.drop_chunks(["one"]) == {"1" * 64, "2" * 64}
            assert not tx.is_code_used("1" * 64)
            assert tx.is_code_used("2" * 64)
            tx.objects.delete("x", "a")
            assert tx.objects.get("x", "a") is None

        await store.transact(drop)
