"""Tumbling windows: several calls aggregate the records of a shard that arrived in the same
interval. Each call passes a state to the next.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
"""

import dataclasses
import datetime
import json
from typing import Any

from lambent.kit.strict_json import member_as_written

STATE_BYTES_MAX = 1_048_576
"""A window with a larger state ends early."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """From `start` up to, not including, `end`; epoch seconds."""

    start: float
    end: float


def window_of(arrived_at: float, seconds: int) -> Window:
    """The window of that length that contains a time. Windows start at multiples of their length
    since the epoch."""
    start = arrived_at // seconds * seconds
    return Window(start, start + seconds)


def event_members(
    window: Window,
    state: bytes,
    *,
    shard_id: str,
    source_arn: str,
    is_final: bool,
    is_early: bool,
) -> bytes:
    """The members of an event other than `Records`, as JSON without the outer braces: the window,
    the state that the previous call returned (`{}` for the first), whether this is the window's
    last call, and whether the window ends early."""
    members = {
        "shardId": shard_id,
        "eventSourceARN": source_arn,
        "isFinalInvokeForWindow": is_final,
        "isWindowTerminatedEarly": is_early,
    }
    bounds = {"start": _iso(window.start), "end": _iso(window.end)}
    return b'"window":%b,"state":%b,%b' % (_json(bounds), state, _json(members)[1:-1])


def read_state(payload: bytes) -> bytes | None:
    """The state that a function returned, as it wrote it. None if there is no state or it is not an
    object: then the invocation failed."""
    try:
        # Parsing and writing it again could lose digits of numbers.
        state = member_as_written(payload.decode(), "state")
    except ValueError:
        return None
    return state.encode() if state is not None and state.startswith("{") else None


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _iso(epoch_s: float) -> str:
    """`2020-12-09T07:04:00Z`."""
    instant = datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
