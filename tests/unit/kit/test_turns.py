"""Turns: bounded, fair, and released however they end."""

from collections import Counter
from collections.abc import Iterator

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.kit.turns import Turn, Turns

pytestmark = pytest.mark.anyio
WAIT_S = 60.0


def turns_of(at_once: int) -> Turns:
    return Turns(at_once, WAIT_S, ManualClock())


def order(turns: Turns, requested: list[Turn], first: Turn) -> Iterator[int]:
    """In which order the turns come when each is over at once; by their place in `asked`."""
    first.close()
    waiting = set(range(len(requested)))
    while waiting:
        (come,) = [at for at in waiting if not requested[at].is_waiting]
        waiting.discard(come)
        yield come
        requested[come].close()


def test_only_so_many_are_under_way() -> None:
    """Each of the others starts when one ends."""
    turns = turns_of(2)
    waiting = [turns.ask(name, "f") for name in "abcde"]
    assert [turn.is_waiting for turn in waiting] == [False, False, True, True, True]
    waiting[1].close()
    waiting[1].close()
    assert [turn.is_waiting for turn in waiting] == [False, False, False, True, True]


def test_a_caller_of_many_delays_others_by_a_single_turn() -> None:
    """Another function is next but one, and another account does not wait for all functions of
    one."""
    turns = turns_of(1)
    first = turns.ask("a", "f")
    many = [turns.ask("a", "f") for _ in range(100)]
    other_function = turns.ask("a", "g")
    many_functions = [turns.ask("a", f"h{number}") for number in range(100)]
    other_account = turns.ask("b", "f")
    all_turns = [*many, other_function, *many_functions, other_account]
    came = list(order(turns, all_turns, first))
    assert came.index(all_turns.index(other_account)) <= 1
    assert came.index(all_turns.index(other_function)) <= 3
    assert [at for at in came if at < 100] == list(range(100))


def test_no_account_holds_all_turns() -> None:
    """However long some keep theirs: one function has at most half of them, one account three
    quarters, and others get the rest at once."""
    turns = turns_of(8)
    for_one_function = [turns.ask("a", "f") for _ in range(20)]
    for_one_account = [turns.ask("a", name) for name in "ghijkl"]
    for_others = [turns.ask("b", "f") for _ in range(4)]
    assert sum(not turn.is_waiting for turn in for_one_function) == 4
    assert sum(not turn.is_waiting for turn in for_one_account) == 2
    assert sum(not for_other.is_waiting for for_other in for_others) == 2
    for_others[0].close()
    assert sum(not for_other.is_waiting for for_other in for_others[1:]) == 2
    for for_other in for_others:
        for_other.close()
    assert sum(not turn.is_waiting for turn in for_one_function + for_one_account) == 6
    for_one_function[0].close()
    assert sum(not turn.is_waiting for turn in for_one_function[1:] + for_one_account) == 6


def test_what_is_not_wanted_any_more_never_comes() -> None:
    """A turn that was given up while it waited takes nothing from the others."""
    turns = turns_of(1)
    first, second, third = (turns.ask("a", name) for name in "fgh")
    second.close()
    first.close()
    assert not third.is_waiting
    third.close()
    assert not turns.ask("a", "f").is_waiting


async def test_waiting_is_reported() -> None:
    """True when the turn comes, False when it is given up before."""
    turns = turns_of(1)
    first, second, third = (turns.ask("a", "f") for _ in range(3))
    heard: list[tuple[str, bool]] = []

    async def wait(name: str, turn: Turn) -> None:
        heard.append((name, await turn.wait()))

    assert await first.wait()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, "second", second)
        tasks.start_soon(wait, "third", third)
        await anyio.wait_all_tasks_blocked()
        assert heard == []
        third.close()
        first.close()
    assert sorted(heard) == [("second", True), ("third", False)]


async def test_every_wait_ends() -> None:
    """After the time agreed the turn is given up."""
    clock = ManualClock()
    turns = Turns(1, WAIT_S, clock)
    first, second = turns.ask("a", "f"), turns.ask("a", "f")

    async def wait() -> None:
        with pytest.raises(TimeoutError, match="60 s"):
            await second.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        clock.advance(WAIT_S)
    first.close()
    assert not turns.ask("a", "f").is_waiting


async def test_a_cancelled_waiter_returns_its_turn() -> None:
    """Whether it had come or not."""
    turns = turns_of(1)
    first, second = turns.ask("a", "f"), turns.ask("a", "g")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(second.wait)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    first.close()
    assert not turns.ask("a", "f").is_waiting


@given(
    at_once=st.integers(1, 9),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 40)), max_size=80),
)
def test_turns_are_never_lost_nor_too_many(
    at_once: int, steps: list[tuple[bool, int, int]]
) -> None:
    """Whatever is requested and given up: as many are in progress as possible."""
    turns = turns_of(at_once)
    waiting: list[Turn] = []
    for asks, member, at in steps:
        if asks or not waiting:
            waiting.append(turns.ask(str(member % 2), str(member)))
        else:
            waiting.pop(at % len(waiting)).close()
        under_way = [turn for turn in waiting if not turn.is_waiting]
        groups = Counter(turn.group for turn in under_way)
        members = Counter((turn.group, turn.member) for turn in under_way)
        assert len(under_way) <= at_once
        assert max(groups.values(), default=0) <= max(at_once * 3 // 4, 1)
        assert max(members.values(), default=0) <= max(at_once // 2, 1)
        for turn in waiting:
            if turn.is_waiting and len(under_way) < at_once:
                is_group_full = groups[turn.group] == max(at_once * 3 // 4, 1)
                assert is_group_full or members[turn.group, turn.member] == max(at_once // 2, 1)
