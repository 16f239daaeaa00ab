"""Patterns of filter criteria: which are well-formed.

A pattern is a JSON object; its leaves are non-empty lists of what a value may be: texts, numbers,
booleans, null, or an object with one operator.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

PATTERN_DEPTH_MAX = 20
_COMPARISONS = ("=", "<", "<=", ">", ">=")


def is_pattern(text: str, *, nested: str | None = None) -> bool:
    """Whether `text` is a well-formed pattern; if it is about the key `nested`, that must be an
    object."""
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict) or not _is_object(document, 1):
        return False
    return not any(
        name == nested and isinstance(value, list) for name, value in top_fields(document)
    )


def top_fields(pattern: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a well-formed pattern asks for at its top, alternatives included."""
    for name, value in pattern.items():
        if name == "$or" and isinstance(value, list):
            for condition in value:
                yield from top_fields(condition)
        else:
            yield name, value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_object(document: Mapping[str, Any], depth: int) -> bool:
    if not document or depth > PATTERN_DEPTH_MAX:
        return False
    return all(_is_field(name, value, depth) for name, value in document.items())


def _is_field(name: str, value: Any, depth: int) -> bool:
    if name == "$or" and isinstance(value, list):
        return len(value) > 1 and all(
            isinstance(member, dict) and _is_object(member, depth + 1) for member in value
        )
    if isinstance(value, dict):
        return _is_object(value, depth + 1)
    return (
        isinstance(value, list)
        and bool(value)
        and all(_is_condition(condition) for condition in value)
    )


def _is_condition(value: Any) -> bool:
    if isinstance(value, dict):
        if len(value) != 1:
            return False
        ((operator, operand),) = value.items()
        check = _OPERATORS.get(operator)
        return check is not None and check(operand)
    return not isinstance(value, list)


def _is_text(operand: Any) -> bool:
    return isinstance(operand, str)


def _is_affix(operand: Any) -> bool:
    """A text, or one whose case does not matter."""
    if isinstance(operand, dict):
        return set(operand) == {"equals-ignore-case"} and _is_text(operand["equals-ignore-case"])
    return _is_text(operand)


def _is_wildcard(operand: Any) -> bool:
    return _is_text(operand) and "**" not in operand


def _is_exclusion(operand: Any) -> bool:
    if isinstance(operand, dict):
        if len(operand) != 1:
            return False
        ((operator, inner),) = operand.items()
        if operator not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            return False
        return _is_text(inner) or (
            isinstance(inner, list) and bool(inner) and all(map(_is_text, inner))
        )
    if isinstance(operand, list):
        return bool(operand) and all(map(_is_scalar, operand))
    return _is_scalar(operand)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_range(operand: Any) -> bool:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        return False
    signs, numbers = operand[::2], operand[1::2]
    if not all(_is_scalar(number) and not isinstance(number, str) for number in numbers):
        return False
    if len(signs) == 1:
        return signs[0] in _COMPARISONS
    return signs[0] in (">", ">=") and signs[1] in ("<", "<=") and numbers[0] < numbers[1]


def _is_network(operand: Any) -> bool:
    try:
        ipaddress.ip_network(operand, strict=False)
    except (ValueError, TypeError):
        return False
    return isinstance(operand, str)


_OPERATORS: Mapping[str, Callable[[Any], bool]] = {
    "prefix": _is_affix,
    "suffix": _is_affix,
    "equals-ignore-case": _is_text,
    "wildcard": _is_wildcard,
    "anything-but": _is_exclusion,
    "numeric": _is_range,
    "exists": lambda operand: isinstance(operand, bool),
    "cidr": _is_network,
}
