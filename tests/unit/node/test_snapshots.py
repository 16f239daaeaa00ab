"""Which snapshots are kept, and for how long."""

import anyio
import pytest

from lambent.model.changes import Changes
from lambent.model.concurrency import Reservation
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.node.environment.snapshots import Snapshots
from tests.unit.invocation.versions import version_of


class FakeSnapshot:
    """Knows whether it was given back."""

    size_bytes = 40

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        """Give it back."""
        assert not self.is_closed
        self.is_closed = True


def versions(count: int) -> list[FunctionVersion]:
    """That many versions of one function."""
    return [version_of("f", str(number)) for number in range(1, count + 1)]


def test_the_ones_used_longest_ago_go() -> None:
    """When there are too many; one that cannot be captured is known, too."""
    one, two, three, none = versions(4)
    kept = [FakeSnapshot() for _ in range(3)]
    snapshots = Snapshots(100)
    snapshots.keep(one, kept[0])
    snapshots.keep(two, kept[1])
    snapshots.keep(none, None)
    assert snapshots.find(one) is kept[0]
    snapshots.keep(three, kept[2])
    assert [one.is_closed for one in kept] == [False, True, False]
    assert snapshots.find(two) is None
    assert not snapshots.knows(two)
    assert snapshots.find(none) is None
    assert snapshots.knows(none)
    snapshots.close()
    assert all(one.is_closed for one in kept)


@pytest.mark.anyio
async def test_changes_of_functions() -> None:
    """Versions that are gone need none."""
    one, two = versions(2)
    kept = [FakeSnapshot() for _ in range(2)]
    snapshots = Snapshots(1000)
    snapshots.keep(one, kept[0])
    snapshots.keep(two, kept[1])
    asked = anyio.Event()

    async def resolve(key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        if qualifier == two.version:
            asked.set()
            return two
        return None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(snapshots.follow_changes, resolve)
        snapshots.note_changes(Changes(functions={one.key: Reservation()}))
        with anyio.fail_after(5):
            await asked.wait()
        tasks.cancel_scope.cancel()
    assert [one.is_closed for one in kept] == [True, False]


def test_what_cannot_be_restored() -> None:
    """Is given up after three failures in a row, and known to be initialised each time."""
    (one,) = versions(1)
    snapshots = Snapshots(100)
    kept = FakeSnapshot()
    snapshots.keep(one, kept)
    for failed in (True, True, False, True, True):
        snapshots.note_restore(one, failed=failed)
        assert snapshots.find(one) is kept
    snapshots.note_restore(one, failed=True)
    assert kept.is_closed
    assert snapshots.knows(one)
    assert snapshots.find(one) is None
    snapshots.note_restore(one, failed=True)
    assert snapshots.find(one) is None
