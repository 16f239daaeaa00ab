"""Which snapshots are kept, and for how long."""

from lambent.model.function import FunctionVersion
from lambent.node.environment.snapshots import Snapshots
from tests.unit.invocation.versions import version_of


class FakeSnapshot:
    """Knows whether it was released."""

    size_bytes = 40

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        """Release it."""
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
    assert [snapshot.is_closed for snapshot in kept] == [False, True, False]
    assert snapshots.find(two) is None
    assert not snapshots.knows(two)
    assert snapshots.find(none) is None
    assert snapshots.knows(none)
    snapshots.close()
    assert all(snapshot.is_closed for snapshot in kept)


def test_versions_that_are_gone_need_none() -> None:
    """The others are known as before."""
    one, two = versions(2)
    kept = [FakeSnapshot() for _ in range(2)]
    snapshots = Snapshots(1000)
    snapshots.keep(one, kept[0])
    snapshots.keep(two, kept[1])
    assert snapshots.versions(one.key) == [one, two]
    snapshots.retire({one.configuration_id, "never seen"})
    assert [snapshot.is_closed for snapshot in kept] == [True, False]
    assert snapshots.versions(one.key) == [two]


def test_what_cannot_be_restored() -> None:
    """Is given up after three failures in a row, and known to be initialised each time."""
    (version,) = versions(1)
    snapshots = Snapshots(100)
    kept = FakeSnapshot()
    snapshots.keep(version, kept)
    for failed in (True, True, False, True, True):
        snapshots.note_restore(version, failed=failed)
        assert snapshots.find(version) is kept
    snapshots.note_restore(version, failed=True)
    assert kept.is_closed
    assert snapshots.knows(version)
    assert snapshots.find(version) is None
    snapshots.note_restore(version, failed=True)
    assert snapshots.find(version) is None
