"""Environments whose start has not begun yet."""

from tests.unit.pools.house import House


def test_what_no_call_counts_on_any_more_is_not_started() -> None:
    """A burst of short calls is served by the first environments: the others, the youngest first,
    are released while they wait for their turn."""
    house = House()
    for _ in range(10):
        house.call("f")
    first, second, *queued = house.started
    for environment in queued:
        environment.is_queued = True
    first.become_free()
    for left in (7, 6, 5):
        first.become_free()
        assert len([start for start in queued if not start.is_gone]) == left
        assert all(start.is_gone for start in queued[left:])
    second.become_free()
    for _ in range(6):
        first.become_free()
    second.become_free()
    assert len(house.living()) == 2
    assert house.count == 2
    assert len(house.outcomes) == 10


def test_what_has_begun_is_not_thrown_away() -> None:
    """A start in progress is completed, and the environment is kept for later."""
    house = House()
    house.call("f")
    house.call("f")
    first, second = house.started
    first.become_free()
    first.become_free()
    assert not second.is_gone
    second.become_free()
    assert len(house.living()) == 2
