"""Tumbling windows: when they are, what events say of them, and their state."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.polling.windows import STATE_BYTES_MAX, Window, event_members, read_state, window_of

TIMES = st.floats(min_value=0, max_value=4e9)
LENGTHS = st.integers(1, 900)


@given(TIMES, LENGTHS)
def test_every_time_lies_in_its_window(arrived_at: float, seconds: int) -> None:
    """It has the requested length, and starts at a multiple of that."""
    window = window_of(arrived_at, seconds)
    assert window.start <= arrived_at < window.end
    assert window.end - window.start == seconds
    assert window.start % seconds == 0


@given(TIMES, LENGTHS)
def test_windows_tile(arrived_at: float, seconds: int) -> None:
    """Where one ends the next starts."""
    window = window_of(arrived_at, seconds)
    following = window_of(window.end, seconds)
    assert following.start == window.end
    assert window_of(window.start, seconds) == window


def members(window: Window, state: bytes, **flags: bool) -> Any:
    chosen = {"is_final": False, "is_early": False, **flags}
    rendered = event_members(
        window, state, shard_id="shardId-000000000006", source_arn='arn:"x"', **chosen
    )
    return json.loads(b'{"Records":[],' + rendered + b"}")


def test_members_of_an_event() -> None:
    """Are those AWS sends."""
    window = window_of(1607497445.5, 60)
    assert members(window, b'{"n":1}') == {
        "Records": [],
        "window": {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:05:00Z"},
        "state": {"n": 1},
        "shardId": "shardId-000000000006",
        "eventSourceARN": 'arn:"x"',
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }
    assert members(window, b"{}", is_final=True)["isFinalInvokeForWindow"] is True
    assert members(window, b"{}", is_early=True)["isWindowTerminatedEarly"] is True


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        (b'{"state":{}}', b"{}"),
        (b' \n{ "state" : { "n" : 1 } , "x" : [1, {"state": 2}] } ', b'{ "n" : 1 }'),
        (b'{"batchItemFailures":[],"state":{"s":"}\\""}}', b'{"s":"}\\""}'),
        (b'{"state":{"n":0.10000000000000000000001}}', b'{"n":0.10000000000000000000001}'),
        (b'{"state":{"n":' + b"9" * 5000 + b"}}", b'{"n":' + b"9" * 5000 + b"}"),
        ('{"state":{"é":"\\ud800"}}'.encode(), '{"é":"\\ud800"}'.encode()),
        (b'{"state":{"n":1},"state":{"n":2}}', b'{"n":2}'),
        (b'{"st\\u0061te":{"n":1}}', b'{"n":1}'),
    ],
    ids=range(8),
)
def test_state(payload: bytes, state: bytes) -> None:
    """Is what the function wrote, digit by digit."""
    assert read_state(payload) == state


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b'{"state":null}',
        b'{"state":[]}',
        b'{"state":"{}"}',
        b'{"State":{}}',
        b'{"state":{}',
        b'{"state":{}}x',
        b'{"state":{"n":NaN}}',
        b'{"x":{"state":{}}}',
        b'{"state":{},"state":1}',
        b"\xff",
        b'{"state":' * 100_000,
    ],
    ids=range(15),
)
def test_no_state(payload: bytes) -> None:
    """Is a failure."""
    assert read_state(payload) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.slow
@given(
    st.dictionaries(st.text(), JSON),
    st.dictionaries(st.text(), JSON),
    st.sampled_from([None, 0, 3]),
    st.booleans(),
)
def test_state_comes_back(state: Any, others: Any, indent: int | None, ascii_only: bool) -> None:
    """However the answer is written and whatever else is in it, and it can be put into an event."""
    answer = {**others, "state": state, "z": others}
    read = read_state(json.dumps(answer, indent=indent, ensure_ascii=ascii_only).encode())
    assert read is not None
    assert json.loads(read) == state
    assert members(Window(0, 60), read)["state"] == state


@given(st.binary())
def test_any_answer(payload: bytes) -> None:
    """Has a state, or none."""
    assert read_state(payload) is None or b"state" in payload


def test_a_large_state() -> None:
    """Is read as fast as a small one; that it is too large is for others to see."""
    state = json.dumps({"s": "x" * STATE_BYTES_MAX}).encode()
    read = read_state(b'{"state":' + state + b"}")
    assert read == state
    assert len(read) > STATE_BYTES_MAX
