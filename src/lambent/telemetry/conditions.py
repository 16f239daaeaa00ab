"""Conditions of filter patterns, in JSON and in space-delimited ones: a selector, an operator and a
value, joined by `&&`, `||` and parentheses.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from lambent.model.errors import ApiError
from lambent.telemetry.expressions import compile_expression

Holds = Callable[[Any], bool]

_DEPTH_MAX = 20
_TOKEN = re.compile(
    r'&&|\|\||[()]|(?:"(?:[^"\\]|\\.)*"|%[^%]+%|\'[^\']*\'|[^&|()"%\']|&(?!&)|\|(?!\|))+|["%\']'
)
VALUE = (
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>[^\s\"%&|()=<>!]+))"
)
OPERATOR = r"(?P<operator>!=|<=|>=|=|<|>)"


class Value(NamedTuple):
    """What a condition compares with."""

    kind: str
    """`number`, `regex` or `text`."""
    text: str

    @classmethod
    def of(cls, match: re.Match[str]) -> "Value":
        """The value that `VALUE` has matched."""
        if match["quoted"] is not None:
            return cls("text", unescape(match["quoted"]))
        for kind in ("number", "regex"):
            if match[kind] is not None:
                return cls(kind, match[kind])
        return cls("text", match["word"])


def invalid(pattern: str) -> ApiError:
    """`InvalidParameterException` for a pattern."""
    return ApiError("InvalidParameterException", f"Invalid filter pattern: {pattern[:200]}")


def unescape(quoted: str) -> str:
    """A text without its backslashes."""
    return re.sub(r"\\(.)", r"\1", quoted)


def compile_conditions(text: str, pattern: str, compile_one: Callable[[str], Holds]) -> Holds:
    """Compile conditions, `&&` before `||`. Raises `InvalidParameterException`."""
    tokens = [match[0] for match in _TOKEN.finditer(text) if match[0].strip()]
    parser = _Parser(tokens, pattern, compile_one)
    holds = parser.alternatives(0)
    if parser.tokens:
        raise invalid(pattern)
    return holds


class _Parser:
    def __init__(
        self, tokens: list[str], pattern: str, compile_one: Callable[[str], Holds]
    ) -> None:
        self.tokens = tokens
        self._pattern = pattern
        self._compile_one = compile_one

    def alternatives(self, depth: int) -> Holds:
        every = [self._conjunction(depth)]
        while self._take("||"):
            every.append(self._conjunction(depth))
        return lambda item: any(holds(item) for holds in every)

    def _conjunction(self, depth: int) -> Holds:
        every = [self._factor(depth)]
        while self._take("&&"):
            every.append(self._factor(depth))
        return lambda item: all(holds(item) for holds in every)

    def _factor(self, depth: int) -> Holds:
        if not self.tokens or depth > _DEPTH_MAX:
            raise invalid(self._pattern)
        if not self._take("("):
            return self._compile_one(self.tokens.pop(0))
        inner = self.alternatives(depth + 1)
        if not self._take(")"):
            raise invalid(self._pattern)
        return inner

    def _take(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False


def compares_number(operator: str, wanted: float) -> Callable[[float], bool]:
    """A comparison with a number."""
    tests: dict[str, Callable[[float], bool]] = {
        "=": lambda value: value == wanted,
        "!=": lambda value: value != wanted,
        "<": lambda value: value < wanted,
        "<=": lambda value: value <= wanted,
        ">": lambda value: value > wanted,
        ">=": lambda value: value >= wanted,
    }
    return tests[operator]


def compares_text(operator: str, value: Value, pattern: str) -> Callable[[str], bool]:
    """Whether a text is equal to a value with wildcards, or has its regular expression; or not.
    Raises `InvalidParameterException`."""
    if operator not in ("=", "!="):
        raise invalid(pattern)
    test = _searches(value.text, pattern) if value.kind == "regex" else _is_like(value.text)
    return test if operator == "=" else lambda text: not test(text)


def _searches(expression: str, pattern: str) -> Callable[[str], bool]:
    try:
        return compile_expression(expression)
    except ValueError as error:
        raise invalid(pattern) from error


def _is_like(wanted: str) -> Callable[[str], bool]:
    """Whether a text is equal, where `*` matches anything. Each part matches at its first
    occurrence, so that no pattern takes long."""
    begin, *parts = wanted.split("*")
    if not parts:
        return lambda value: value == wanted
    end = parts.pop()

    def test(value: str) -> bool:
        if not value.startswith(begin) or not value.endswith(end):
            return False
        at, stop = len(begin), len(value) - len(end)
        for part in parts:
            found = value.find(part, at, stop)
            if found < 0:
                return False
            at = found + len(part)
        return at <= stop

    return test
