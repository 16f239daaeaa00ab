"""Expressions of metric math compute what CloudWatch documents, and hostile ones end quickly."""

import datetime
import string
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry.metric_math.evaluator import Evaluator
from lambent.telemetry.metric_math.functions import FUNCTIONS, Window
from lambent.telemetry.metric_math.labels import label_of, read_zone
from lambent.telemetry.metric_math.parser import parse
from lambent.telemetry.metric_math.search import read_search
from lambent.telemetry.metric_math.values import MathError, Series, Value
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import MetricKey
from lambent.telemetry.series.statistics import is_statistic, statistic

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))


def series(*values: float | None, label: str = "", start: int = 0) -> Series:
    """A value a minute; None where there is none."""
    points = {
        60.0 * (start + minute): float(value)
        for minute, value in enumerate(values)
        if value is not None
    }
    return Series(points, 60, label)


M1 = series(1, 2, 3, 4, label="first")
M2 = series(10, None, 30, 0, label="second")
GIVEN = {"m1": M1, "m2": M2, "errors1": series(0, 1, 0, 0, label="errors")}


def result(expression: str, **more: str) -> Value:
    expressions = {"e": parse(expression), **{id: parse(text) for id, text in more.items()}}
    return Evaluator(GIVEN, expressions, {}, Window(0, 240)).result_of("e")


def values(expression: str, **more: str) -> list[float]:
    found = result(expression, **more)
    assert isinstance(found, Series)
    return list(found.points.values())


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + 1", [2, 3, 4, 5]),
        ("2 * m1 - m1 / 2", [1.5, 3, 4.5, 6]),
        ("-m1 ^ 2", [-1, -4, -9, -16]),
        ("2 ^ 3 ^ 2 + m1 * 0", [512] * 4),
        # Only where both have a value, and not where the result is none.
        ("m1 + m2", [11, 33, 4]),
        ("m1 / m2", [0.1, 0.1]),
        ("m1 > 2", [0, 0, 1, 1]),
        ("m1 >= 2 AND m1 != 3", [0, 1, 0, 1]),
        ("m1 == 1 || m1 == 4", [1, 0, 0, 1]),
        ("IF(m1 > 2, m1, 0)", [0, 0, 3, 4]),
        ("IF(m1 > 2, m1)", [3, 4]),
        ("IF(SUM(m1) > 100, m1, m1 * 10)", [10, 20, 30, 40]),
        ("SUM(METRICS())", [11, 3, 33, 4]),
        ("SUM([m1, m2])", [11, 2, 33, 4]),
        ("AVG([m1, m2])", [5.5, 2, 16.5, 2]),
        ("MAX([m1, m2]) - MIN([m1, m2])", [9, 0, 27, 4]),
        ('SUM(METRICS("errors"))', [0, 1, 0, 0]),
        ("100 * SUM(m1) / SUM(m2) + m1 * 0", [25] * 4),
        ("FILL(m2, 0)", [10, 0, 30, 0]),
        ("FILL(m2, REPEAT)", [10, 10, 30, 0]),
        ("FILL(m2, LINEAR)", [10, 20, 30, 0]),
        ("DIFF(m1)", [1, 1, 1]),
        ("DIFF_TIME(m2)", [120, 60]),
        ("RATE(m1) * 60", [1, 1, 1]),
        ("m1 * PERIOD(m1)", [60, 120, 180, 240]),
        ("RUNNING_SUM(m1)", [1, 3, 6, 10]),
        ("ABS(m1 - 3)", [2, 1, 0, 1]),
        ("CEIL(m1 / 2)", [1, 1, 2, 2]),
        ("FLOOR(m1 / 2)", [0, 1, 1, 2]),
        ("SLICE(SORT([m1, m2], SUM, DESC), 0)", [10, 30, 0]),
        ("SLICE(SORT([m1, m2], SUM, ASC), 0)", [1, 2, 3, 4]),
        ("FIRST([m1, m2]) + LAST(m1) * 0", [1, 2, 3, 4]),
        ("TIME_SERIES(7)", [7] * 4),
        ("MINUTE(m1)", [0, 1, 2, 3]),
        ("METRIC_COUNT(METRICS()) + m1 * 0", [3] * 4),
        ("DATAPOINT_COUNT([m1, m2])", [2, 1, 2, 2]),
        ("STDDEV([m1, m1])", [0] * 4),
    ],
)
def test_expressions(expression: str, expected: Sequence[float]) -> None:
    """The examples of CloudWatch's documentation, in small."""
    assert values(expression) == pytest.approx(expected)


def test_expressions_use_expressions() -> None:
    """By their ids; none may use itself."""
    assert values("e1 * 2", e1="e2 + 1", e2="m1") == [4, 6, 8, 10]
    with pytest.raises(MathError, match="itself"):
        result("e1", e1="e2", e2="e1")


@pytest.mark.parametrize(
    "expression",
    [
        *("", "m1 +", "m1 m2", "(m1", "m1)", "[m1", "SUM(", "m9", "NOTHING(m1)", "'text' + 1"),
        *("[m1] + [m2]", "SUM()", "SUM(m1, m2)", "SORT(m1)", "SLICE([m1], 5)", "SLICE([m1], -1)"),
        *("FILL(m1)", "FILL(m1, WHAT)", "IF(m1)", "PERIOD([m1, m2])", "1 / 0", "LOG(0)"),
        *("ANOMALY_DETECTION_BAND(m1, 2)", "METRICS(m1)", "ABS('x')", "FIRST([])", "#", "m1 & m2"),
        *("(" * 5000, "-" * 5000 + "1", "[" * 60 + "m1" + "]" * 60, "1" + " ^ 1" * 1000),
    ],
)
def test_what_cannot_be_computed_is_refused(expression: str) -> None:
    """With an error that can be shown."""
    with pytest.raises(MathError):
        result(expression)


