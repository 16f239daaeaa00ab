"""Filter patterns for messages of fields between spaces: `[ip, ..., status_code=4*, bytes>1000]`.

A text in quotation marks or in brackets is one field.
"""

import re
from collections.abc import Callable, Mapping

from lambent.telemetry.conditions import (
    OPERATOR,
    VALUE,
    Holds,
    Value,
    compares_number,
    compares_text,
    compile_conditions,
    invalid,
)

_FIELD = re.compile(r'\[([^\]]{0,4096})\]|"((?:[^"\\]|\\.){0,4096})"|(\S+)', re.DOTALL)
"""Bounded, so that no message takes long."""
_PART = re.compile(r'((?:"(?:[^"\\]|\\.)*"|%[^%]+%|[^,"%])*)(?:,|$)')
_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*")
_CONDITION = re.compile(rf"\s*(?P<name>[A-Za-z_]\w*)\s*{OPERATOR}\s*{VALUE}\s*", re.DOTALL)
_FIELDS_MAX = 200
_ELLIPSIS = "..."

Extract = Callable[[str], Mapping[str, str] | None]
"""Returns the fields of a message by name; None if it does not match."""


def compile_fields(text: str, pattern: str) -> Extract:
    """What is between the brackets. Raises `InvalidParameterException`."""
    names: list[str] = []
    conditions: list[Holds] = []
    for number, part in enumerate(_split(text, pattern), start=1):
        name, holds = _compile_part(part, number, pattern)
        names.append(name)
        if holds is not None:
            conditions.append(holds)
    if names.count(_ELLIPSIS) > 1 or len(names) > _FIELDS_MAX:
        raise invalid(pattern)

    def extract(message: str) -> Mapping[str, str] | None:
        found = _named(names, message)
        if found is None or not all(holds(found) for holds in conditions):
            return None
        return found

    return extract


def _split(text: str, pattern: str) -> list[str]:
    parts = []
    at = 0
    while at <= len(text):
        match = _PART.match(text, at)
        if match is None:
            raise invalid(pattern)
        parts.append(match[1].strip())
        at = match.end() if match.end() < len(text) or match[0].endswith(",") else len(text) + 1
    return parts


def _compile_part(part: str, number: int, pattern: str) -> tuple[str, Holds | None]:
    """The name of a field and its condition."""
    if part == _ELLIPSIS:
        return _ELLIPSIS, None
    if not part:
        return str(number), None
    if (match := _NAME.fullmatch(part)) is not None:
        return match[1], None
    names: set[str] = set()

    def compile_one(text: str) -> Holds:
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise invalid(pattern)
        names.add(match["name"])
        return _compile_condition(match, pattern)

    holds = compile_conditions(part, pattern, compile_one)
    if len(names) != 1:
        raise invalid(pattern)
    return names.pop(), holds


def _compile_condition(match: re.Match[str], pattern: str) -> Holds:
    name, operator, value = match["name"], match["operator"], Value.of(match)
    if value.kind != "number":
        test = compares_text(operator, value, pattern)
        return lambda fields: test(fields[name])
    compares = compares_number(operator, float(value.text))
    if operator in ("=", "!="):
        is_equal = operator == "="
        return lambda fields: (
            compares(number)
            if (number := _number_of(fields[name])) is not None
            else (fields[name] == value.text) == is_equal
        )
    return lambda fields: (number := _number_of(fields[name])) is not None and compares(number)


def _named(names: list[str], message: str) -> Mapping[str, str] | None:
    values = []
    for match in _FIELD.finditer(message):
        values.append(match[1] or match[2] or match[3] or "")
        if len(values) > 10 * _FIELDS_MAX:
            return None
    if _ELLIPSIS not in names:
        return dict(zip(names, values, strict=True)) if len(names) == len(values) else None
    at = names.index(_ELLIPSIS)
    before, after = names[:at], names[at + 1 :]
    if len(values) < len(before) + len(after):
        return None
    tail = values[len(values) - len(after) :] if after else []
    return dict(zip([*before, *after], [*values[: len(before)], *tail], strict=True))


def _number_of(text: str) -> float | None:
    try:
        return float(text) if len(text) < 40 else None
    except ValueError:
        return None
