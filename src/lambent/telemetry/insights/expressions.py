"""Compiles the expressions of a query into functions of a record.

`or`, `and`, `not`, comparisons, `like`, `in`, arithmetic, functions, fields, literals: each binds
more strongly than the ones before.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from lambent.telemetry.insights import functions
from lambent.telemetry.insights.aggregates import AGGREGATES, New, percentile
from lambent.telemetry.insights.functions import FUNCTIONS, PERIODS_MS
from lambent.telemetry.insights.records import Record
from lambent.telemetry.insights.scanner import QueryError, Scanner, Token
from lambent.telemetry.insights.values import Value, compare, is_true, text_of

Compute = Callable[[Record], Value]

_DEPTH_MAX = 30
_RESERVED = ("and", "as", "asc", "by", "desc", "in", "like", "not", "or")
_COMPARISONS: dict[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


class Named(NamedTuple):
    """An expression and the name of its column."""

    name: str
    compute: Compute
    is_field: bool
    """Whether it is a field as it is."""


class Aggregated(NamedTuple):
    """A call of a function of `stats`, whose result becomes a field of the row."""

    field: str
    new: New
    argument: Compute | None


class Expressions:
    """Reads expressions from a scanner. All methods raise `QueryError`."""

    def __init__(self, scanner: Scanner, now_ms: int) -> None:
        self._scanner = scanner
        self._now_ms = now_ms
        self._depth = 0
        self.aggregated: list[Aggregated] | None = None
        """Collects the calls within `stats`; None elsewhere, where they are refused."""

    def named(self) -> Named:
        """An expression, perhaps with `as name`."""
        scanner = self._scanner
        first = scanner.peek()
        compute = self.any()
        text = scanner.query[first.start : self._end].strip()
        is_field = first.kind in ("name", "quoted") and self._end == first.end
        if is_field:
            text = first.text
        if scanner.take_word("as"):
            return Named(self.name(), compute, False)
        return Named(text, compute, is_field)

    def name(self) -> str:
        """The name of a field."""
        token = self._scanner.peek()
        if token.kind not in ("name", "quoted") or token.is_word(*_RESERVED):
            raise self._scanner.unexpected("the name of a field")
        return self._take().text

    def any(self) -> Compute:
        """An expression."""
        with self._deeper():
            every = [self._conjunction()]
            while self._take_word("or"):
                every.append(self._conjunction())
            return _some(every) if len(every) > 1 else every[0]

    def _conjunction(self) -> Compute:
        every = [self._negation()]
        while self._take_word("and"):
            every.append(self._negation())
        return _all(every) if len(every) > 1 else every[0]

    def _negation(self) -> Compute:
        if not self._take_word("not"):
            return self._comparison()
        with self._deeper():
            return _not(self._negation())

    def _comparison(self) -> Compute:
        left = self._sum()
        scanner = self._scanner
        token = scanner.peek()
        if token.kind == "sign" and token.text in _COMPARISONS:
            self._take()
            return _compares(left, _COMPARISONS[token.text], self._sum())
        if token.kind == "sign" and token.text == "=~":
            self._take()
            return self._like(left)
        is_negated = token.is_word("not")
        if is_negated:
            self._take()
        if self._take_word("like"):
            found = self._like(left)
        elif self._take_word("in"):
            found = self._in(left)
        elif is_negated:
            raise scanner.unexpected("'like' or 'in'")
        else:
            return left
        return _not(found) if is_negated else found

    def _like(self, left: Compute) -> Compute:
        token = self._scanner.take_regex()
        if token is not None:
            self._end = token.end
            search = compile_regex(token).search
            return _tests(left, lambda text: search(text) is not None)
        part = self._scanner.peek()
        if part.kind != "text":
            raise self._scanner.unexpected("a text or a regular expression")
        self._take()
        return _tests(left, lambda text: part.text in text)

    def _in(self, left: Compute) -> Compute:
        scanner = self._scanner
        scanner.expect_sign("[")
        values: list[Compute] = []
        while not scanner.take_sign("]"):
            values.append(self._sum())
            if not scanner.take_sign(","):
                self._end = scanner.expect_sign("]").end
                break
        is_equal = _COMPARISONS["="]
        tests = [_compares(left, is_equal, value) for value in values]
        return lambda record: (
            None if left(record) is None else any(is_true(test(record)) for test in tests)
        )

    def _sum(self) -> Compute:
        found = self._product()
        while token := self._take_sign("+", "-"):
            found = _computes(token.text, found, self._product())
        return found

    def _product(self) -> Compute:
        found = self._power()
        while token := self._take_sign("*", "/", "%"):
            found = _computes(token.text, found, self._power())
        return found

    def _power(self) -> Compute:
        found = self._factor()
        if self._take_sign("^"):
            with self._deeper():
                return _computes("^", found, self._power())
        return found

    def _factor(self) -> Compute:
        scanner = self._scanner
        token = scanner.peek()
        if token.kind == "sign" and token.text == "(":
            self._take()
            inner = self.any()
            self._end = scanner.expect_sign(")").end
            return inner
        if token.kind == "sign" and token.text == "-":
            self._take()
            with self._deeper():
                return _computes("-", lambda _: 0, self._factor())
        if token.kind in ("text", "number"):
            value = _literal(self._take())
            return lambda _: value
        if token.kind not in ("name", "quoted") or token.is_word(*_RESERVED):
            raise scanner.unexpected("an expression")
        self._take()
        if token.kind == "name" and scanner.take_sign("("):
            return self._call(token)
        if token.is_word("true", "false"):
            value = token.is_word("true")
            return lambda _: value
        return lambda record: record.get(token.text)

    def _call(self, token: Token) -> Compute:
        name = token.text.lower()
        if name == "bin":
            return self._bin()
        if name == "now":
            self._close()
            return lambda _: self._now_ms // 1000
        if name in AGGREGATES or name == "pct":
            return self._aggregate(token, name)
        function = FUNCTIONS.get(name)
        if function is None:
            raise QueryError(f"unknown function '{token.text}'", token.start, token.end)
        arguments = self._arguments(is_periodic=name in ("datefloor", "dateceil"))
        if not function.least <= len(arguments) <= function.most:
            raise QueryError(
                f"wrong number of arguments for '{token.text}'", token.start, self._end
            )
        if len(arguments) == 1:
            (argument,) = arguments
            return lambda record: functions.call(function, (argument(record),))
        return lambda record: functions.call(function, [each(record) for each in arguments])

    def _arguments(self, *, is_periodic: bool = False) -> list[Compute]:
        scanner = self._scanner
        found: list[Compute] = []
        if not (scanner.peek().kind == "sign" and scanner.peek().text == ")"):
            found.append(self.any())
            while scanner.take_sign(","):
                if is_periodic and scanner.peek().kind == "duration":
                    period = _period(self._take())
                    found.append(lambda _, period=period: period)  # type: ignore[misc]
                else:
                    found.append(self.any())
        self._close()
        return found

    def _bin(self) -> Compute:
        token = self._scanner.peek()
        if token.kind != "duration":
            raise self._scanner.unexpected("a period such as 5m or 1h")
        period = _period(self._take())
        self._close()
        floor = FUNCTIONS["datefloor"].run
        return lambda record: floor(record.get("@timestamp"), period)

    def _aggregate(self, token: Token, name: str) -> Compute:
        scanner = self._scanner
        aggregated, self.aggregated = self.aggregated, None
        if aggregated is None:
            message = f"the function '{token.text}' belongs into stats, and not into itself"
            raise QueryError(message, token.start, token.end)
        argument: Compute | None = None
        if name == "count" and (scanner.take_sign("*") or self._is_closing()):
            new: New = AGGREGATES[name]
        else:
            argument = self.any()
            new = AGGREGATES[name] if name != "pct" else percentile(self._percent())
        self._close()
        field = f"\0{len(aggregated)}"
        aggregated.append(Aggregated(field, new, argument))
        self.aggregated = aggregated
        return lambda record: record.fields.get(field)

    def _percent(self) -> float:
        self._scanner.expect_sign(",")
        token = self._scanner.peek()
        if token.kind != "number" or not 0 <= float(token.text) <= 100:
            raise self._scanner.unexpected("a percentage from 0 to 100")
        return float(self._take().text)

    # -- words -----------------------------------------------------------------------------------

    _end = 0
    """Where the last word of the expression ends."""

    def _is_closing(self) -> bool:
        token = self._scanner.peek()
        return token.kind == "sign" and token.text == ")"

    def _close(self) -> None:
        self._end = self._scanner.expect_sign(")").end

    def _take(self) -> Token:
        token = self._scanner.take()
        self._end = token.end
        return token

    def _take_word(self, word: str) -> Token | None:
        return self._take() if self._scanner.peek().is_word(word) else None

    def _take_sign(self, *signs: str) -> Token | None:
        token = self._scanner.peek()
        return self._take() if token.kind == "sign" and token.text in signs else None

    @contextmanager
    def _deeper(self) -> Any:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            token = self._scanner.peek()
            raise QueryError("the query is nested too deeply", token.start, token.end)
        yield
        self._depth -= 1


def compile_regex(token: Token) -> re.Pattern[str]:
    """The pattern of a regular expression, with groups `(?<name>…)`. Raises `QueryError`."""
    text = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", token.text)
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise QueryError(f"invalid regular expression: {error}", token.start, token.end) from error


def _period(token: Token) -> int:
    match = re.fullmatch(r"(\d{1,9})([a-z]+)", token.text)
    if match is None or int(match[1]) == 0:
        raise QueryError(f"invalid period '{token.text}'", token.start, token.end)
    return int(match[1]) * PERIODS_MS[match[2]]


def _literal(token: Token) -> Value:
    if token.kind == "text":
        return token.text
    return int(token.text) if token.text.isdecimal() and len(token.text) < 19 else float(token.text)


def _some(every: Sequence[Compute]) -> Compute:
    return lambda record: any(is_true(compute(record)) for compute in every)


def _all(every: Sequence[Compute]) -> Compute:
    return lambda record: all(is_true(compute(record)) for compute in every)


def _not(inner: Compute) -> Compute:
    def compute(record: Record) -> Value:
        value = inner(record)
        return None if value is None else not is_true(value)

    return compute


def _tests(left: Compute, test: Callable[[str], bool]) -> Compute:
    def compute(record: Record) -> Value:
        value = left(record)
        return None if value is None else test(text_of(value))

    return compute


def _compares(left: Compute, holds: Callable[[int], bool], right: Compute) -> Compute:
    def compute(record: Record) -> Value:
        order = compare(left(record), right(record))
        return None if order is None else holds(order)

    return compute


def _computes(sign: str, left: Compute, right: Compute) -> Compute:
    run = functions.arithmetic(sign)
    return lambda record: run(left(record), right(record))
