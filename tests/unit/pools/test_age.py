"""Environments are replaced before the credentials they were given expire."""

import pytest

from lambent.identity.settings import IdentitySettings
from lambent.node.pools.settings import SchedulingSettings
from lambent.settings import Settings, SettingsError, load_settings
from tests.unit.pools.house import House, Memory

pytestmark = pytest.mark.anyio
AGE_MAX_S = SchedulingSettings().environment_age_max_s


async def test_an_environment_that_is_always_in_use_ends_too() -> None:
    """After the longest life; the next call gets a new one."""
    house = House(Memory(8000))
    house.make_idle("f")
    while house.clock.monotonic() < AGE_MAX_S - 300:
        house.pass_time(299)
        house.call("f")
        house.started[-1].become_free()
    assert len(house.started) == 1
    house.pass_time(301)
    assert house.living() == []
    house.call("f")
    assert len(house.started) == 2


async def test_a_busy_one_ends_after_its_call() -> None:
    """It is notified, and takes nothing more."""
    house = House(Memory(8000))
    house.make_idle("f")
    house.call("f")
    house.pass_time(AGE_MAX_S + 1)
    house.call("f")
    assert len(house.started) == 2


def test_credentials_outlive_environments() -> None:
    """By default, and whatever is chosen."""
    longest_s = AGE_MAX_S + 900
    assert IdentitySettings().session_s >= longest_s
    assert Settings().identity.session_s >= Settings().scheduling.environment_age_max_s
    with pytest.raises(SettingsError, match="must outlive"):
        load_settings(
            environment={},
            flags={"identity.session_s": ("--set", str(longest_s - 1))},
        )
