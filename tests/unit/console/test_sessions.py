"""Signing in to the console, with a clock that the test moves."""

from typing import Any

import pytest

from lambent.console.sessions import Sessions
from lambent.console.settings import ConsoleSettings
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId
from lambent.model.errors import ApiError
from lambent.model.peers import NoPeers
from lambent.model.principal import Principal, root_of
from tests.unit.linked_peers import linked

ROOT = root_of(AccountId("000000000000"))
HOME = "127.0.0.1"


class Keys:
    """A keyring with one key."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[Principal, str]] = {"AKIA1": (ROOT, "secret")}
        self.are_users_there = True

    def find(self, key_id: str, token: str | None) -> tuple[Principal, str] | None:
        return None if token else self.keys.get(key_id)

    def is_current(self, _: Principal) -> bool:
        return self.are_users_there


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keys() -> Any:
    return Keys()


def open_sessions(keys: Any, clock: ManualClock, **settings: Any) -> Sessions:
    return Sessions(keys, clock, ConsoleSettings(**settings), NoPeers())


def code_of(attempt: Any, *arguments: Any) -> str:
    with pytest.raises(ApiError) as refused:
        attempt(*arguments)
    return refused.value.code


def test_a_session_needs_both_halves(keys: Any, clock: ManualClock) -> None:
    sessions = open_sessions(keys, clock)
    halves = sessions.sign_in(HOME, "AKIA1", "secret", None)
    assert sessions.find(halves.cookie, halves.token).principal == ROOT
    for cookie, token in (
        (halves.cookie, ""),
        ("", halves.token),
        (halves.token, halves.cookie),
        (halves.cookie, "\u00e9" * 1000),
    ):
        assert code_of(sessions.find, cookie, token) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("key_id", "secret", "token"),
    [
        ("AKIA1", "Secret", None),
        ("AKIA1", "", None),
        ("AKIA2", "secret", None),
        ("", "", None),
        ("A" * 10_000, "secret", None),
        ("AKIA1", "secret", "t" * 100_000),
        ("AKIA1", "s\u00e9cret", None),
    ],
)
def test_wrong_keys_begin_no_session(
    keys: Any, clock: ManualClock, key_id: str, secret: str, token: str | None
) -> None:
    sessions = open_sessions(keys, clock)
    assert code_of(sessions.sign_in, HOME, key_id, secret, token) == "UnrecognizedClientException"


def test_secrets_cannot_be_tried_out(keys: Any, clock: ManualClock) -> None:
    """After ten failures in a minute an address has to wait, also with the right secret; others do
    not."""
    sessions = open_sessions(keys, clock)
    for _ in range(10):
        assert code_of(sessions.sign_in, HOME, "AKIA1", "x", None) == "UnrecognizedClientException"
    assert code_of(sessions.sign_in, HOME, "AKIA1", "secret", None) == "TooManyRequestsException"
    assert code_of(sessions.sign_in_by_link, HOME, "x") == "TooManyRequestsException"
    sessions.sign_in("127.0.0.2", "AKIA1", "secret", None)
    clock.advance(61)
    sessions.sign_in(HOME, "AKIA1", "secret", None)


def test_failures_of_many_addresses_take_little_memory(keys: Any, clock: ManualClock) -> None:
    sessions = open_sessions(keys, clock)
    for number in range(3000):
        code_of(sessions.sign_in, f"10.0.{number >> 8}.{number & 255}", "AKIA1", "x", None)
    assert len(sessions._attempts) == 1024


def test_sessions_end(keys: Any, clock: ManualClock) -> None:
    """When no one uses them, after half a day, with the key, with the user, and by signing out."""
    sessions = open_sessions(keys, clock, session_idle_s=100.0, session_s=250.0)
    halves = [sessions.sign_in(HOME, "AKIA1", "secret", None) for _ in range(5)]
    clock.advance(99)
    sessions.find(halves[0].cookie, halves[0].token)
    clock.advance(99)
    sessions.find(halves[0].cookie, halves[0].token)
    assert code_of(sessions.find, halves[1].cookie, halves[1].token)
    clock.advance(60)
    assert code_of(sessions.find, halves[0].cookie, halves[0].token)

    again = sessions.sign_in(HOME, "AKIA1", "secret", None)
    sessions.sign_out(again.cookie)
    assert code_of(sessions.find, again.cookie, again.token)

    again = sessions.sign_in(HOME, "AKIA1", "secret", None)
    keys.are_users_there = False
    assert code_of(sessions.find, again.cookie, again.token)
    keys.are_users_there = True
    again = sessions.sign_in(HOME, "AKIA1", "secret", None)
    keys.keys["AKIA1"] = (ROOT, "another")
    assert code_of(sessions.find, again.cookie, again.token)
    keys.keys.clear()
    assert code_of(sessions.find, again.cookie, again.token)


def test_there_are_so_many_sessions(keys: Any, clock: ManualClock) -> None:
    """Another one ends the one that was idle longest."""
    sessions = open_sessions(keys, clock, sessions_max=2)
    first, second = (sessions.sign_in(HOME, "AKIA1", "secret", None) for _ in range(2))
    sessions.find(first.cookie, first.token)
    sessions.sign_in(HOME, "AKIA1", "secret", None)
    sessions.find(first.cookie, first.token)
    assert code_of(sessions.find, second.cookie, second.token)


def test_a_link_signs_in_once_and_soon(keys: Any, clock: ManualClock) -> None:
    sessions = open_sessions(keys, clock)
    code = sessions.make_link(ROOT)
    halves = sessions.sign_in_by_link(HOME, code)
    assert sessions.find(halves.cookie, halves.token).access_key_id is None
    assert code_of(sessions.sign_in_by_link, HOME, code) == "UnrecognizedClientException"
    late = sessions.make_link(ROOT)
    clock.advance(121)
    assert code_of(sessions.sign_in_by_link, HOME, late) == "UnrecognizedClientException"
    codes = [sessions.make_link(ROOT) for _ in range(17)]
    assert code_of(sessions.sign_in_by_link, HOME, codes[0]) == "UnrecognizedClientException"
    sessions.sign_in_by_link(HOME, codes[1])


def test_secrets_are_not_shown(keys: Any, clock: ManualClock) -> None:
    sessions = open_sessions(keys, clock)
    halves = sessions.sign_in(HOME, "AKIA1", "secret", None)
    session = sessions.find(halves.cookie, halves.token)
    shown = f"{halves!r} {session!r}"
    assert "secret" not in shown
    assert halves.cookie not in shown
    assert halves.token not in shown


@pytest.mark.anyio
async def test_a_session_is_one_on_all_nodes(keys: Any, clock: ManualClock) -> None:
    """Signing in, links, use, the end and failures are known everywhere."""
    one, two = [
        Sessions(keys, clock, ConsoleSettings(session_idle_s=600), peers) for peers in linked(2)
    ]
    halves = one.sign_in(HOME, "AKIA1", "secret", None)
    assert one.has_news
    await one.tell()
    assert two.find(halves.cookie, halves.token).principal == ROOT
    assert code_of(two.find, halves.cookie, "") == "UnrecognizedClientException"
    for _ in range(4):
        clock.advance(400)
        one.find(halves.cookie, halves.token)
        await one.tell()
    assert two.find(halves.cookie, halves.token).access_key_id == "AKIA1"
    two.sign_out(halves.cookie)
    await two.tell()
    assert code_of(one.find, halves.cookie, halves.token) == "UnrecognizedClientException"
    code = one.make_link(ROOT)
    await one.tell()
    halves = two.sign_in_by_link(HOME, code)
    await two.tell()
    assert one.find(halves.cookie, halves.token).principal == ROOT
    assert code_of(one.sign_in_by_link, HOME, code) == "UnrecognizedClientException"
    for number in range(9):
        sessions = (one, two)[number % 2]
        code_of(sessions.sign_in, "192.0.2.1", "AKIA1", "wrong", None)
        await sessions.tell()
    code_of(one.sign_in, "192.0.2.1", "AKIA1", "wrong", None)
    await one.tell()
    assert code_of(two.sign_in, "192.0.2.1", "AKIA1", "secret", None) == "TooManyRequestsException"
