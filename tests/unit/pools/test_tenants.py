"""Environments of functions that keep their tenants apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import ApiError
from lambent.node.environment.lifecycle import EnvironmentState
from tests.unit.pools.house import House, function

pytestmark = pytest.mark.anyio


def make_idle(house: House, *tenants: str) -> None:
    """An idle environment of each, in this order."""
    for tenant in tenants:
        house.call("f", tenant)
        house.started[-1].become_free()
        house.started[-1].become_free()
        house.clock.advance(1)


async def test_no_environment_is_shared() -> None:
    """A warm one of another tenant, or of none, is not used; one's own is."""
    house = House()
    make_idle(house, "a", "b")
    house.make_idle("f")
    assert len(house.started) == 3
    for tenant in ("a", "b", ""):
        house.call("f", tenant)
    assert len(house.started) == 3
    assert [environment.tenants for environment in house.started] == [{"a"}, {"b"}, {""}]


async def test_the_oldest_idle_tenant_makes_room() -> None:
    """Though an environment of a function without tenants has been idle for longer."""
    house = House(tenant_environments_max=2)
    house.make_idle("other")
    make_idle(house, "a", "b", "c")
    assert [(environment.name, environment.is_gone) for environment in house.started] == [
        ("other", False), ("f", True), ("f", False), ("f", False),
    ]  # fmt: skip


async def test_with_all_of_them_busy_the_call_is_throttled() -> None:
    """As AWS words it; functions without tenants are not concerned."""
    house = House(tenant_environments_max=2)
    house.call("f", "a")
    house.call("g", "a")
    with pytest.raises(ApiError) as caught:
        house.call("f", "b")
    assert (caught.value.code, caught.value.status) == ("TooManyRequestsException", 429)
    assert caught.value.message == "Rate exceeded"
    house.call("f")
    house.started[0].become_free()
    house.started[0].become_free()
    house.call("f", "b")
    assert house.started[-1].name == "f"


def test_pools_of_tenants_are_given_up() -> None:
    """A change of the function ends those of all tenants; none is remembered."""
    house = House()
    make_idle(house, *(f"tenant-{number}" for number in range(20)))
    held = house.scheduler.versions(function("f").key)
    assert {version.version for version in held} == {"$LATEST"}
    house.scheduler.retire({version.configuration_id for version in held})
    assert house.living() == []
    house.pass_time(1)
    assert list(house.scheduler._pools) == []


@given(
    st.lists(st.tuples(st.sampled_from(["call", "free", "time"]), st.integers(0, 7)), max_size=60)
)
def test_one_tenant_per_environment(steps: list[tuple[str, int]]) -> None:
    """Whatever happens; and not more environments than allowed."""
    house = House(tenant_environments_max=3)
    for step, number in steps:
        if step == "call":
            try:
                house.call("f", f"tenant-{number}")
            except ApiError as error:
                assert error.message == "Rate exceeded"
        elif step == "free" and house.started:
            environment = house.started[number % len(house.started)]
            if not environment.is_gone and environment.state in (
                EnvironmentState.INITIALIZING,
                EnvironmentState.BUSY,
            ):
                environment.become_free()
        else:
            house.pass_time(number * 100)
        assert all(len(environment.tenants) <= 1 for environment in house.started)
        assert len(house.living()) <= 3
