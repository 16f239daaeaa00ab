"""Evaluates expressions, given the time series that they name."""

import dataclasses
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from lambent.telemetry.metric_math.functions import (
    FUNCTIONS,
    NOT_OFFERED,
    Window,
    array_of,
    each,
    safely,
)
from lambent.telemetry.metric_math.parser import Array, Call, Name, Node, Number, Text
from lambent.telemetry.metric_math.values import MathError, Series, Value, is_array

_WORDS = frozenset({"REPEAT", "LINEAR", "ASC", "DESC", "AVG", "MIN", "MAX", "SUM", "LAST"})
_POINTS_MAX = 5_000_000
"""The values that all expressions of a request may compute."""


def _power(left: float, right: float) -> float:
    result = left**right
    if isinstance(result, complex):
        raise ValueError
    return float(result)


_OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": _power,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}


class Evaluator:
    """Evaluates the queries of one request; each expression once."""

    def __init__(
        self,
        series: Mapping[str, Series],
        expressions: Mapping[str, Node],
        found: Mapping[Call, Sequence[Series]],
        window: Window,
    ) -> None:
        """`series` and `expressions` are by id; `found` has the results of `SEARCH`."""
        self._series = series
        self._expressions = expressions
        self._found = found
        self._window = window
        self._results: dict[str, Value] = {}
        self._current: list[str] = []
        self._points = 0

    def result_of(self, id: str) -> Value:
        """The value of a query. Raises `MathError`."""
        if id in self._series:
            return self._series[id]
        if id not in self._expressions:
            raise MathError(f"there is no query with the id {id}")
        if id in self._current:
            raise MathError(f"the expression {id} depends on itself")
        if id not in self._results:
            self._current.append(id)
            self._results[id] = self._evaluate(self._expressions[id])
            self._current.pop()
        return self._results[id]

    def _evaluate(self, node: Node) -> Value:
        match node:
            case Number(value) | Text(value):
                return value
            case Name(word) if word in _WORDS:
                return word
            case Name(id):
                return self.result_of(id)
            case Array(items):
                arrays = [array_of(self._evaluate(item)) for item in items]
                return list(itertools.chain.from_iterable(arrays))
            case Call():
                return self._spend(self._call(node))
        raise AssertionError(node)

    def _call(self, node: Call) -> Value:
        name = node.function
        if name == "SEARCH":
            return self._found[node]
        if name == "METRICS":
            return self._metrics(node)
        arguments = [self._evaluate(argument) for argument in node.arguments]
        if name in _OPERATORS:
            return self._operate(_OPERATORS[name], *arguments)
        if name == "IF":
            return self._choose(arguments)
        if name in NOT_OFFERED:
            raise MathError(f"Lambent does not offer the function {name}")
        if name not in FUNCTIONS:
            raise MathError(f"there is no function {name}")
        try:
            return FUNCTIONS[name](arguments, self._window)
        except MathError:
            raise
        except (ValueError, TypeError) as error:
            raise MathError(f"{name} cannot have these arguments") from error

    def _metrics(self, node: Call) -> Sequence[Series]:
        """All metrics of the request, or those whose id has a text in it."""
        text = ""
        if node.arguments:
            part = node.arguments[0]
            if not isinstance(part, Text) or len(node.arguments) > 1:
                raise MathError("METRICS takes a text or nothing")
            text = part.value
        return [series for id, series in self._series.items() if text in id]

    def _operate(
        self, compute: Callable[[float, float], float], left: Value, right: Value
    ) -> Value:
        if isinstance(left, str) or isinstance(right, str):
            raise MathError("a text is no operand")
        if is_array(left) and is_array(right):
            raise MathError("two arrays cannot be operands of one operator")
        if isinstance(left, float) and isinstance(right, float):
            result = safely(lambda value: compute(left, value))(right)
            if result is None:
                raise MathError("the result is not a number")
            return result
        if isinstance(left, float):
            return each(right, lambda series: series.map(safely(lambda x: compute(left, x))))
        if isinstance(right, float):
            return each(left, lambda series: series.map(safely(lambda x: compute(x, right))))
        if isinstance(left, Series):
            return each(right, lambda series: _joined(compute, left, series))
        assert isinstance(right, Series)
        return each(left, lambda series: _joined(compute, series, right))

    def _choose(self, arguments: Sequence[Value]) -> Value:
        """IF: by value, or at each moment at which the condition has a value."""
        if len(arguments) not in (2, 3):
            raise MathError("IF takes two or three arguments")
        condition, when_true = arguments[:2]
        when_false = arguments[2] if len(arguments) == 3 else Series({}, 60)
        if isinstance(condition, float):
            return when_true if condition else when_false
        if not isinstance(condition, Series):
            raise MathError("the condition of IF must be a number or a time series")
        points = {}
        for at, value in condition.points.items():
            chosen = when_true if value else when_false
            if isinstance(chosen, float):
                points[at] = chosen
            elif not isinstance(chosen, Series):
                raise MathError("IF chooses between numbers and time series")
            elif at in chosen.points:
                points[at] = chosen.points[at]
        return dataclasses.replace(condition, points=points)

    def _spend(self, value: Value) -> Value:
        if isinstance(value, Series):
            self._points += len(value.points)
        elif not isinstance(value, float | str):
            self._points += sum(len(series.points) for series in value)
        if self._points > _POINTS_MAX:
            raise MathError("the request computes too many values")
        return value


def _joined(compute: Callable[[float, float], float], left: Series, right: Series) -> Series:
    """At the moments at which both have a value."""
    points = {}
    for at, value in left.points.items():
        if at in right.points:
            result = safely(partial(compute, value))(right.points[at])
            if result is not None:
                points[at] = result
    period_s = max(left.period_s, right.period_s)
    return Series(points, period_s)
