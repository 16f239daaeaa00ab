"""How far a part has been processed, with several batches in progress."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.polling.progress import Progress
from tests.unit.polling.rig import record


def test_a_part_is_done_up_to_what_is_open() -> None:
    """What ends early waits for what is in front of it."""
    one, two, three = (record(number) for number in range(3))
    progress = Progress()
    progress.begin([one, two, three])
    assert progress.end([two]) is None
    assert progress.end([one]) is two
    assert not progress.is_clear
    assert progress.end([three]) is three
    assert progress.is_clear


@given(st.permutations(range(12)), st.integers(0, 11))
def test_whatever_the_order(order: list[int], read_first: int) -> None:
    """The result is the last record before which all are completed, and only if it changed."""
    records = [record(number) for number in range(12)]
    progress = Progress()
    progress.begin(records[:read_first])
    progress.begin(records[read_first:])
    done: set[int] = set()
    reached = 0
    for number in order:
        last = progress.end([records[number]])
        done.add(number)
        before = reached
        while reached in done:
            reached += 1
        assert last is (records[reached - 1] if reached > before else None)
        assert progress.is_clear == (reached == 12)
