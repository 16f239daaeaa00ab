"""Counts of requests, on both databases."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.usage import UsageId
from lambent.store.settings import StoreSettings
from lambent.store.store import Transaction, open_store

from .test_documents import Listener

pytestmark = pytest.mark.anyio
SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
ONE, OTHER = UsageId(SCOPE, "p", "one"), UsageId(SCOPE, "p", "other")
FIRST, SECOND = datetime.date(2026, 11, 29), datetime.date(2026, 11, 30)


async def test_counts_are_added_up(database: Callable[..., StoreSettings], tmp_path: Path) -> None:
    """Sums are returned, old counts are forgotten, and no listener hears of it."""
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        listener = Listener()
        await store.follow(listener)
        listener.heard.clear()
        some = {(ONE, FIRST): 2, (OTHER, FIRST): 5}
        assert await store.transact(lambda tx: tx.usage.add(some)) == some
        more = {(ONE, SECOND): 1, (ONE, FIRST): 3}
        totals = await store.transact(lambda tx: tx.usage.add(more))
        assert totals == {(ONE, FIRST): 5, (ONE, SECOND): 1}
        assert await store.transact(lambda tx: tx.usage.add({})) == {}

        def read(tx: Transaction) -> None:
            assert tx.usage.of_key(ONE, FIRST) == {FIRST: 5, SECOND: 1}
            assert tx.usage.of_key(ONE, SECOND) == {SECOND: 1}
            assert tx.usage.of_key(ONE._replace(plan="q"), FIRST) == {}
            assert tx.usage.of_plan(SCOPE, "p", FIRST) == {
                "one": {FIRST: 5, SECOND: 1},
                "other": {FIRST: 5},
            }

        await store.read(read)
        await store.transact(lambda tx: tx.usage.forget(SECOND))
        assert await store.read(lambda tx: tx.usage.of_plan(SCOPE, "p", FIRST)) == {
            "one": {SECOND: 1}
        }
        assert not listener.heard
