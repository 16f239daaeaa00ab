"""The functions of metric math, by name."""

import dataclasses
import datetime
import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lambent.telemetry.metric_math.values import MathError, Series, Value


class Window(NamedTuple):
    """The time that is asked for: epoch seconds, the end is excluded."""

    start: float
    end: float
    origin: float = 0.0
    """When a period begins; the others follow from it."""


Function = Callable[[Sequence[Value], Window], Value]

_REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": statistics.fmean,
    "MIN": min,
    "MAX": max,
    "STDDEV": statistics.pstdev,
}
_OF_NUMBERS: Mapping[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": math.log,
    "LOG10": math.log10,
}
_DATES: Mapping[str, Callable[[datetime.datetime], float]] = {
    "MINUTE": lambda at: float(at.minute),
    "HOUR": lambda at: float(at.hour),
    "DAY": lambda at: float(at.isoweekday()),
    "DATE": lambda at: float(at.day),
    "MONTH": lambda at: float(at.month),
    "YEAR": lambda at: float(at.year),
    "EPOCH": lambda at: at.timestamp(),
}
_SORTED_BY: Mapping[str, Callable[[Sequence[float]], float]] = {
    **_REDUCE,
    "LAST": lambda values: values[-1],
}


def each(value: Value, change: Callable[[Series], Series]) -> Value:
    """A change of a time series, or of each in an array."""
    if isinstance(value, Series):
        return change(value)
    if isinstance(value, float | str):
        raise MathError("a time series is needed here")
    return [change(series) for series in value]


def safely(compute: Callable[[float], float]) -> Callable[[float], float | None]:
    """A function of numbers that has no value where it is not defined."""

    def run(value: float) -> float | None:
        try:
            result = compute(value)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None
        return result if math.isfinite(result) else None

    return run


def _of_numbers(name: str) -> Function:
    compute = safely(_OF_NUMBERS[name])

    def run(arguments: Sequence[Value], window: Window) -> Value:
        value = _only(arguments)
        if isinstance(value, float):
            result = compute(value)
            if result is None:
                raise MathError(f"{name} is not defined for {value:g}")
            return result
        return each(value, lambda series: series.map(compute))

    return run


def _reduce(name: str) -> Function:
    """The statistic of a series is a number; that of an array is a series."""
    compute = _REDUCE[name]

    def run(arguments: Sequence[Value], window: Window) -> Value:
        value = _only(arguments)
        if isinstance(value, float):
            return value
        if isinstance(value, Series):
            return compute(list(value.points.values())) if value.points else 0.0
        columns: dict[float, list[float]] = {}
        for series in array_of(value):
            for at, number in series.points.items():
                columns.setdefault(at, []).append(number)
        points = {at: compute(columns[at]) for at in sorted(columns)}
        return Series(points, _period(array_of(value)), name)

    return run


def array_of(value: Value) -> Sequence[Series]:
    """An array; a single series is an array of one. Raises `MathError` for other values."""
    if isinstance(value, Series):
        return [value]
    if isinstance(value, float | str):
        raise MathError("an array of time series is needed here")
    return value


def _period(array: Sequence[Series]) -> int:
    return max((series.period_s for series in array), default=60)


def _pairs(compute: Callable[[float, float, float, float], float]) -> Function:
    """From each point and the one before it: times and values."""

    def change(series: Series) -> Series:
        points = {
            at: compute(before, value_before, at, value)
            for (before, value_before), (at, value) in itertools.pairwise(series.points.items())
        }
        return dataclasses.replace(series, points=points)

    return lambda arguments, window: each(_only(arguments), change)


def _exactly(arguments: Sequence[Value], count: int) -> tuple[Value, ...]:
    if len(arguments) != count:
        raise MathError(f"{count} arguments are expected, not {len(arguments)}")
    return tuple(arguments)


def _only(arguments: Sequence[Value]) -> Value:
    (value,) = _exactly(arguments, 1)
    return value


def _running_sum(arguments: Sequence[Value], window: Window) -> Value:
    def change(series: Series) -> Series:
        sums = itertools.accumulate(series.points.values())
        return dataclasses.replace(series, points=dict(zip(series.points, sums, strict=True)))

    return each(_only(arguments), change)


def _fill(arguments: Sequence[Value], window: Window) -> Value:
    value, filler = _exactly(arguments, 2)

    def change(series: Series) -> Series:
        step = series.period_s
        first = math.ceil((window.start - window.origin) / step) * step + window.origin
        count = max(math.ceil((window.end - first) / step), 0)
        grid = [float(first + number * step) for number in range(count)]
        points = _filled(series.points, grid, filler)
        return dataclasses.replace(series, points=points)

    return each(value, change)


