"""Several releases on one database: which tables a release can use, and who may join whom."""

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

import pytest
import sqlalchemy as sa

from lambent.model.releases import are_neighbors
from lambent.store import database as database_module
from lambent.store import schema
from lambent.store.database import connect, migrate, revisions, suits_previous_release, usable_from
from lambent.store.problems import StoreError
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from tests.databases import PostgreSql

pytestmark = pytest.mark.anyio
RELEASE = version("lambent")
NEXT = "{}.{}.0".format(RELEASE.split(".")[0], int(RELEASE.split(".")[1]) + 1)
AFTER_NEXT = "{}.{}.0".format(RELEASE.split(".")[0], int(RELEASE.split(".")[1]) + 2)
FIRST_THAT_SAYS = "0027"


@pytest.fixture
def shared(postgresql: PostgreSql) -> StoreSettings:
    """An empty database that nodes share."""
    return StoreSettings(url=postgresql.new_database(), shared=True)


def execute(settings: StoreSettings, place: Path, *statements: str) -> list[sa.Row[tuple[object]]]:
    """Run statements; returns the rows of the last one."""
    engine = connect(StoreSettings(url=settings.url), place)
    with engine.begin() as connection:
        for statement in statements:
            done = connection.execute(sa.text(statement))
        rows = list(done) if done.returns_rows else []
    engine.dispose()
    return rows


def migrated_by(release: str, usable: str) -> tuple[str, ...]:
    """What a later release leaves behind."""
    return (
        "UPDATE alembic_version SET version_num = '9999'",
        f"UPDATE platform SET usable_from = '{usable}', migrated_by = '{release}'",
    )


def test_each_migration_says_whether_the_previous_release_can_go_on() -> None:
    """If it says nothing, the answer is no."""
    for revision in revisions():
        if revision < FIRST_THAT_SAYS:
            continue
        module = database_module._scripts().get_revision(revision).module
        assert isinstance(module.suits_previous_release, bool), revision
    assert suits_previous_release("0027")
    assert not suits_previous_release("0024")
    assert usable_from() in revisions()


async def test_the_release_before_uses_newer_tables(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    """If the migrations suit it, and not more than one release has followed."""
    settings, head = database(), max(revisions())
    async with open_store(settings, tmp_path):
        pass
    (marks,) = execute(settings, tmp_path, "SELECT usable_from, migrated_by FROM platform")
    assert tuple(marks) == (usable_from(), RELEASE)
    execute(settings, tmp_path, *migrated_by(NEXT, head))
    async with open_store(settings, tmp_path) as store:
        await store.transact(lambda tx: tx.tags.replace("arn:x", {"a": "b"}))
    (marks,) = execute(settings, tmp_path, "SELECT usable_from, migrated_by FROM platform")
    assert tuple(marks) == (head, NEXT)
    for release, usable in ((AFTER_NEXT, head), (NEXT, "9999")):
        execute(settings, tmp_path, *migrated_by(release, usable))
        with pytest.raises(StoreError, match=r"newer lambent.*9999"):
            async with open_store(settings, tmp_path):
                pass


async def test_a_migration_that_suits_no_other_release_waits_for_the_last_node(
    tmp_path: Path, shared: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the node. A migration that does suit them is applied beside it."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_store(shared, tmp_path / "one/state"))
        engine = connect(StoreSettings(url=shared.url), tmp_path)
        migrate(engine, "0024")
        engine.dispose()
        with monkeypatch.context() as patch:
            patch.setattr(database_module, "suits_previous_release", lambda _: False)
            with pytest.raises(StoreError, match=rf"node 1 .*{RELEASE}.*0027.*Stop all nodes"):
                async with open_store(shared, tmp_path / "two/state"):
                    pass
        assert execute(shared, tmp_path, "SELECT version_num FROM alembic_version") == [("0024",)]
        await stack.enter_async_context(open_store(shared, tmp_path / "two/state"))
        (head,) = execute(shared, tmp_path, "SELECT version_num FROM alembic_version")
        assert head[0] == max(revisions())


def say_release(settings: StoreSettings, place: Path, release: str) -> None:
    """Have all nodes be of another release."""
    (row,) = execute(settings, place, "SELECT document FROM nodes")
    document = json.dumps({**row[0], "release": release})
    execute(settings, place, f"UPDATE nodes SET document = '{document}'".replace(":", "\\:"))


async def test_nodes_more_than_one_release_apart(tmp_path: Path, shared: StoreSettings) -> None:
    """The one that comes does not start, and says why."""
    async with open_store(shared, tmp_path / "one/state"):
        say_release(shared, tmp_path, AFTER_NEXT)
        assert not are_neighbors(RELEASE, AFTER_NEXT)
        with pytest.raises(StoreError, match=rf"node 1 .*{AFTER_NEXT}.*more than one release"):
            async with open_store(shared, tmp_path / "two/state"):
                pass
        say_release(shared, tmp_path, NEXT)
        async with open_store(shared, tmp_path / "two/state"):
            pass


async def test_a_node_that_is_gone_holds_none_back(
    tmp_path: Path, shared: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All machines lost power, and the first one that starts has another release. After a while it
    removes the rows of the others: they can write no more, should they be there after all."""
    monkeypatch.setattr(schema, "_GONE_S", 0.5)
    async with open_store(shared, tmp_path / "one/state"):
        pass  # It does not leave.
    say_release(shared, tmp_path, AFTER_NEXT)
    async with open_store(shared, tmp_path / "two/state"):
        assert execute(shared, tmp_path, "SELECT number FROM nodes") == [(2,)]
