"""Event patterns of EventBridge: which are valid, and why others are not.

A valid pattern is matched by `model.matching`. Two things differ from the filters of event source
mappings. Numbers are equal if their values are, and a name with dots is a path: `{"a.b": …}` is
`{"a": {"b": …}}`, in patterns and in events. Both are settled when a text is read.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import decimal
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lambent.kit.strict_json import Number
from lambent.model.events.pattern_places import place_of
from lambent.model.matching import compile_object

Pattern = Mapping[str, Any]
Event = Mapping[str, Any]

DEPTH_MAX = 50
"""Levels of a pattern. AWS has no number for it; a pattern has at most 4,096 characters."""
_DOTS_MAX = 50
"""A name with more dots is a name, no path."""
_ARITHMETIC = decimal.Context(prec=40, traps=[])
_COMPARISONS = ("=", "<", "<=", ">", ">=")
_AFFIX = "prefix/suffix match pattern must be a string"
_MASK = re.compile(r"\d{1,3}", re.ASCII)


class InvalidPattern(ValueError):
    """A pattern is not valid; the message is AWS's reason."""

    def __init__(
        self,
        reason: str,
        *,
        at: Sequence[str | int] | None = None,
        is_whole: bool = False,
        is_twice: bool = False,
    ) -> None:
        """`at` leads from what is being checked to what is wrong, if AWS names its place;
        `is_whole` and `is_twice` say how. See `pattern_places`."""
        super().__init__(reason)
        self.path = None if at is None else list(at)
        self.is_whole = is_whole
        self.is_twice = is_twice

    def with_place(self, text: str) -> "InvalidPattern":
        """The same with the place in the pattern's text."""
        if self.path is None:
            return self
        place = place_of(text, self.path, is_whole=self.is_whole) or ""
        return InvalidPattern(str(self) + place * (2 if self.is_twice else 1))


@contextmanager
def _under(*steps: str | int) -> Iterator[None]:
    """What is wrong here is below these steps."""
    try:
        yield
    except InvalidPattern as error:
        if error.path is not None:
            error.path[:0] = steps
        raise


def read_pattern(text: str) -> Pattern:
    """Parse a pattern and check it. Raises `InvalidPattern`."""
    try:
        pattern = _decode(text)
    except ValueError as error:
        raise InvalidPattern("Invalid JSON") from error
    try:
        if not isinstance(pattern, dict):
            raise InvalidPattern("Filter is not an object", at=())
        _check_object(pattern, 1)
    except InvalidPattern as error:
        raise error.with_place(text) from None
    return pattern


def read_event(text: str) -> Event:
    """Parse an event as patterns see it. Raises `ValueError` if it is no JSON object."""
    event = _decode(text)
    if not isinstance(event, dict):
        raise ValueError("not a JSON object")
    return event


def matches(pattern: Pattern, event: Event) -> bool:
    """Whether an event matches a pattern. Many patterns of a bus: see `RuleIndex`."""
    return compile_object(pattern)(event)


# -- reading -----------------------------------------------------------------------------------


