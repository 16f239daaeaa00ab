"""Environments that are started ahead of calls, and what is known of free ones."""

from lambent.node.pools.settings import SchedulingSettings
from tests.unit.pools.house import RESERVE_MB, House, function


def test_one_at_a_time() -> None:
    """It is kept for calls, and another follows when it is there."""
    house = House()
    house.scheduler.warm_up(function("f"), "")
    house.scheduler.warm_up(function("f"), "")
    assert house.living() == ["f"]
    assert not house.scheduler.has_free(function("f"), "")
    house.started[0].become_free()
    assert house.scheduler.has_free(function("f"), "")
    assert not house.scheduler.has_free(function("f"), "tenant")
    assert not house.scheduler.has_free(function("g"), "")
    house.call("f")
    assert len(house.started) == 1
    assert not house.scheduler.has_free(function("f"), "")
    house.started[0].answer()
    assert house.scheduler.has_free(function("f"), "")
    house.scheduler.warm_up(function("f"), "")
    assert house.count == 2


def test_not_while_a_call_starts_one() -> None:
    house = House()
    house.call("f")
    house.scheduler.warm_up(function("f"), "")
    assert house.count == 1


def test_only_where_there_is_room() -> None:
    """Nothing is removed for it: neither for memory, nor for the limits of the host and of tenants,
    nor when the node ends."""
    settings = SchedulingSettings(environments_max=1, memory_reserve_mb=RESERVE_MB)
    house = House(settings=settings)
    house.make_idle("a")
    house.scheduler.warm_up(function("f"), "")
    house = House(tenant_environments_max=1)
    house.scheduler.warm_up(function("f"), "one")
    house.scheduler.warm_up(function("f"), "two")
    assert house.count == 1
    house.memory.left_mb = 0
    house.pass_time(1)
    house.scheduler.warm_up(function("g"), "")
    assert house.living() == ["f"]
    house = House()
    house.scheduler.close()
    house.scheduler.warm_up(function("f"), "")
    assert house.count == 0
