"""Documents, and what listeners receive about them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.model.arn import AccountId, Region
from lambent.model.changes import Changes
from lambent.model.document import Document, Root
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store
from tests.databases import PostgreSql

pytestmark = pytest.mark.anyio
ACCOUNT, REGION = AccountId("000000000000"), Region("us-east-1")
ONE = Root("apigateway", ACCOUNT, REGION, "one")
OTHER = Root("apigateway", ACCOUNT, REGION, "other")
ELSEWHERE = Root("apigateway", ACCOUNT, Region("eu-west-1"), "far")


class Listener:
    """Notes the roots that changed."""

    def __init__(self) -> None:
        self.heard: list[Changes] = []

    def note_changes(self, changes: Changes) -> None:
        self.heard.append(changes)

    def roots(self) -> set[Root]:
        """Those since the last time."""
        heard, self.heard = self.heard, []
        return {root for changes in heard for root in changes.documents}


def put_some(tx: Transaction) -> None:
    """Three APIs with a few routes."""
    for root in (ONE, OTHER, ELSEWHERE):
        tx.documents.put(root, "api", root.id, {"Name": root.id})
    for name in "cab":
        tx.documents.put(ONE, "route", name, {"RouteKey": name})


@pytest.fixture
def settings(database: Callable[..., StoreSettings]) -> StoreSettings:
    return database(synchronous="OFF")


async def test_they_are_found(settings: StoreSettings, tmp_path: Path) -> None:
    """By root, by scope, and by an id that is unique everywhere; in the order of their ids."""
    async with open_store(settings, tmp_path) as store:
        await store.transact(put_some)

        def read(tx: Transaction) -> None:
            rows = tx.documents
            assert rows.get(ONE, "route", "a") == Document(ONE, "route", "a", {"RouteKey": "a"})
            assert rows.get(OTHER, "route", "a") is None
            assert [found.id for found in rows.list_of(ONE, "route")] == ["a", "b", "c"]
            page = rows.list_of(ONE, "route", after="a", limit=1)
            assert [found.id for found in page] == ["b"]
            assert len(rows.all_of(ONE)) == 4
            in_scope = rows.list_in("apigateway", ONE.scope, "api")
            assert [found.id for found in in_scope] == ["one", "other"]
            found = rows.find("apigateway", "api", "far")
            assert found is not None
            assert found.root == ELSEWHERE
            assert rows.find("apigatewayv2", "api", "far") is None
            assert len(rows.everywhere("apigateway", "api")) == 3

        await store.transact(read)


async def test_listeners_hear_of_roots(settings: StoreSettings, tmp_path: Path) -> None:
    """Of those that changed, and of no other."""
    async with open_store(settings, tmp_path) as store:
        listener = Listener()
        await store.follow(listener)
        listener.heard.clear()
        await store.transact(put_some)
        assert listener.roots() == {ONE, OTHER, ELSEWHERE}
        await store.transact(lambda tx: tx.documents.put(ONE, "route", "a", {"RouteKey": "new"}))
        assert listener.roots() == {ONE}
        assert await store.transact(lambda tx: tx.documents.delete(OTHER, "api", "other"))
        assert listener.roots() == {OTHER}
        assert not await store.transact(lambda tx: tx.documents.delete(OTHER, "api", "other"))
        assert listener.roots() == set()
        await store.transact(lambda tx: tx.documents.delete_all(ONE))
        assert listener.roots() == {ONE}
        assert await store.transact(lambda tx: tx.documents.all_of(ONE)) == []


async def test_another_platform_is_notified_of_roots(
    postgresql: PostgreSql, tmp_path: Path
) -> None:
    """An id with colons included."""
    settings = StoreSettings(url=postgresql.new_database(), shared=True)
    root = ONE._replace(id="a:b:c")

    async with (
        open_store(settings, tmp_path / "one" / "state") as one,
        open_store(settings, tmp_path / "two" / "state") as two,
    ):
        listener = Listener()
        await two.follow(listener)
        listener.heard.clear()
        await _lock_and_put(one, root)
        await two.catch_up()
        assert listener.roots() == {root}


async def _lock_and_put(store: Store, root: Root) -> None:
    def put(tx: Transaction) -> None:
        tx.locks.root(root)
        tx.documents.put(root, "api", root.id, {})

    await store.transact(put)
