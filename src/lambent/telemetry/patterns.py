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
from lambent.telemetry.expressions import compile_expression

Matches = Callable[[str], bool]
Holds = Callable[[Any], bool]

_LENGTH_MAX = 1024
_DEPTH_MAX = 20
_TOKEN = re.compile(r'&&|\|\||[()]|(?:"(?:[^"\\]|\\.)*"|[^&|()"]|&(?!&)|\|(?!\|))+|"')

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]+))')
_CONDITION = re.compile(
    r"\s*\$((?:\.[\w-]+|\[\d+\])+)\s*(=|!=|<=|>=|<|>)\s*"
    r'(?:"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([\w*.-]+))\s*'
)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")


def compile_pattern(pattern: str) -> Matches:
    """Return a predicate over messages. Raises `InvalidParameterException`."""
    text = pattern.strip()
    if len(text) > _LENGTH_MAX:
        raise _invalid(pattern)
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
            term = _unescape(quoted) if quoted is not None else word
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
        return compile_expression(expression)
    except ValueError as error:
        raise _invalid(pattern) from error


def _compile_json(text: str, pattern: str) -> Matches:
    """Conditions, `&&` before `||`, in parentheses or not."""
    tokens = [match[0] for match in _TOKEN.finditer(text) if match[0].strip()]
    holds, rest = _alternatives(tokens, pattern, depth=0)
    if rest:
        raise _invalid(pattern)

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return holds(document)

    return matches


def _alternatives(tokens: list[str], pattern: str, depth: int) -> tuple[Holds, list[str]]:
    one, tokens = _conjunction(tokens, pattern, depth)
    every = [one]
    while tokens and tokens[0] == "||":
        one, tokens = _conjunction(tokens[1:], pattern, depth)
        every.append(one)
    return lambda document: any(holds(document) for holds in every), tokens


def _conjunction(tokens: list[str], pattern: str, depth: int) -> tuple[Holds, list[str]]:
    one, tokens = _factor(tokens, pattern, depth)
    every = [one]
    while tokens and tokens[0] == "&&":
        one, tokens = _factor(tokens[1:], pattern, depth)
        every.append(one)
    return lambda document: all(holds(document) for holds in every), tokens


def _factor(tokens: list[str], pattern: str, depth: int) -> tuple[Holds, list[str]]:
    if not tokens or depth > _DEPTH_MAX:
        raise _invalid(pattern)
    if tokens[0] != "(":
        return _compile_condition(tokens[0], pattern), tokens[1:]
    inner, tokens = _alternatives(tokens[1:], pattern, depth + 1)
    if not tokens or tokens[0] != ")":
        raise _invalid(pattern)
    return inner, tokens[1:]


def _compile_condition(text: str, pattern: str) -> Holds:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise _invalid(pattern)
    path, operator, quoted, number, word = match.groups()
    steps = [name or int(index) for name, index in _STEP.findall(path)]
    wanted: Any
    if number is not None:
        wanted = float(number)
    else:
        text = _unescape(quoted) if quoted is not None else word
        wanted = text if quoted is not None else {"true": True, "false": False}.get(word, word)
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
        is_equal = _is_like(value, wanted)
    return is_equal == (operator == "=") and value is not None


def _is_like(value: str, wanted: str) -> bool:
    """Whether the texts are equal, where `*` matches anything. Each part matches at its first
    occurrence, so that no pattern takes long."""
    begin, *parts = wanted.split("*")
    if not parts:
        return value == wanted
    end = parts.pop()
    if not value.startswith(begin) or not value.endswith(end):
        return False
    at, stop = len(begin), len(value) - len(end)
    for part in parts:
        found = value.find(part, at, stop)
        if found < 0:
            return False
        at = found + len(part)
    return at <= stop


def _unescape(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _invalid(pattern: str) -> ApiError:
    return ApiError("InvalidParameterException", f"Invalid filter pattern: {pattern[:200]}")
