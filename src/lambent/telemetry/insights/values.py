"""Values of fields, and how they compare and look.

A value is a text, a number, a boolean, a `Moment`, a JSON object or list, or None for a field that
an event does not have. An operation on None is None, which no filter accepts.
"""

import json
import math
from datetime import UTC, datetime
from typing import Any

Value = Any
_NUMBER_MAX = 1e300
"""JSON has larger integers, which are no floats."""


class Moment(int):
    """A time in epoch milliseconds."""

    __slots__ = ()


def number_of(value: Value) -> int | float | None:
    """The number that a value is or spells; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if -_NUMBER_MAX < value < _NUMBER_MAX else None
    if isinstance(value, str):
        try:
            found = float(value) if len(value) <= 64 else math.nan
        except ValueError:
            return None
        return found if math.isfinite(found) else None
    return None


def text_of(value: Value) -> str:
    """How a value looks in results."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Moment):
        return _moment_text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _moment_text(value: int) -> str:
    try:
        moment = datetime.fromtimestamp(value // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(int(value))
    return f"{moment:%Y-%m-%d %H:%M:%S}.{value % 1000:03d}"


def is_true(value: Value) -> bool:
    """Whether a filter accepts the value."""
    if isinstance(value, str):
        return value.lower() not in ("", "false", "0")
    return bool(value)


def compare(left: Value, right: Value) -> int | None:
    """-1, 0 or 1; None if a value is missing. Numbers compare as numbers, all else as text."""
    if left is None or right is None:
        return None
    one, two = number_of(left), number_of(right)
    if one is not None and two is not None:
        return (one > two) - (one < two)
    first, second = _plain(left), _plain(right)
    return (first > second) - (first < second)


def order_key(value: Value) -> tuple[int, float, str]:
    """What sorting compares: missing values, then numbers, then texts."""
    if value is None:
        return 0, 0.0, ""
    number = number_of(value)
    if number is not None:
        return 1, float(number), ""
    return 2, 0.0, text_of(value)


def group_key(value: Value) -> Value:
    """What tells values of a group apart."""
    return text_of(value) if isinstance(value, dict | list) else value


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return text_of(value)