@pytest.mark.slow
def test_a_request_computes_a_bounded_number_of_values() -> None:
    """Expressions that double their arrays end after five million values."""
    given_ = {"m1": Series({float(at): 1.0 for at in range(10_000)}, 60)}
    doubled = {f"e{n}": parse(f"[e{n - 1}, e{n - 1}] + 0") for n in range(1, 60)}
    evaluator = Evaluator(given_, {"e0": parse("[m1]"), **doubled}, {}, Window(0, 60))
    began = time.monotonic()
    with pytest.raises(MathError, match="too many values"):
        evaluator.result_of("e59")
    assert time.monotonic() - began < 60


@given(st.text(string.ascii_letters + string.digits + " +-*/^()[],'\"<>=&|{}", max_size=60))
def test_any_text_is_computed_or_refused(text: str) -> None:
    """Nothing but `MathError` is raised, by expressions and by searches."""
    for read in (result, lambda text: read_search(text)(KEY)):
        try:
            read(text)
        except MathError:
            pass


@given(
    st.sampled_from(sorted(FUNCTIONS)),
    st.lists(st.sampled_from(["m1", "m2", "1", "-1", "'x'", "[m1, m2]", "[]", "SUM", "ASC"])),
)
def test_any_call_is_computed_or_refused(function: str, arguments: list[str]) -> None:
    """Whatever the arguments."""
    try:
        result(f"{function}({', '.join(arguments)})")
    except MathError:
        pass


KEY = MetricKey(
    SCOPE, "AWS/Lambda", "ConcurrentExecutions", (("FunctionName", "shop-web"),), "Count"
)


@pytest.mark.parametrize(
    ("search", "is_found"),
    [
        ("{AWS/Lambda,FunctionName}", True),
        ("{AWS/Lambda}", False),
        ("{AWS/Lambda,FunctionName,Resource}", False),
        ('{AWS/Lambda,"FunctionName"} MetricName="ConcurrentExecutions"', True),
        ('{AWS/Lambda,FunctionName} MetricName="Concurrent"', False),
        ("{AWS/Lambda,FunctionName} MetricName=concurrent", True),
        ("{AWS/Lambda,FunctionName} concurrent shop", True),
        ("{AWS/Lambda,FunctionName} concurrent office", False),
        ("concurrent office OR shop", True),
        ("concurrent AND (office OR shop)", True),
        ("NOT FunctionName=office executions", True),
        ("NOT (FunctionName=shop)", False),
        ('Namespace="AWS/Lambda" FunctionName="shop-web"', True),
        ('"shop-web"', True),
        ('"shop"', False),
    ],
)
def test_search(search: str, is_found: bool) -> None:
    """Schemas, exact values, parts of names, and logic."""
    assert read_search(search)(KEY) == is_found


def test_labels_have_variables() -> None:
    """Statistics, times in a time zone, and properties; what does not exist stays."""
    shown = Series(
        {0.0: 1.0, 60.0: 5.0, 120.0: 3.0}, 60, "ConcurrentExecutions", metric=KEY, stat="Maximum"
    )

    def label(text: str, zone: str = "+0000") -> str:
        return label_of(shown, text, read_zone(zone))

    assert label("plain") == "plain"
    assert label("${LABEL}: ${MAX} of ${SUM}, ${AVG}") == "ConcurrentExecutions: 5 of 9, 3"
    assert label("${PROP('Dim.FunctionName')} ${PROP('Stat')}") == "shop-web Maximum"
    assert label("${MAX_TIME}", "+0130") == "1970-01-01 01:31:00"
    assert label("${LAST_TIME} ${FIRST}") == "1970-01-01 00:02:00 1"
    assert label("${NOTHING} ${PROP('Dim.None')}") == "${NOTHING} "
    assert label_of(Series({}, 60), "${MAX}", datetime.UTC) == "--"
    with pytest.raises(MathError):
        read_zone("Europe/Berlin")


def test_trimmed_statistics() -> None:
    """Means, sums and counts between ranks or values; a share of values in a range."""
    spread = Distribution()
    spread.add_all([float(value) for value in range(1, 101)])
    assert statistic(spread, "tm90") == pytest.approx(45.5, rel=0.02)
    assert statistic(spread, "TM(10%:90%)") == pytest.approx(50.5, rel=0.02)
    assert statistic(spread, "IQM") == pytest.approx(50.5, rel=0.02)
    assert statistic(spread, "tc50") == pytest.approx(50)
    far = Distribution()
    far.add_all([1.0, 10.0, 100.0] * 10)
    assert statistic(far, "TC(:50)") == pytest.approx(20)
    assert statistic(far, "TS(50:)") == pytest.approx(1000, rel=0.02)
    assert statistic(far, "TM(5:50)") == pytest.approx(10, rel=0.02)
    assert statistic(far, "PR(50:)") == pytest.approx(100 / 3)
    assert statistic(far, "TM(200:)") is None
    for name in ("wm90", "tm", "TM(1)", "TM(90%:10%)", "PR(1%:2%)", "TM(a:b)", "tm101", "p-1"):
        assert not is_statistic(name)
