"""Conditions of branches: `{Nights} > 3 AND [member] = "gold"`.

https://docs.aws.amazon.com/lexv2/latest/dg/paths-branching.html
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lambent.model.lex.messages import References

_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<number>-?\d{1,18}(?:\.\d{1,9})?)"
    r"|(?P<reference>\{[^{}]{1,100}\}|\[[^\[\]]{1,100}\]|\(\([^()]{1,100}\)\))"
    r"|(?P<function>fn\.[A-Za-z_]{1,40})"
    r"|(?P<word>[A-Za-z_]{1,40})"
    r"|(?P<sign><=|>=|!=|=|<|>|\(|\)|,|!))"
)
_DEPTH_MAX = 20
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}
Value = Any
Evaluate = Callable[[References], Value]
_Token = tuple[str, str]


class ConditionInvalid(ValueError):
    """What is no condition; the message says where."""


@functools.lru_cache(maxsize=1024)
def compile_condition(text: str) -> Evaluate:
    """A condition, ready for use. Raises `ConditionInvalid`."""
    parser = _Parser(_tokens(text), text)
    found = parser.any_of(0)
    if parser.rest:
        raise ConditionInvalid(f"The condition {text!r} has more than a condition.")
    return found


def faults_of(document: Any) -> Iterator[str]:
    """What is wrong with the conditions anywhere in a definition."""
    if isinstance(document, Mapping):
        condition = document.get("expressionString")
        if isinstance(condition, str):
            try:
                compile_condition(condition)
            except ConditionInvalid as error:
                yield str(error)
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from faults_of(each)


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ConditionInvalid(f"The condition {text!r} is not valid at character {at + 1}.")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[_Token], text: str) -> None:
        self.rest = list(tokens)
        self._text = text

    def any_of(self, depth: int) -> Evaluate:
        """Conditions joined by OR."""
        parts = [self._all_of(depth)]
        while self._take("word", "OR"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else lambda known: any(part(known) for part in parts)

    def _all_of(self, depth: int) -> Evaluate:
        parts = [self._negated(depth)]
        while self._take("word", "AND"):
            parts.append(self._negated(depth))
        return parts[0] if len(parts) == 1 else lambda known: all(part(known) for part in parts)

    def _negated(self, depth: int) -> Evaluate:
        if depth > _DEPTH_MAX:
            raise ConditionInvalid("The condition is nested too deeply.")
        if self._take("word", "NOT") or self._take("sign", "!"):
            inner = self._negated(depth + 1)
            return lambda known: not inner(known)
        left = self._operand(depth)
        if not self.rest or self.rest[0][1] not in _COMPARE:
            return left
        compare = _COMPARE[self.rest.pop(0)[1]]
        right = self._operand(depth)
        return lambda known: _compared(compare, left(known), right(known))

    def _operand(self, depth: int) -> Evaluate:
        if self._take("sign", "("):
            inner = self.any_of(depth + 1)
            self._require(")")
            return inner
        if not self.rest:
            raise ConditionInvalid(f"The condition {self._text!r} ends too early.")
        kind, text = self.rest.pop(0)
        if kind == "text":
            return lambda known: text[1:-1]
        if kind == "number":
            return lambda known: text
        if kind == "reference":
            return lambda known: known.resolved(text)
        if kind == "word" and text.lower() in ("true", "false", "null"):
            value = None if text.lower() == "null" else text.lower()
            return lambda known: value
        if kind == "function":
            return self._function(text.removeprefix("fn.").upper())
        raise ConditionInvalid(f"The condition {self._text!r} is not valid at {text!r}.")

    def _function(self, name: str) -> Evaluate:
        self._require("(")
        kind, text = self.rest.pop(0) if self.rest else ("", "")
        self._require(")")
        if kind != "reference" or name not in ("IS_NULL", "LENGTH", "COUNT"):
            raise ConditionInvalid(f"The function fn.{name} is not offered with {text!r}.")
        if name == "IS_NULL":
            return lambda known: known.resolved(text) is None
        if name == "LENGTH":
            return lambda known: str(len(known.resolved(text) or ""))
        return lambda known: str(_count(known, text.strip("{}")))

    def _take(self, kind: str, text: str) -> bool:
        is_next = bool(self.rest) and self.rest[0][0] == kind and self.rest[0][1].upper() == text
        if is_next:
            self.rest.pop(0)
        return is_next

    def _require(self, sign: str) -> None:
        if not self._take("sign", sign):
            raise ConditionInvalid(f"The condition {self._text!r} needs {sign!r}.")


def _count(known: References, slot: str) -> int:
    value = known.slots.get(slot)
    if value is None:
        return 0
    return len(value.get("values") or ()) or 1


def _compared(compare: Callable[[Any, Any], bool], left: Value, right: Value) -> bool:
    """As numbers if both are, else as texts; nothing is only equal to nothing."""
    if left is None or right is None:
        return compare is _COMPARE["!="] if left is not right else compare is _COMPARE["="]
    try:
        return compare(float(left), float(right))
    except ValueError:
        return compare(str(left).casefold(), str(right).casefold())