def _decode(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(text: str) -> Number:
    """A number in the form that all numbers of the same value have."""
    return Number(_ARITHMETIC.create_decimal(text).normalize(_ARITHMETIC))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names with dots are paths."""
    found = dict(members)
    if not any("." in name for name in found):
        return found
    expanded: dict[str, Any] = {}
    for name, value in found.items():
        *path, last = name.split(".") if name.count(".") <= _DOTS_MAX else [name]
        place = expanded
        for step in path:
            inner = place.get(step)
            place[step] = inner = dict(inner) if isinstance(inner, dict) else {}
            place = inner
        before = place.get(last)
        if isinstance(before, dict) and isinstance(value, dict):
            value = {**before, **value}
        place[last] = value
    return expanded


_DECODER = json.JSONDecoder(
    parse_int=_number,
    parse_float=_number,
    parse_constant=_refuse,
    object_pairs_hook=_object,
)


# -- checking ----------------------------------------------------------------------------------


def _check_object(pattern: Pattern, depth: int) -> None:
    if not pattern:
        raise InvalidPattern("Empty objects are not allowed", at=(), is_whole=True)
    if depth > DEPTH_MAX:
        raise InvalidPattern(f"The pattern has more than {DEPTH_MAX} levels")
    for name, value in pattern.items():
        if name == "$or" and _is_choice(value):
            for number, choice in enumerate(value):
                with _under(name, number):
                    _check_object(choice, depth + 1)
        elif isinstance(value, dict):
            with _under(name):
                _check_object(value, depth + 1)
        elif isinstance(value, list):
            with _under(name):
                _check_conditions(value)
        else:
            raise InvalidPattern(f'"{name}" must be an object or an array', at=(name,))


def _is_choice(value: Any) -> bool:
    """Whether `$or` is the operator: a list of two objects or more, none of them a condition."""
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(choice, dict) and not _is_condition(choice) for choice in value)
    )


def _is_condition(choice: Mapping[str, Any]) -> bool:
    """`{"prefix": "a"}` is a condition, `{"prefix": ["a"]}` asks for a field of this name."""
    if len(choice) != 1:
        return False
    ((name, operand),) = choice.items()
    return name in _OPERATORS and not isinstance(operand, list | dict)


def _check_conditions(conditions: Sequence[Any]) -> None:
    if not conditions:
        raise InvalidPattern("Empty arrays are not allowed", at=(), is_whole=True)
    for number, condition in enumerate(conditions):
        if isinstance(condition, list):
            raise InvalidPattern("Match value must be String, number, true, false, or null")
        if isinstance(condition, dict):
            if len(condition) != 1:
                raise InvalidPattern("Only one key allowed in match expression")
            ((name, operand),) = condition.items()
            check = _OPERATORS.get(name)
            if check is None:
                raise InvalidPattern(f"Unrecognized match type {name}", at=(number, name))
            with _under(number, name):
                check(operand)


def _is_text(operand: Any) -> bool:
    return type(operand) is str


def _require_text(operand: Any, reason: str) -> str:
    if not _is_text(operand):
        raise InvalidPattern(reason, at=())
    return str(operand)


def _affix(name: str) -> Callable[[Any], None]:
    def check(operand: Any) -> None:
        if isinstance(operand, dict) and list(operand) == ["equals-ignore-case"]:
            _equals_ignore_case(operand["equals-ignore-case"])
        else:
            _require_text(operand, f"{name} match pattern must be a string")

    return check


def _equals_ignore_case(operand: Any) -> None:
    _require_text(operand, "equals-ignore-case match pattern must be a string")


def _wildcard(operand: Any) -> None:
    text = _require_text(operand, "wildcard match pattern must be a string")
    at = 0
    while at < len(text):
        if text[at] == "\\":
            if text[at + 1 : at + 2] not in ("*", "\\"):
                raise InvalidPattern(
                    f"Invalid escape character at pos {at + 1}", at=(), is_whole=True
                )
            at += 1
        elif text[at : at + 2] == "**":
            raise InvalidPattern(
                f"Consecutive wildcard characters at pos {at + 1}", at=(), is_whole=True
            )
        at += 1


def _exists(operand: Any) -> None:
    if not isinstance(operand, bool):
        raise InvalidPattern("exists match pattern must be either true or false.")


def _numeric(operand: Any) -> None:
    if not isinstance(operand, list):
        raise InvalidPattern("Value of numeric must be an array.")
    if not operand:
        raise InvalidPattern("Invalid member in numeric match: ]")
    bounds = [_bound(operand, at) for at in range(0, len(operand), 2)]
    (sign, first), *others = bounds
    if not others:
        return
    if sign not in (">", ">=") or len(others) > 1:
        raise InvalidPattern("Too many terms in numeric range expression")
    ((second_sign, second),) = others
    if second_sign not in ("<", "<="):
        raise InvalidPattern(f"Bad numeric range operator: {second_sign}", at=(2,), is_whole=True)
    if not first < second:
        raise InvalidPattern("Bottom must be less than top")


def _bound(operand: Sequence[Any], at: int) -> tuple[str, decimal.Decimal]:
    sign = operand[at]
    if not _is_text(sign):
        raise InvalidPattern(f"Invalid member in numeric match: {sign}")
    if sign not in _COMPARISONS:
        raise InvalidPattern(f"Unrecognized numeric range operator: {sign}")
    number = operand[at + 1] if at + 1 < len(operand) else None
    if type(number) is not Number:
        # AWS has read the next token: the number, or the end of the array.
        is_last = at + 1 >= len(operand)
        place = () if is_last else (at + 1,)
        raise InvalidPattern(f"Value of {sign} must be numeric", at=place, is_whole=is_last)
    return sign, decimal.Decimal(number)


def _cidr(operand: Any) -> None:
    # AWS's text says "prefix" here, too.
    text = _require_text(operand, "prefix match pattern must be a string")
    address, slash, mask = text.partition("/")
    if not slash or "/" in mask:
        raise InvalidPattern("Malformed CIDR, one '/' required")
    if _MASK.fullmatch(mask) is None:
        raise InvalidPattern("Malformed CIDR, mask bits must be an integer")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise InvalidPattern(f"Nonstandard IP address: {address}") from error
    if int(mask) > parsed.max_prefixlen:
        raise InvalidPattern(
            f"IPv{parsed.version} mask bits must not be greater than {parsed.max_prefixlen}"
        )


def _anything_but(operand: Any) -> None:
    if isinstance(operand, dict):
        _anything_but_operator(operand)
        return
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise InvalidPattern("Empty arrays are not allowed")
    kinds = {type(value) for value in values}
    if not kinds <= {str, Number}:
        raise InvalidPattern(
            "Inside anything but list, start|null|boolean is not supported."
            if isinstance(operand, list)
            else "Value of anything-but must be an array or single string/number value."
        )
    if len(kinds) > 1:
        raise InvalidPattern(
            "Inside anything but list, either all values are number or string, mixed type is not"
            " supported"
        )


def _anything_but_operator(operand: Mapping[str, Any]) -> None:
    if len(operand) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    ((name, inner),) = operand.items()
    if name not in _EXCLUDED:
        raise InvalidPattern(f"Unsupported anything-but pattern: {name}")
    if isinstance(inner, dict):
        raise InvalidPattern(
            "Value of anything-but must be an array or single string/number value.", at=(name,)
        )
    values = inner if isinstance(inner, list) else [inner]
    if not values:
        raise InvalidPattern("Empty arrays are not allowed")
    for number, value in enumerate(values):
        if not _is_text(value):
            is_one = not isinstance(inner, list)
            place = (name,) if is_one else (name, number)
            raise InvalidPattern(_EXCLUDED[name], at=place, is_twice=not is_one)
        if name in ("prefix", "suffix") and not value:
            raise InvalidPattern("Null prefix/suffix not allowed")
        if name == "wildcard":
            with _under(name, *(() if value is inner else (number,))):
                _wildcard(value)


_EXCLUDED: Mapping[str, str] = {
    "prefix": _AFFIX,
    "suffix": _AFFIX,
    "equals-ignore-case": (
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
    ),
    "wildcard": "wildcard match pattern must be a string",
}
"""Operators within `anything-but`, and why an operand that is no text is refused."""

_OPERATORS: Mapping[str, Callable[[Any], None]] = {
    "prefix": _affix("prefix"),
    "suffix": _affix("suffix"),
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}
