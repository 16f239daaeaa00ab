"""Filter expressions of X-Ray.

    service("orders") { fault = true } AND annotation.customer = "7" AND responsetime > 0.5

https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from lambent.telemetry.traces.facts import Facts, Trace, Value, facts_of
from lambent.telemetry.traces.trees import Node

EXPRESSION_MAX = 4096
_DEPTH_MAX = 50
_TOKEN = re.compile(
    r'\s*(?:"(?P<text>[^"]*)"|(?P<number>-?\d{1,15}(?:\.\d{1,15})?)(?![\w.])'
    r"|(?P<word>[A-Za-z_][\w.\-]*)|(?P<sign>!=|<=|>=|[=<>!(){}\[\],:]))"
)
_FLAGS: Mapping[str, Callable[[Facts], bool]] = {
    "ok": lambda facts: facts.is_ok,
    "fault": lambda facts: facts.has_fault,
    "error": lambda facts: facts.has_error,
    "throttle": lambda facts: facts.has_throttle,
    "partial": lambda facts: facts.is_partial,
    "root": lambda facts: facts.is_root,
    "inferred": lambda facts: facts.is_inferred,
}
_SINGLE: Mapping[str, Callable[[Facts], Iterable[Value]]] = {
    "duration": lambda facts: (facts.duration,),
    "responsetime": lambda facts: (facts.response_time,),
    "name": lambda facts: (facts.name,),
    "type": lambda facts: (facts.type,),
    "user": lambda facts: facts.users,
    "resource.arn": lambda facts: facts.resources,
}
_HTTP = frozenset({"url", "method", "useragent", "clientip", "status"})
_NUMERIC: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTUAL: Mapping[str, Callable[[str, str], bool]] = {
    "CONTAINS": lambda text, part: part in text,
    "BEGINSWITH": str.startswith,
    "ENDSWITH": str.endswith,
}

Test = Callable[[Trace, Facts], bool]
"""Whether a trace, or the part of a service in it, satisfies an expression."""


class InvalidFilter(ValueError):
    """The text is no filter expression."""


class _Token(NamedTuple):
    kind: str
    text: str


def read_filter(text: str) -> Callable[[Trace], bool]:
    """The test that an expression describes; an empty one accepts every trace. Raises
    `InvalidFilter`, whose message names the place."""
    if len(text) > EXPRESSION_MAX:
        raise InvalidFilter(f"the expression is longer than {EXPRESSION_MAX} characters")
    reader = _Reader(text)
    if reader.is_at_end:
        return lambda _: True
    test = reader.alternatives(0)
    if not reader.is_at_end:
        raise reader.unexpected("AND, OR or the end")
    return lambda trace: test(trace, trace.facts)


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[_Token] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                raise InvalidFilter(f"cannot read {text[at : at + 20].strip()!r}")
            kind = str(found.lastgroup)
            self._tokens.append(_Token(kind, found[kind]))
            at = found.end()
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        """Whether everything has been read."""
        return self._at >= len(self._tokens)

    def unexpected(self, wanted: str) -> InvalidFilter:
        """The error for what comes next."""
        found = "the end" if self.is_at_end else repr(self._tokens[self._at].text)
        return InvalidFilter(f"expected {wanted}, found {found}")

    def _next(self) -> _Token:
        if self.is_at_end:
            return _Token("end", "")
        return self._tokens[self._at]

    def _take(self, *texts: str) -> bool:
        """Skip a sign or a word if it comes next."""
        token = self._next()
        if token.kind in ("sign", "word") and token.text.upper() in texts:
            self._at += 1
            return True
        return False

    def _want(self, text: str) -> None:
        if not self._take(text):
            raise self.unexpected(repr(text))

    def alternatives(self, depth: int) -> Test:
        """Terms with OR between them."""
        if depth > _DEPTH_MAX:
            raise InvalidFilter("the expression is nested too deeply")
        tests = [self._conditions(depth)]
        while self._take("OR"):
            tests.append(self._conditions(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda trace, facts: any(test(trace, facts) for test in tests)

    def _conditions(self, depth: int) -> Test:
        tests = [self._condition(depth)]
        while self._take("AND"):
            tests.append(self._condition(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda trace, facts: all(test(trace, facts) for test in tests)

    def _condition(self, depth: int) -> Test:
        if self._take("!", "NOT"):
            if depth > _DEPTH_MAX:
                raise InvalidFilter("the expression is nested too deeply")
            inner = self._condition(depth + 1)
            return lambda trace, facts: not inner(trace, facts)
        if self._take("("):
            inside = self.alternatives(depth + 1)
            self._want(")")
            return inside
        token = self._next()
        if token.kind != "word":
            raise self.unexpected("a keyword")
        self._at += 1
        word = token.text
        match word.lower():
            case "service":
                return self._service(depth)
            case "edge":
                return self._edge(depth)
        if word.lower() in _FLAGS:
            return self._flag(_FLAGS[word.lower()])
        return self._comparison(self._values(word))

    def _flag(self, flag: Callable[[Facts], bool]) -> Test:
        wanted = True
        sign = self._next().text
        if self._take("=", "!="):
            value = self._value()
            if not isinstance(value, bool):
                raise InvalidFilter("expected true or false")
            wanted = value is (sign == "=")
        return lambda _, facts: flag(facts) is wanted

    def _values(self, word: str) -> Callable[[Facts], Iterable[Value]]:
        """Where the values of a keyword come from."""
        lower = word.lower()
        if lower in _SINGLE:
            return _SINGLE[lower]
        if lower.startswith("http.") and lower[5:] in _HTTP:
            field = lower[5:]
            return lambda facts: [facts.http[field]] if field in facts.http else []
        key = word.partition(".")[2]
        if lower == "annotation" and self._take("["):
            token = self._next()
            if token.kind not in ("word", "text", "number"):
                raise self.unexpected("the key of an annotation")
            self._at += 1
            self._want("]")
            key = token.text
        elif not lower.startswith("annotation.") or not key:
            raise InvalidFilter(f"{word!r} is no keyword that is offered")
        return lambda facts: [value for name, value in facts.annotations if name == key]

    def _comparison(self, values: Callable[[Facts], Iterable[Value]]) -> Test:
        token = self._next()
        sign = token.text.upper()
        if token.kind not in ("sign", "word") or not (
            sign in ("=", "!=") or sign in _NUMERIC or sign in _TEXTUAL
        ):
            return lambda _, facts: bool(list(values(facts)))
        self._at += 1
        wanted = self._value()
        if sign == "!=":
            return lambda _, facts: not any(_equal(value, wanted) for value in values(facts))
        compare = _comparer(sign, wanted)
        return lambda _, facts: any(compare(value) for value in values(facts))

    def _value(self) -> Value:
        token = self._next()
        self._at += 1
        match token.kind:
            case "text":
                return token.text
            case "number":
                return float(token.text)
            case "word" if token.text.lower() in ("true", "false"):
                return token.text.lower() == "true"
        self._at -= 1
        raise self.unexpected("a value")

    def _service(self, depth: int) -> Test:
        self._want("(")
        fits = self._node()
        self._want(")")
        inner = self._block(depth)

        def test(trace: Trace, _: Facts) -> bool:
            return any(
                fits(visit.node) and inner(trace, facts_of(visit, trace)) for visit in trace.visits
            )

        return test

    def _edge(self, depth: int) -> Test:
        self._want("(")
        source = self._node()
        self._want(",")
        target = self._node()
        self._want(")")
        inner = self._block(depth)

        def test(trace: Trace, _: Facts) -> bool:
            nodes = {visit.id: visit.node for visit in trace.visits}
            return any(
                visit.caller in nodes
                and source(nodes[visit.caller])
                and target(visit.node)
                and inner(trace, facts_of(visit, trace))
                for visit in trace.visits
            )

        return test

    def _block(self, depth: int) -> Test:
        if not self._take("{"):
            return lambda _trace, _facts: True
        inner = self.alternatives(depth + 1)
        self._want("}")
        return inner

    def _node(self) -> Callable[[Node], bool]:
        """A service: its name in quotes, `id(name: "…", type: "…")`, or nothing for any."""
        token = self._next()
        if token.kind == "text":
            self._at += 1
            return lambda node: node.name == token.text
        if not self._take("ID"):
            return lambda _: True
        wanted: dict[str, str] = {}
        self._want("(")
        while not self._take(")"):
            field = self._next().text.lower()
            if field not in ("name", "type", "account.id"):
                raise self.unexpected("name or type")
            self._at += 1
            self._want(":")
            value = self._value()
            wanted[field] = str(value)
            self._take(",")
        return lambda node: (
            wanted.get("name", node.name) == node.name
            and wanted.get("type", node.type) == node.type
        )


def _comparer(sign: str, wanted: Value) -> Callable[[Value], bool]:
    if sign == "=":
        return lambda value: _equal(value, wanted)
    if sign in _NUMERIC:
        if isinstance(wanted, bool) or not isinstance(wanted, float):
            raise InvalidFilter(f"{sign} compares numbers")
        number, compare = wanted, _NUMERIC[sign]
        return lambda value: isinstance(value, float) and compare(value, number)
    if not isinstance(wanted, str):
        raise InvalidFilter(f"{sign} compares texts")
    text, holds = wanted, _TEXTUAL[sign]
    return lambda value: isinstance(value, str) and holds(value, text)


def _equal(value: Value, wanted: Value) -> bool:
    return type(value) is type(wanted) and value == wanted
