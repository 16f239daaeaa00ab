"""CloudWatch Logs filter patterns, as far as log lines of functions need them.

Terms (`ERROR`, `"two words"`: all must occur), `?optional` terms (one of them must), `-excluded`
ones, `%regular expressions%`, and JSON patterns such as `{ $.level = "ERROR" && $.code >= 500 }`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import re
from collections.abc import Callable
from typing import Any

from lambent.model.errors import ApiError

Matches = Callable[[str], bool]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]+))')
_CONDITION = re.compile(
    r"\s*\$((?:\.[\w-]+|\[\d+\])+)\s*(=|!=|<=|>=|<|>)\s*"
    r'(?:"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([\w*.-]+))\s*'
)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")


def compile_pattern(pattern: str) -> Matches:
    """A predicate over messages. Raises `InvalidParameterException`."""
    text = pattern.strip()
    if not text:
        return lambda _: True
    if text.startswith("{"):
        if not text.endswith("}"):
            raise _invalid(pattern)
        return _compile_json(text[1:-1], pattern)
    return _compile_terms(text, pattern)


def _compile_terms(text: str, pattern: str) -> Matches:
    required: list[Matches] = []
    optional: list[Matches] = []
    excluded: list[Matches] = []
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise _invalid(pattern)
        at = match.end()
        sign, quoted, expression, word = match.groups()
        target = {"?": optional, "-": excluded}.get(sign, required)
        if expression is not None:
            target.append(_searches(expression, pattern))
        else:
            term = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else word
            target.append(_contains(term))
    return lambda message: (
        all(matches(message) for matches in required)
        and (not optional or bool(required) or any(matches(message) for matches in optional))
        and not any(matches(message) for matches in excluded)
    )


def _contains(term: str) -> Matches:
    return lambda message: term in message


def _searches(expression: str, pattern: str) -> Matches:
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise _invalid(pattern) from error
    return lambda message: compiled.search(message) is not None


def _compile_json(text: str, pattern: str) -> Matches:
    """Conditions joined by `||` of `&&`; parentheses are not offered."""
    alternatives = [
        [_compile_condition(condition, pattern) for condition in alternative.split("&&")]
        for alternative in text.split("||")
    ]

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return any(all(holds(document) for holds in conditions) for conditions in alternatives)

    return matches


def _compile_condition(text: str, pattern: str) -> Callable[[Any], bool]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise _invalid(pattern)
    path, operator, quoted, number, word = match.groups()
    steps = [name or int(index) for name, index in _STEP.findall(path)]
    wanted: Any
    if number is not None:
        wanted = float(number)
    else:
        wanted = quoted if quoted is not None else {"true": True, "false": False}.get(word, word)
    if isinstance(wanted, str) and operator not in ("=", "!="):
        raise _invalid(pattern)
    return lambda document: _compare(_follow(document, steps), operator, wanted)


def _follow(document: Any, steps: list[str | int]) -> Any:
    for step in steps:
        in_object = isinstance(step, str) and isinstance(document, dict) and step in document
        in_array = isinstance(step, int) and isinstance(document, list) and step < len(document)
        if not (in_object or in_array):
            return None
        document = document[step]
    return document


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(wanted, float):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {
            "=": value == wanted,
            "!=": value != wanted,
            "<": value < wanted,
            "<=": value <= wanted,
            ">": value > wanted,
            ">=": value >= wanted,
        }[operator]
    if isinstance(wanted, bool):
        is_equal = value is wanted
    elif not isinstance(value, str):
        is_equal = False
    else:
        parts = map(re.escape, wanted.split("*"))
        is_equal = re.fullmatch(".*".join(parts), value, re.DOTALL) is not None
    return is_equal == (operator == "=") and value is not None


def _invalid(pattern: str) -> ApiError:
    return ApiError("InvalidParameterException", f"Invalid filter pattern: {pattern[:200]}")
