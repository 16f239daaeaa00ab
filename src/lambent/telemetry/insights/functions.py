"""The functions of queries: of numbers, times, texts, JSON and addresses.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
"""

import ipaddress
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.telemetry.insights.values import Moment, Value, compare, number_of, text_of

_TEXT_MAX = 1 << 20
"""Characters that a function may return."""
PERIODS_MS: Mapping[str, int] = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "mo": 30 * 86_400_000,
    "q": 91 * 86_400_000,
    "y": 365 * 86_400_000,
}


class Function(NamedTuple):
    """A function and how many arguments it takes."""

    run: Callable[..., Value]
    least: int
    most: int
    takes_missing: bool = False
    """Whether it is called for missing values; if not, its value is missing, too."""


def _numeric(run: Callable[..., Value], count: int = 1, most: int | None = None) -> Function:
    def call(*arguments: Value) -> Value:
        numbers = [number_of(each) for each in arguments]
        if any(each is None for each in numbers):
            return None
        try:
            found = run(*numbers)
            return found if math.isfinite(found) else None
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return Function(call, count, most or count)


def _textual(run: Callable[..., Value], least: int = 1, most: int | None = None) -> Function:
    return Function(
        lambda *arguments: run(*(text_of(each) for each in arguments)), least, most or least
    )


def _substring(text: Value, start: Value, length: Value = None) -> Value:
    begin, count = number_of(start), number_of(length)
    if begin is None:
        return None
    at = max(int(begin), 0)
    end = None if count is None else at + max(int(count), 0)
    return text_of(text)[at:end]


def _replace(text: str, old: str, new: str) -> Value:
    if not old or len(text) + text.count(old) * len(new) > _TEXT_MAX:
        return text
    return text.replace(old, new)


def _concat(*parts: Value) -> Value:
    return "".join(text_of(each) for each in parts)[:_TEXT_MAX]


def _coalesce(*values: Value) -> Value:
    return next((each for each in values if each is not None), None)


def _extreme(sign: int) -> Callable[..., Value]:
    def pick(*values: Value) -> Value:
        found = values[0]
        for each in values[1:]:
            if compare(each, found) == sign:
                found = each
        return found

    return pick


def _floor(value: Value, period_ms: Value) -> Value:
    at, period = number_of(value), number_of(period_ms)
    if at is None or not period or period < 1:
        return None
    return Moment(int(at // period * period))


def _ceil(value: Value, period_ms: Value) -> Value:
    floor = _floor(value, period_ms)
    at, period = number_of(value), number_of(period_ms)
    if floor is None or at is None or period is None:
        return None
    return floor if floor == at else Moment(floor + int(period))


def _from_millis(value: Value) -> Value:
    at = number_of(value)
    return None if at is None else Moment(int(at))


def _to_millis(value: Value) -> Value:
    at = number_of(value)
    return None if at is None else int(at)


def _parse_json(value: Value) -> Value:
    try:
        return json.loads(text_of(value))
    except (ValueError, RecursionError):
        return None


def _stringify(value: Value) -> Value:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _is_address(*versions: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version in versions
        except ValueError:
            return False

    return check


def _is_in_subnet(*versions: int) -> Callable[[str, str], bool]:
    def check(text: str, subnet: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
            return address.version in versions and address in ipaddress.ip_network(subnet, False)
        except (ValueError, TypeError):
            return False

    return check


def _strip(kind: str) -> Function:
    def run(text: str, characters: str | None = None) -> Value:
        found: Value = getattr(text, kind)(characters)
        return found

    return _textual(run, 1, 2)


_MANY = 100
FUNCTIONS: Mapping[str, Function] = {
    "abs": _numeric(abs),
    "ceil": _numeric(math.ceil),
    "floor": _numeric(math.floor),
    "log": _numeric(math.log),
    "sqrt": _numeric(math.sqrt),
    "greatest": Function(_extreme(1), 1, _MANY),
    "least": Function(_extreme(-1), 1, _MANY),
    "datefloor": Function(_floor, 2, 2),
    "dateceil": Function(_ceil, 2, 2),
    "frommillis": Function(_from_millis, 1, 1),
    "tomillis": Function(_to_millis, 1, 1),
    "ispresent": Function(lambda value: value is not None, 1, 1, True),
    "coalesce": Function(_coalesce, 1, _MANY, True),
    "jsonparse": Function(_parse_json, 1, 1),
    "jsonstringify": Function(_stringify, 1, 1),
    "isvalidip": _textual(_is_address(4, 6)),
    "isvalidipv4": _textual(_is_address(4)),
    "isvalidipv6": _textual(_is_address(6)),
    "isipinsubnet": _textual(_is_in_subnet(4, 6), 2),
    "isipv4insubnet": _textual(_is_in_subnet(4), 2),
    "isipv6insubnet": _textual(_is_in_subnet(6), 2),
    "isempty": Function(lambda value: value is None or text_of(value) == "", 1, 1, True),
    "isblank": Function(lambda value: value is None or not text_of(value).strip(), 1, 1, True),
    "concat": Function(_concat, 1, _MANY),
    "ltrim": _strip("lstrip"),
    "rtrim": _strip("rstrip"),
    "trim": _strip("strip"),
    "strlen": _textual(len),
    "toupper": _textual(str.upper),
    "tolower": _textual(str.lower),
    "substr": Function(_substring, 2, 3),
    "replace": _textual(_replace, 3),
    "strcontains": _textual(lambda text, part: part in text, 2),
}
"""By name, in lower case."""


def call(function: Function, arguments: Sequence[Value]) -> Value:
    """The value of a function."""
    if not function.takes_missing and any(each is None for each in arguments):
        return None
    return function.run(*arguments)


def arithmetic(sign: str) -> Callable[[Value, Value], Value]:
    """An operator of numbers."""
    run: Callable[[Any, Any], Any] = {
        "+": lambda left, right: left + right,
        "-": lambda left, right: left - right,
        "*": lambda left, right: left * right,
        "/": lambda left, right: left / right,
        "%": math.fmod,
        "^": lambda left, right: float(left) ** float(right),
    }[sign]

    def compute(left: Value, right: Value) -> Value:
        one, two = number_of(left), number_of(right)
        if one is None or two is None:
            return None
        try:
            found = run(one, two)
            if isinstance(found, complex) or not math.isfinite(found):
                return None
        except (ZeroDivisionError, OverflowError, ValueError):
            return None
        is_whole = isinstance(found, float) and found.is_integer() and abs(found) < 1e15
        return int(found) if is_whole else found

    return compute
