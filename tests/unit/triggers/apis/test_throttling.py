"""Token buckets never let more through than rate and burst allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.triggers.apis.throttling import ACCOUNT_BURST, TELL_S, Throttles, TokenBucket
from tests.unit.linked_peers import linked

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
    assert not Throttles(ManualClock()).new("x", 0, 0).take()


def test_half_a_limit_is_a_limit() -> None:
    """The other half is as for an account; without both there is no bucket."""
    clock = ManualClock()
    throttles = Throttles(clock)
    assert throttles.limit("x", None, None) is None
    burst_only = throttles.limit("x", None, 2)
    assert burst_only is not None
    assert [burst_only.take() for _ in range(3)] == [True, True, False]
    rate_only = throttles.limit("y", 1.0, None)
    assert rate_only is not None
    passed = sum(rate_only.take() for _ in range(ACCOUNT_BURST + 10))
    assert passed == ACCOUNT_BURST
    clock.advance(1)
    assert [rate_only.take(), rate_only.take()] == [True, False]


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 20),
    steps=st.lists(
        st.tuples(st.floats(0, TELL_S), st.lists(st.integers(0, 30), min_size=3, max_size=3)),
        max_size=30,
    ),
)
@pytest.mark.anyio
async def test_nodes_keep_a_limit_together(
    rate: float, burst: int, steps: list[tuple[float, list[int]]]
) -> None:
    """Wherever requests come in: in any time no more than the rate, the bursts of all nodes, and a
    moment of the rate for each other node."""
    clock = ManualClock()
    nodes = [Throttles(clock, peers=peers) for peers in linked(3)]
    buckets = [node.new("b", rate, burst) for node in nodes]
    taken = 0
    for seconds, times in steps:
        clock.advance(seconds)
        for bucket, count in zip(buckets, times, strict=True):
            taken += sum(bucket.take() for _ in range(count))
        for node in nodes:
            await node.tell()
        limit = 3 * burst + rate * (clock.monotonic() + 2 * TELL_S)
        assert taken <= limit + 1e-6


@pytest.mark.anyio
async def test_one_node_can_use_a_whole_limit() -> None:
    """And two that are always busy let through as much as one."""
    clock = ManualClock()
    nodes = [Throttles(clock, peers=peers) for peers in linked(2)]
    one, two = (node.new("b", 10, 5) for node in nodes)
    assert sum(one.take() for _ in range(50)) == 5
    taken = 0
    for _ in range(400):
        clock.advance(TELL_S)
        taken += sum(bucket.take() for bucket in (one, two) for _ in range(5))
        for node in nodes:
            await node.tell()
    assert 1000 - 5 <= taken <= 1000 + 10
    other = nodes[0].new("c", 10, 5)
    assert sum(other.take() for _ in range(9)) == 5
    await nodes[0].tell()
    clock.advance(1)
    assert sum(other.take() for _ in range(9)) == 5
