"""Calls are warm and nodes are used evenly, with few calls that travel; and the simulation would
notice if a rule were missing."""

import functools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.placement import COPY_S, Copies, choose, find_homes
from tests.lengths import IS_LONG
from tests.unit.cluster.placement_simulation import Found, Rules, World

Load = Callable[[int], float | None]


@functools.cache
def found(nodes: int, rules: Rules) -> Found:
    """What comes of these rules."""
    sizes = {3: (1000, 300.0, 240.0), 32: (10_000, 1500.0, 40.0), 1000: (100_000, 50_000.0, 8.0)}
    functions, rate, seconds = sizes[nodes]
    return World(1, rules, nodes=nodes, functions=functions, rate=rate).run(seconds)


def least_busy(homes: Sequence[int], own: int, load_of: Load) -> int:
    """A rule without patience."""
    return min(homes, key=lambda number: load_of(number) or 0.0)


@pytest.mark.parametrize("nodes", [3, 32])
def test_calls_are_warm_and_spread(nodes: int) -> None:
    ours, alone = found(nodes, Rules()), found(nodes, Rules(each_for_itself=True))
    print(f"{nodes}: {ours.summary}; each for itself: {alone.summary}")
    assert ours.cold < 0.7 * alone.cold
    assert ours.environments < 0.7 * alone.environments
    assert ours.hops < 0.6 * ours.calls
    assert ours.imbalance < 1.6


def test_few_more_calls_are_cold_than_must_be() -> None:
    """With a single home a function is as warm as it can be, and its node as busy."""
    one_home = found(32, Rules(homes_max=1, makes_copies=False))
    assert found(32, Rules()).cold < 1.3 * one_home.cold


@pytest.mark.slow
@pytest.mark.skipif(not IS_LONG, reason="takes a minute: LONG_TESTS=1")
def test_a_thousand_nodes() -> None:
    ours = found(1000, Rules())
    print(ours.summary)
    assert ours.cold < 0.4 * found(1000, Rules(each_for_itself=True)).cold


@pytest.mark.parametrize(
    ("broken", "shows"),
    [
        (Rules(makes_copies=False), "hops"),
        (Rules(is_local_if_warm=False), "hops"),
        (Rules(choose=least_busy), "cold"),
        (Rules(homes_max=1, makes_copies=False), "imbalance"),
        (Rules(each_for_itself=True), "cold"),
    ],
    ids=["no copies", "not local", "no patience", "one home", "each for itself"],
)
def test_a_missing_rule_is_noticed(broken: Rules, shows: str) -> None:
    ours, without = found(32, Rules()), found(32, broken)
    assert getattr(without, shows) > 1.15 * getattr(ours, shows)


def test_homes_are_even_and_stay() -> None:
    """Each node is the home of about as many functions, also as the second one; a node that comes
    takes over its part and moves nothing else."""
    nodes = range(1, 9)
    functions = [f"arn:aws:lambda:us-east-1:000000000000:function:f{n}:" for n in range(4000)]
    homes = [find_homes(name, nodes) for name in functions]
    pairs = {frozenset(pair) for pair in homes}
    assert len(pairs) == 28
    for place in (0, 1):
        counts = [sum(pair[place] == node for pair in homes) for node in nodes]
        assert max(counts) < 1.25 * min(counts)
    more = [find_homes(name, [*nodes, 9]) for name in functions]
    changed = [after for before, after in zip(homes, more, strict=True) if before != after]
    assert all(9 in after for after in changed)
    assert 0.18 < len(changed) / len(functions) < 0.27


@given(nodes=st.sets(st.integers(1, 1 << 40), max_size=6))
def test_homes_do_not_depend_on_the_order(nodes: set[int]) -> None:
    found = find_homes("f", sorted(nodes))
    assert found == find_homes("f", sorted(nodes, reverse=True))
    assert len(found) == min(len(nodes), 2)


@given(
    homes=st.lists(st.integers(1, 3), max_size=2, unique=True),
    loads=st.dictionaries(st.integers(1, 3), st.none() | st.floats(0, 50)),
)
def test_what_is_chosen_takes_calls(homes: list[int], loads: dict[int, float | None]) -> None:
    """A home that responds, or the node itself if none does."""
    chosen = choose(homes, 7, loads.get)
    there = [home for home in homes if loads.get(home) is not None]
    assert chosen == 7 if not there else chosen in there


@pytest.mark.parametrize(
    ("loads", "chosen"),
    [((0.0, 0.0), 1), ((0.4, 0.0), 1), ((3.0, 1.0), 2), ((1.0, 3.0), 1), ((8.0, 6.0), 1)],
)
def test_the_second_home_is_for_a_busy_first(loads: tuple[float, float], chosen: int) -> None:
    assert choose((1, 2), 9, lambda number: loads[number - 1]) == chosen


def test_a_function_that_is_often_sent_away_gets_a_copy() -> None:
    copies = Copies(5)
    times = [0.0] * 4
    assert not any(copies.note("f", now) for now in times)
    assert copies.note("f", COPY_S)
    # Counting begins again, and rare calls are forgotten.
    assert not any(copies.note("f", COPY_S + 6 * n) for n in range(20))
    assert not copies.note("another", 0.0)
    never = Copies(0)
    assert not any(never.note("f", 0.0) for _ in range(100))
