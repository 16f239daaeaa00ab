"""Token buckets never let more through than rate and burst allow."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.triggers.apis.throttling import ACCOUNT_BURST, Throttles, TokenBucket

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))


@given(
    rate=st.floats(0, 1000),
    burst=st.integers(0, 50),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), max_size=30),
)
def test_a_bucket_keeps_its_limit(rate: float, burst: int, steps: list[tuple[float, int]]) -> None:
    """In any time span."""
    clock = ManualClock()
    bucket = TokenBucket(clock, rate=rate, burst=burst)
    taken = 0
    for seconds, times in steps:
        clock.advance(seconds)
        taken += sum(bucket.take() for _ in range(times))
        assert taken <= burst + clock.monotonic() * rate + 1e-6


def test_an_account_has_one_bucket_in_a_region() -> None:
    """It fills again."""
    clock = ManualClock()
    throttles = Throttles(clock, rate=2, burst=3)
    assert [throttles.account(SCOPE).take() for _ in range(4)] == [True, True, True, False]
    assert throttles.account(SCOPE._replace(region=Region("eu-west-1"))).take()
    clock.advance(0.5)
    assert [throttles.account(SCOPE).take() for _ in range(2)] == [True, False]


def test_nothing_passes_a_rate_of_zero() -> None:
    """As in AWS, where it closes a route."""
    assert not Throttles(ManualClock()).new(0, 0).take()


def test_half_a_limit_is_a_limit() -> None:
    """The other half is as for an account; without both there is no bucket."""
    clock = ManualClock()
    throttles = Throttles(clock)
    assert throttles.limit(None, None) is None
    burst_only = throttles.limit(None, 2)
    assert burst_only is not None
    assert [burst_only.take() for _ in range(3)] == [True, True, False]
    rate_only = throttles.limit(1.0, None)
    assert rate_only is not None
    passed = sum(rate_only.take() for _ in range(ACCOUNT_BURST + 10))
    assert passed == ACCOUNT_BURST
    clock.advance(1)
    assert [rate_only.take(), rate_only.take()] == [True, False]
