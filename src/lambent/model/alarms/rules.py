"""The rule of a composite alarm: a logical expression about the states of other alarms.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

import re
from collections.abc import Callable, Mapping

from lambent.model.alarms.evaluation import ALARM, INSUFFICIENT, OK

States = Mapping[str, str]
"""The states of alarms by name."""
Rule = Callable[[States], bool]

_TOKEN = re.compile(r"""\s*(?:([()])|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s()"']+))""")
_DEPTH_MAX = 50


class RuleError(ValueError):
    """A rule cannot be read; the message says why."""


def parse_rule(text: str) -> tuple[Rule, frozenset[str]]:
    """The rule as a function, and the names of the alarms in it; an ARN of an alarm counts as its
    name. Raises `RuleError`."""
    reader = _Reader(text)
    rule = reader.any_of(0)
    if not reader.is_at_end:
        raise RuleError(f"{reader.take()!r} is not expected")
    return rule, frozenset(reader.names)


class _Reader:
    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._tokens: list[str] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise RuleError(f"cannot read {text[at : at + 20]!r}")
            at = match.end()
            quoted = match[2] if match[2] is not None else match[3]
            # A quoted name cannot be mistaken for a word.
            token = match[1] or match[4] or f'"{quoted}'
            self._tokens.append(token)
        self._tokens.reverse()

    @property
    def is_at_end(self) -> bool:
        return not self._tokens

    def take(self) -> str:
        if not self._tokens:
            raise RuleError("the rule ends too early")
        return self._tokens.pop()

    def _takes(self, word: str) -> bool:
        if self._tokens and self._tokens[-1].upper() == word:
            self._tokens.pop()
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise RuleError(f"{sign} is missing")

    def any_of(self, depth: int) -> Rule:
        if depth > _DEPTH_MAX:
            raise RuleError("it is nested too deeply")
        parts = [self._all_of(depth)]
        while self._takes("OR"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else lambda states: any(part(states) for part in parts)

    def _all_of(self, depth: int) -> Rule:
        parts = [self._term(depth)]
        while self._takes("AND"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else lambda states: all(part(states) for part in parts)

    def _term(self, depth: int) -> Rule:
        if depth > _DEPTH_MAX:
            raise RuleError("it is nested too deeply")
        word = self.take().upper()
        if word == "NOT":
            inner = self._term(depth + 1)
            return lambda states: not inner(states)
        if word == "(":
            inner = self.any_of(depth + 1)
            self._expect(")")
            return inner
        if word in ("TRUE", "FALSE"):
            return lambda states: word == "TRUE"
        if word not in (OK, ALARM, INSUFFICIENT):
            raise RuleError(f"{word[:50]} is neither a state nor an operator")
        self._expect("(")
        name = self.take().removeprefix('"').strip()
        if name.startswith("arn:") and ":alarm:" in name:
            name = name.partition(":alarm:")[2]
        self._expect(")")
        if not name or name in "()":
            raise RuleError("the name of an alarm is missing")
        self.names.add(name)
        return lambda states: states.get(name) == word
