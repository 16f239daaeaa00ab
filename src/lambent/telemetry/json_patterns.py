"""Filter patterns for messages that are JSON: `{ $.level = "ERROR" && $.code >= 500 }`.

Besides comparisons there are `IS NULL`, `IS TRUE`, `IS FALSE` and `NOT EXISTS`.
"""

import json
import re
from collections.abc import Callable
from typing import Any

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

_PATH = r"\$(?P<path>(?:\.?\[\d+\]|\.?\['[^']+'\]|\.[\w@-]+)+)"
_CONDITION = re.compile(rf"\s*{_PATH}\s*{OPERATOR}\s*{VALUE}\s*", re.DOTALL)
_STATE = re.compile(
    rf"\s*{_PATH}\s+(?P<state>IS\s+(?:NOT\s+)?(?:NULL|TRUE|FALSE)|(?:NOT\s+)?EXISTS)\s*",
    re.IGNORECASE,
)
_SELECTOR = re.compile(rf"\s*{_PATH}\s*")
_STEP = re.compile(r"\['([^']+)'\]|\[(\d+)\]|\.([\w@-]+)")
_MISSING = object()

Select = Callable[[Any], Any]
"""Returns the member of a document, `_MISSING` if it has none."""


def compile_json(text: str, pattern: str) -> Callable[[str], bool]:
    """What is between the braces. Raises `InvalidParameterException`."""
    holds = compile_conditions(text, pattern, lambda text: _compile_condition(text, pattern))

    def matches(message: str) -> bool:
        document = parse(message)
        return document is not _MISSING and holds(document)

    return matches


def selectors_of(text: str) -> list[str]:
    """The selectors within a pattern, such as `$.code`, each once."""
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"|%[^%]+%', '""', text)
    return list(dict.fromkeys(match[0].strip() for match in _SELECTOR.finditer(unquoted)))


def compile_selector(selector: str) -> Callable[[str], str | None] | None:
    """Returns the value of a selector in a message, as a text; None if there is none. None instead
    of a function if this is no selector."""
    match = _SELECTOR.fullmatch(selector)
    if match is None:
        return None
    select = _compile_path(match["path"])

    def value_of(message: str) -> str | None:
        document = parse(message)
        value = _MISSING if document is _MISSING else select(document)
        if value is _MISSING or value is None or isinstance(value, dict | list):
            return None
        return value if isinstance(value, str) else json.dumps(value)

    return value_of


def parse(message: str) -> Any:
    """The document that a message is; `_MISSING` if it is none."""
    if not message.lstrip().startswith(("{", "[")):
        return _MISSING
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return _MISSING


def _compile_path(path: str) -> Select:
    steps: list[str | int] = [
        int(index) if index else name or member for name, index, member in _STEP.findall(path)
    ]

    def select(document: Any) -> Any:
        for step in steps:
            in_object = isinstance(document, dict) and step in document
            in_array = isinstance(document, list) and isinstance(step, int) and step < len(document)
            if not (in_object or in_array):
                return _MISSING
            document = document[step]
        return document

    return select


def _compile_condition(text: str, pattern: str) -> Holds:
    match = _STATE.fullmatch(text)
    if match is not None:
        return _compile_state(_compile_path(match["path"]), match["state"].upper().split())
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise invalid(pattern)
    select, operator, value = _compile_path(match["path"]), match["operator"], Value.of(match)
    if value.kind == "number":
        test = compares_number(operator, float(value.text))
        return lambda document: _is_number(found := select(document)) and test(found)
    is_plain = match["word"] is not None
    if is_plain and value.text in ("true", "false") and operator in ("=", "!="):
        wanted, is_equal = value.text == "true", operator == "="
        return lambda document: (
            isinstance(found := select(document), bool) and (found is wanted) == is_equal
        )
    if is_plain and value.text == "*" and operator == "=":
        return lambda document: select(document) is not _MISSING
    compares = compares_text(operator, value, pattern)
    is_unequal = operator == "!="

    def holds(document: Any) -> bool:
        found = select(document)
        if isinstance(found, str):
            return compares(found)
        return is_unequal and found is not _MISSING and found is not None

    return holds


def _compile_state(select: Select, words: list[str]) -> Holds:
    if words[-1] == "EXISTS":
        is_wanted = words[0] != "NOT"
        return lambda document: (select(document) is not _MISSING) == is_wanted
    wanted = {"NULL": None, "TRUE": True, "FALSE": False}[words[-1]]
    if "NOT" in words:
        return lambda document: (found := select(document)) is not _MISSING and found is not wanted
    return lambda document: select(document) is wanted


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
