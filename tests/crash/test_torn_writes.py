"""What was committed survives a damaged end of the database's log."""

import random
import shutil
from pathlib import Path

import pytest

from lambent.model.async_event import AsyncEvent
from lambent.model.function import FunctionKey
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store

pytestmark = pytest.mark.anyio
KEY = FunctionKey("111111111111", "us-east-1", "f")
COMMITS = 40


async def add(store: Store, number: int) -> None:
    event = AsyncEvent(
        id=number, request_id=f"r{number}", key=KEY, qualifier=None,
        payload=b"x" * (number * 37 % 3000), trace_id="t", accepted_at=0.0, due_at=0.0,
    )  # fmt: skip
    await store.transact(lambda tx: tx.async_events.add([(event, None)]))


@pytest.mark.parametrize("damage", ["cut", "zeros", "noise"])
async def test_a_torn_tail(tmp_path: Path, anyio_backend: object, damage: str) -> None:
    """Whatever happens to the log after a commit, the commit and all before it are there, and the
    store works."""
    numbers = random.Random(damage)
    whole = tmp_path / "whole"
    ends: list[int] = []
    async with open_store(StoreSettings(), whole) as store:
        for number in range(1, COMMITS + 1):
            await add(store, number)
            ends.append((whole / "lambent.db-wal").stat().st_size)
        for turn in range(12):
            torn = tmp_path / f"{turn}"
            torn.mkdir()
            for name in ("lambent.db", "lambent.db-wal"):
                shutil.copyfile(whole / name, torn / name)
            at = numbers.randrange(ends[0], ends[-1])
            log = torn / "lambent.db-wal"
            content = log.read_bytes()
            length = len(content) - at
            rest = {"cut": b"", "zeros": bytes(length), "noise": numbers.randbytes(length)}[damage]
            log.write_bytes(content[:at] + rest)
            committed = sum(end <= at for end in ends)
            async with open_store(StoreSettings(), torn) as damaged:
                assert await damaged.transact(lambda tx: tx.async_events.count()) == committed
                await add(damaged, 1000)
                assert await damaged.transact(lambda tx: tx.async_events.count()) == committed + 1
