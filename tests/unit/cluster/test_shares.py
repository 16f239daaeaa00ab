"""No limit is exceeded, whatever breaks; and the simulation would notice."""

import dataclasses
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.shares import grant
from tests.unit.cluster.share_simulation import LIMIT, Rules, World

SEEDS = int(os.environ.get("SHARE_SEEDS", 300))
SECONDS = 60.0


def most(seed: int, rules: Rules) -> int:
    """How many run at once, at most."""
    return World(seed, rules).run(SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_limit_is_reached_and_not_exceeded() -> None:
    """Nodes are killed, paused and cut off, and the database is away, all at random times."""
    found = [most(seed, Rules()) for seed in range(SEEDS)]
    exceeded = [seed for seed, number in enumerate(found) if number > LIMIT]
    assert exceeded == []
    assert sum(number == LIMIT for number in found) > 0.9 * SEEDS


@pytest.mark.slow
@pytest.mark.parametrize(
    "broken",
    [
        {"freed_s": 0.5},
        {"launcher_ends": False},
        {"launcher_ends": False, "fences": False},
        {"asks_for_half": False},
        {"reads_marks": False},
        {"gives_back_unused_only": False},
    ],
    ids="-".join,
)
def test_a_broken_rule_is_noticed(broken: dict[str, float | bool]) -> None:
    """Each rule is needed: without it some seed exceeds the limit."""
    rules = dataclasses.replace(Rules(), **broken)
    assert any(most(seed, rules) > LIMIT for seed in range(3000))


@given(
    limit=st.integers(0, 1000),
    held=st.lists(st.integers(0, 400), min_size=1, max_size=6),
    needed=st.integers(0, 500),
)
def test_what_is_granted_is_free(limit: int, held: list[int], needed: int) -> None:
    """A share grows into what is free only, and never shrinks below what may run."""
    mine, others = held[0], sum(held[1:])
    granted = grant(limit, others, mine, needed, len(held))
    assert granted.share >= mine
    assert granted.usable <= granted.share
    if granted.share > mine:
        assert others + granted.share <= limit
    assert others + granted.usable <= max(limit, others)
    if others + max(needed, mine) <= limit:
        assert granted.usable >= needed