def _filled(
    points: Mapping[float, float], grid: Sequence[float], filler: Value
) -> dict[float, float]:
    if isinstance(filler, float):
        return {at: points.get(at, filler) for at in sorted({*grid, *points})}
    if isinstance(filler, Series):
        return dict(sorted({**filler.points, **points}.items()))
    known = sorted(points)
    filled = dict(points)
    following = 0
    for at in grid:
        while following < len(known) and known[following] <= at:
            following += 1
        if at in points or following == 0:
            continue
        before = known[following - 1]
        if filler == "REPEAT":
            filled[at] = points[before]
        elif filler == "LINEAR" and following < len(known):
            after = known[following]
            share = (at - before) / (after - before)
            filled[at] = points[before] + share * (points[after] - points[before])
        elif filler != "LINEAR":
            raise MathError("FILL takes a number, REPEAT or LINEAR")
    return dict(sorted(filled.items()))


def _period_of(arguments: Sequence[Value], window: Window) -> Value:
    series = _only(arguments)
    if not isinstance(series, Series):
        raise MathError("PERIOD takes a time series")
    return float(series.period_s)


def _sort(arguments: Sequence[Value], window: Window) -> Value:
    if len(arguments) not in (3, 4):
        raise MathError("SORT takes an array, a statistic, ASC or DESC, and perhaps a number")
    array, by, order = array_of(arguments[0]), str(arguments[1]), arguments[2]
    if by not in _SORTED_BY or order not in ("ASC", "DESC"):
        raise MathError(f"SORT cannot sort by {by} {order}")
    # Those without values come last, whatever the order.
    ranked = sorted(
        (series for series in array if series.points),
        key=lambda series: _SORTED_BY[by](list(series.points.values())),
        reverse=order == "DESC",
    ) + [series for series in array if not series.points]
    return ranked if len(arguments) == 3 else ranked[: int(_number(arguments[3]))]


def _number(value: Value) -> float:
    if not isinstance(value, float) or not 0 <= value < 1e6:
        raise MathError("a number that is not negative is needed here")
    return value


def _slice(arguments: Sequence[Value], window: Window) -> Value:
    if len(arguments) not in (2, 3):
        raise MathError("SLICE takes an array and one or two numbers")
    array, begin = array_of(arguments[0]), int(_number(arguments[1]))
    if len(arguments) == 3:
        return array[begin : int(_number(arguments[2]))]
    if begin >= len(array):
        raise MathError(f"SLICE: the array has no element {begin}")
    return array[begin]


def _edge(index: int) -> Function:
    """The first or the last series of an array, or value of a series."""

    def run(arguments: Sequence[Value], window: Window) -> Value:
        value = _only(arguments)
        if isinstance(value, Series):
            return list(value.points.values())[index] if value.points else 0.0
        array = array_of(value)
        if not array:
            raise MathError("the array is empty")
        return array[index]

    return run


def _date(name: str) -> Function:
    compute = _DATES[name]

    def change(series: Series) -> Series:
        points = {
            at: compute(datetime.datetime.fromtimestamp(at, datetime.UTC)) for at in series.points
        }
        return dataclasses.replace(series, points=points)

    return lambda arguments, window: each(_only(arguments), change)


def _time_series(arguments: Sequence[Value], window: Window) -> Value:
    value = _only(arguments)
    empty = Series({}, 60, "TIME_SERIES")
    return _fill([empty, _any_number(value)], window)


def _any_number(value: Value) -> float:
    if not isinstance(value, float):
        raise MathError("a number is needed here")
    return value


def _count(arguments: Sequence[Value], window: Window) -> Value:
    series = _only(arguments)
    if isinstance(series, Series):
        return float(len(series.points))
    points: dict[float, float] = {}
    for each_ in array_of(series):
        for at in each_.points:
            points[at] = points.get(at, 0.0) + 1
    return Series(dict(sorted(points.items())), _period(array_of(series)), "DATAPOINT_COUNT")


FUNCTIONS: Mapping[str, Function] = {
    **{name: _of_numbers(name) for name in _OF_NUMBERS},
    **{name: _reduce(name) for name in _REDUCE},
    **{name: _date(name) for name in _DATES},
    "DIFF": _pairs(lambda before, value_before, at, value: value - value_before),
    "DIFF_TIME": _pairs(lambda before, value_before, at, value: at - before),
    "RATE": _pairs(lambda before, value_before, at, value: (value - value_before) / (at - before)),
    "RUNNING_SUM": _running_sum,
    "FILL": _fill,
    "PERIOD": _period_of,
    "SORT": _sort,
    "SLICE": _slice,
    "FIRST": _edge(0),
    "LAST": _edge(-1),
    "METRIC_COUNT": lambda arguments, window: float(len(array_of(_only(arguments)))),
    "REMOVE_EMPTY": lambda arguments, window: [
        series for series in array_of(_only(arguments)) if series.points
    ],
    "TIME_SERIES": _time_series,
    "DATAPOINT_COUNT": _count,
}
NOT_OFFERED = frozenset(
    {"ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC", "DB_PERF_INSIGHTS", "SERVICE_QUOTA", "LAMBDA"}
)
"""Functions of CloudWatch that need a service which is not here."""
