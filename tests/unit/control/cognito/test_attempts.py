"""Guessing is limited, over all nodes."""

import pytest

from lambent.control.cognito.attempts import Attempts
from lambent.kit.clock import ManualClock
from lambent.model.errors import ApiError
from tests.unit.linked_peers import linked

pytestmark = pytest.mark.anyio


async def test_nodes_count_guesses_together() -> None:
    """Wrong passwords and codes at one node lock a name at the other; a right one unlocks it."""
    clock = ManualClock()
    one, two = [Attempts(clock, peers) for peers in linked(2)]
    for _ in range(3):
        for attempts in (one, two):
            attempts.note_password("p", "u", "192.0.2.1", is_right=False)
            await attempts.tell()
    for attempts in (one, two):
        with pytest.raises(ApiError, match="exceeded"):
            attempts.check_password("p", "u", "")
        attempts.check_password("p", "other", "")
    clock.advance(10)
    one.note_password("p", "u", "", is_right=True)
    await one.tell()
    for _ in range(4):
        two.note_password("p", "u", "", is_right=False)
        two.check_password("p", "u", "")
    for number in range(5):
        (one, two)[number % 2].note_wrong_code("p", "u", "forgot", "")
        (one, two)[number % 2].note_sending("p", "u", "forgot", "")
    for attempts in (one, two):
        await attempts.tell()
    for attempts in (one, two):
        with pytest.raises(ApiError, match="limit"):
            attempts.check_code("p", "u", "forgot", "")
        with pytest.raises(ApiError, match="limit"):
            attempts.note_sending("p", "u", "forgot", "")
    two.forget_codes("p", "u", "forgot")
    await two.tell()
    one.check_code("p", "u", "forgot", "")
