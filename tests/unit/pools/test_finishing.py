"""Environments that have responded while their extensions continue."""

from tests.unit.pools.house import House


def test_a_call_waits_for_what_will_be_free_at_once() -> None:
    """No other environment is started for it."""
    house = House()
    house.make_idle("a")
    house.call("a")
    house.started[0].answer()
    house.call("a")
    assert len(house.started) == 1
    house.started[0].become_free()
    house.started[0].become_free()
    assert len(house.outcomes) == 3


def test_but_not_for_long() -> None:
    """Extensions that take their time cost a new environment."""
    house = House()
    house.make_idle("a")
    house.call("a")
    house.started[0].answer()
    house.call("a")
    house.pass_time(0.05)
    assert len(house.started) == 2
    house.started[1].become_free()
    house.started[1].become_free()
    assert len(house.outcomes) == 3


def test_one_that_fails_while_finishing_is_not_waited_for() -> None:
    """The call gets another."""
    house = House()
    house.make_idle("a")
    house.call("a")
    house.started[0].answer()
    house.call("a")
    house.started[0].retire()
    assert len(house.started) == 2
