"""Numbers of users for environments."""

import pytest

from lambent.sandbox import users
from lambent.sandbox.launcher.process_parts import take_users


def test_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each instance has a usual place, and all others to go to; in a container with few numbers
    they lie lower, clear of the last ones, which have a meaning."""
    monkeypatch.setattr(users, "_exists", lambda number: True)
    places = users.first_users(1_900_000_000, 205)
    assert places[0] == 1_900_005_000
    assert sorted(places) == [1_900_000_000 + 1000 * at for at in range(100)]
    monkeypatch.setattr(users, "_exists", lambda number: number < 65_536)
    places = users.first_users(1_900_000_000, 16)
    assert places[0] == 46_000
    assert max(places) + 1000 <= 60_000


def test_no_user_is_taken_twice() -> None:
    """Two launchers do not use the same numbers: each ends all processes that have them."""
    firsts = [2_000_000_000, 2_000_001_000]
    one, first = take_users(firsts)
    other, second = take_users(firsts)
    try:
        assert [first, second] == firsts
        with pytest.raises(OSError, match="all user numbers"):
            take_users(firsts)
    finally:
        one.close()
        other.close()
    again, first = take_users(firsts)
    again.close()
    assert first == firsts[0]
