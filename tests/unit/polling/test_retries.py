"""What is tried next after an attempt: the rules, without a function."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.polling.retries import BatchAttempts, BatchDone, BatchFailed, Discard
from tests.unit.polling.rig import ids, make_rig, record

NOW = 1000.0


def work(count: int, **configuration: Any) -> BatchAttempts:
    """A batch with records `0`, `1`, …"""
    records = [record(number, arrived_at=NOW) for number in range(count)]
    return BatchAttempts(records, make_rig(**configuration).polled.options, bytes_max=1000)


def fail(some: BatchAttempts, result: BatchFailed | BatchDone | None = None) -> list[str]:
    """The next attempt, which ends so; returns what was tried."""
    chunk = some.next(NOW)
    assert chunk is not None
    assert not isinstance(chunk, Discard)
    some.note(result or BatchFailed())
    return list(ids(chunk.records))


def test_without_limits_a_batch_is_tried_until_it_succeeds() -> None:
    """All of it each time."""
    some = work(3)
    for _ in range(50):
        assert fail(some) == ["0", "1", "2"]
    assert fail(some, BatchDone()) == ["0", "1", "2"]
    assert some.next(NOW) is None


def test_a_limit_of_retries_comes_after_the_first_attempt() -> None:
    """With two retries there are three attempts; then the batch is given up."""
    some = work(2, MaximumRetryAttempts=2)
    for _ in range(3):
        fail(some)
    given_up = some.next(NOW)
    assert isinstance(given_up, Discard)
    assert (given_up.condition, given_up.chunk.attempts) == ("RetryAttemptsExhausted", 3)
    assert some.next(NOW) is None


def test_halving_costs_no_retries() -> None:
    """Only what cannot be halved any more uses up attempts."""
    some = work(4, MaximumRetryAttempts=0, BisectBatchOnFunctionError=True)
    assert fail(some) == ["0", "1", "2", "3"]
    assert fail(some) == ["0", "1"]
    assert fail(some) == ["0"]
    given_up = some.next(NOW)
    assert isinstance(given_up, Discard)
    assert ids(given_up.chunk.records) == ["0"]
    assert fail(some, BatchDone()) == ["1"]
    assert fail(some, BatchDone()) == ["2", "3"]
    assert some.next(NOW) is None


def test_what_was_reported_as_done_is_not_tried_again() -> None:
    """The batch continues at the record that failed, and that counted as an attempt."""
    some = work(4, MaximumRetryAttempts=1)
    fail(some, BatchFailed(2, is_partial=True))
    assert some.left == 2
    assert fail(some) == ["2", "3"]
    assert isinstance(some.next(NOW), Discard)


def test_old_records_are_given_up_before_they_are_tried() -> None:
    """Those at the beginning of the batch; the others are tried."""
    records = [record(0, NOW - 61), record(1, NOW - 61), record(2, NOW - 59)]
    some = BatchAttempts(
        records, make_rig(MaximumRecordAgeInSeconds=60).polled.options, bytes_max=1000
    )
    expired = some.next(NOW)
    assert isinstance(expired, Discard)
    assert (expired.condition, ids(expired.chunk.records)) == ("RecordAgeExceeded", ["0", "1"])
    assert fail(some) == ["2"]
    later = some.next(NOW + 2)
    assert isinstance(later, Discard)
    assert later.condition == "RecordAgeExceeded"


def test_records_that_no_event_can_hold_are_given_up() -> None:
    """Once they are alone."""
    options = make_rig(BisectBatchOnFunctionError=True).polled.options
    some = BatchAttempts([record(0, NOW), record(1, NOW, size=2000)], options, bytes_max=1000)
    assert fail(some) == ["0", "1"]
    assert fail(some, BatchDone()) == ["0"]
    given_up = some.next(NOW)
    assert isinstance(given_up, Discard)
    assert given_up.condition == "MaximumPayloadSizeExceeded"


@given(
    count=st.integers(1, 20),
    retries=st.integers(0, 3),
    bisects=st.booleans(),
    outcomes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 19)), max_size=60),
)
def test_records_are_done_with_in_order_and_once(
    count: int, retries: int, bisects: bool, outcomes: list[tuple[int, int]]
) -> None:
    """Whatever the function says, each record is either taken or given up, once, never before the
    one in front of it; what was given up is not tried again; and there is an end."""
    some = work(count, MaximumRetryAttempts=retries, BisectBatchOnFunctionError=bisects)
    said = itertools.chain(outcomes, itertools.repeat((1, 0)))
    done: list[str] = []
    attempts = 0
    while (step := some.next(NOW)) is not None:
        if isinstance(step, Discard):
            done += ids(step.chunk.records)
            continue
        attempts += 1
        names = list(ids(step.records))
        assert int(names[0]) == len(done), "the first that is not done with is tried next"
        assert names == [str(number) for number in range(len(done), len(done) + len(names))]
        how, at = next(said)
        if how == 0:
            done += names
            some.note(BatchDone())
        elif how == 1:
            some.note(BatchFailed())
        else:
            at %= len(names)
            done += names[:at]
            some.note(BatchFailed(at, is_partial=True))
        assert some.left == count - len(done)
    assert done == [str(number) for number in range(count)]
    # Every halving adds one chunk; every chunk has its attempts, and each record can be reported.
    assert attempts <= 2 * count * (retries + 2)
