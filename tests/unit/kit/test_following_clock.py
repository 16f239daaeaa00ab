"""A clock that has the time of another."""

import pytest

from lambent.kit.clock import FollowingClock, ManualClock


def test_it_has_the_time_of_another() -> None:
    """From the first look on; whether the machine's own wall clock is right does not matter."""
    own = ManualClock(now=1000)
    clock = FollowingClock(own)
    assert clock.now() == 1000
    clock.follow(5000)
    assert clock.now() == 5000
    own.advance(3)
    assert clock.now() == 5003
    assert clock.monotonic() == own.monotonic()


@pytest.mark.parametrize(("seen", "now"), [(1000.3, 1000), (999.7, 1000), (990, 990), (1010, 1010)])
def test_small_differences_do_not_move_it(seen: float, now: float) -> None:
    """A look takes a moment, and the time does not go back for that."""
    clock = FollowingClock(ManualClock(now=1000))
    clock.follow(seen)
    assert clock.now() == now
