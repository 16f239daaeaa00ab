"""Alarms: what state follows from values, and that each change is made once, wherever it ends."""

import dataclasses
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lambent.control.alarms.alarms import Alarms
from lambent.control.alarms.states import Actions
from lambent.kit.clock import ManualClock
from lambent.model.alarms.evaluation import (
    ALARM,
    BREACHING,
    IGNORE,
    INSUFFICIENT,
    MISSING,
    NOT_BREACHING,
    OK,
    Threshold,
    judge,
)
from lambent.model.alarms.rules import RuleError, parse_rule
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery
from lambent.model.peers import NoPeers
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from lambent.telemetry.series.all_metrics import AllMetrics
from lambent.telemetry.series.keys import MetricKey
from lambent.telemetry.series.store import open_metric_store
from lambent.telemetry.settings import TelemetrySettings
from lambent.triggers.alarms.ticker import AlarmTicker

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
TOPIC = "arn:aws:sns:us-east-1:111111111111:t"
KEY = MetricKey(SCOPE, "Shop", "Errors", (("Shop", "north"),), "Count")
RETAINED = "the state that it had"

TABLE: list[tuple[int, str, tuple[str, str, str, str]]] = [
    # Of 3 datapoints, as AWS documents: missing, ignore, breaching, notBreaching.
    (3, "0-X-X", (OK, OK, OK, OK)),
    (3, "----0", (OK, OK, OK, OK)),
    (3, "-----", (INSUFFICIENT, RETAINED, ALARM, OK)),
    (3, "0XX-X", (ALARM, ALARM, ALARM, ALARM)),
    (3, "--X--", (ALARM, RETAINED, ALARM, OK)),
    (2, "0-X-X", (ALARM, ALARM, ALARM, ALARM)),
    (2, "00X0X", (ALARM, ALARM, ALARM, ALARM)),
    (2, "0-X--", (OK, OK, ALARM, OK)),
    (2, "----0", (OK, OK, ALARM, OK)),
    (2, "---X-", (ALARM, RETAINED, ALARM, OK)),
    # No early alarm: the only value is too young.
    (3, "----X", (RETAINED, RETAINED, ALARM, OK)),
]


@pytest.mark.parametrize(("to_alarm", "shown", "expected"), TABLE)
def test_missing_data_is_treated_as_aws_documents(
    to_alarm: int, shown: str, expected: Sequence[str]
) -> None:
    """The tables of M out of N, with two earlier periods."""
    moments = [60.0 * minute for minute in range(5)]
    points = {
        60.0 * minute: 5.0 if sign == "X" else 0.0
        for minute, sign in enumerate(shown)
        if sign != "-"
    }
    for treatment, state in zip((MISSING, IGNORE, BREACHING, NOT_BREACHING), expected, strict=True):
        rule = Threshold("GreaterThanThreshold", 3.0, 3, to_alarm, treatment)
        judged = judge(rule, moments, points, RETAINED)
        assert judged.state == state, treatment
        assert judged.reason


@pytest.mark.parametrize(
    ("rule", "is_true"),
    [
        ('ALARM("a")', True),
        ("ALARM(a) AND OK(b)", True),
        ("alarm(a) and not ok(b)", False),
        ("OK(a) OR (ALARM(a) AND INSUFFICIENT_DATA(c))", True),
        ("NOT (TRUE AND FALSE)", True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:111111111111:alarm:a)", True),
        ("ALARM('of two words') OR FALSE", True),
    ],
)
def test_rules_of_composite_alarms(rule: str, is_true: bool) -> None:
    """States, operators and parentheses."""
    states = {"a": ALARM, "b": OK, "c": INSUFFICIENT, "of two words": ALARM}
    assert parse_rule(rule)[0](states) == is_true


@pytest.mark.parametrize(
    "rule",
    [
        *("", "ALARM", "ALARM(", "ALARM()", "ALARM(a", "ALARM(a) OK(b)", "AND", "x"),
        *("(" * 5000, "NOT " * 5000 + "TRUE", "ALARM(a) OR", '"a"', "ALARM(a))"),
    ],
)
def test_rules_that_cannot_be_read(rule: str) -> None:
    """They are refused, however deep they are."""
    with pytest.raises(RuleError):
        parse_rule(rule)


class Dispatcher:
    """Notes what it is notified of."""

    def __init__(self) -> None:
        self.noted: list[EventDelivery] = []
        self._id = 0

    def numbered(self, deliveries: Iterable[EventDelivery]) -> Sequence[EventDelivery]:
        numbered = []
        for delivery in deliveries:
            self._id += 1
            numbered.append(dataclasses.replace(delivery, id=self._id))
        return numbered

    def note_new(self, deliveries: Sequence[EventDelivery]) -> None:
        self.noted += deliveries


class Life:
    """A platform's alarms, from its start to its end."""

    def __init__(self, store: Any, metrics: Any, clock: ManualClock) -> None:
        self.store, self.metrics, self.clock = store, metrics, clock
        self.dispatcher = Dispatcher()
        actions = Actions(self.dispatcher, has_bus=True)
        self.alarms = Alarms(store, clock, actions)
        self.ticker = AlarmTicker(store, AllMetrics(metrics, NoPeers()), clock, actions, 60.0)

    async def put(self, name: str = "a", **more: Any) -> None:
        params = {
            "AlarmName": name,
            "Namespace": "Shop",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "Shop", "Value": "north"}],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 3.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [FUNCTION, TOPIC],
            "OKActions": [FUNCTION],
            **more,
        }
        params = {member: value for member, value in params.items() if value is not None}
        await self.alarms.put_metric(SCOPE, params)

    async def states(self) -> dict[str, str]:
        types = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
        found = await self.alarms.describe(SCOPE, types)
        both = [*found["MetricAlarms"], *found["CompositeAlarms"]]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in both}

    async def minute(self, value: float | None) -> None:
        """A minute with a value passes, and alarms are evaluated."""
        if value is not None:
            self.metrics.record(KEY, value)
        self.clock.advance(60)
        await self.ticker.tick()

    def sent(self) -> list[tuple[str, Any]]:
        """What was sent to which kind of target, since the last call."""
        noted, self.dispatcher.noted = self.dispatcher.noted, []
        return [(each.target.split(":")[2], json.loads(each.body)) for each in noted]


@asynccontextmanager
async def living(directory: Path, clock: ManualClock) -> AsyncIterator[Life]:
    async with (
        open_store(StoreSettings(), directory) as store,
        open_metric_store(directory / "metrics.db", TelemetrySettings(), clock) as metrics,
    ):
        life = Life(store, metrics, clock)
        await store.follow(life.ticker)
        yield life


@pytest.mark.anyio
async def test_an_alarm_calls_notifies_and_sends_an_event(tmp_path: Path) -> None:
    """Each once for each change of state, in AWS's forms; a new platform keeps the state."""
    clock = ManualClock(1_800_000_000.0)
    async with living(tmp_path, clock) as life:
        await life.put(AlarmDescription="too many errors")
        await life.minute(1)
        assert await life.states() == {"a": OK}
        assert [target for target, _ in life.sent()] == ["events", "lambda"]
        await life.minute(5)
        await life.minute(7)
        assert await life.states() == {"a": ALARM}
        (_, event), (_, call), (_, message) = life.sent()
        assert event["detail-type"] == "CloudWatch Alarm State Change"
        assert event["source"] == "aws.cloudwatch"
        assert event["resources"] == ["arn:aws:cloudwatch:us-east-1:111111111111:alarm:a"]
        assert event["detail"] == call["alarmData"]
        assert event["detail"]["state"]["value"] == ALARM
        assert event["detail"]["previousState"]["value"] == OK
        assert call["alarmArn"] == event["resources"][0]
        assert call["accountId"] == "111111111111"
        (metric,) = call["alarmData"]["configuration"]["metrics"]
        assert metric["metricStat"]["metric"]["dimensions"] == {"Shop": "north"}
        assert message["NewStateValue"] == ALARM
        assert message["Trigger"]["Statistic"] == "SUM"
        assert "greater than the threshold (3.0)" in message["NewStateReason"]
    async with living(tmp_path, clock) as life:
        assert await life.states() == {"a": ALARM}
        await life.minute(9)
        assert life.sent() == []
        history = await life.alarms.describe_history(SCOPE, {"AlarmName": "a"})
        summaries = [item["HistorySummary"] for item in history["AlarmHistoryItems"]]
        assert summaries[2:] == [
            "Alarm updated from OK to ALARM",
            f"Successfully queued action {FUNCTION}",
            "Alarm updated from INSUFFICIENT_DATA to OK",
            'Alarm "a" created',
        ]


@pytest.mark.anyio
async def test_alarms_on_expressions_and_longer_periods(tmp_path: Path) -> None:
    """The rate of errors over five minutes that end now, and not with a multiple of five."""
    clock = ManualClock(1_800_000_060.0)
    metric = {
        "Namespace": "Shop",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "Shop", "Value": "north"}],
    }
    stat = {"Metric": metric, "Period": 300}
    queries = [
        {"Id": "errors", "MetricStat": {**stat, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "calls", "MetricStat": {**stat, "Stat": "SampleCount"}, "ReturnData": False},
        {"Id": "rate", "Expression": "errors / calls"},
    ]
    only_query = dict.fromkeys(
        ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "AlarmActions")
    )
    async with living(tmp_path, clock) as life:
        await life.put(**only_query, Metrics=queries, Threshold=0.5, OKActions=None)
        for value in (0, 0, 1, 1, 1):
            await life.minute(value)
        assert await life.states() == {"a": ALARM}
        for _ in range(4):
            await life.minute(0)
        assert await life.states() == {"a": OK}


@pytest.mark.anyio
async def test_composite_alarms_follow(tmp_path: Path) -> None:
    """At once; without actions nothing is sent but the event."""
    clock = ManualClock(1_800_000_000.0)
    async with living(tmp_path, clock) as life:
        await life.put("a", AlarmActions=[])
        await life.put("b", Threshold=100.0, AlarmActions=[])
        rule = {"AlarmName": "both", "AlarmRule": "ALARM(a) AND NOT ALARM(b)"}
        await life.alarms.put_composite(SCOPE, {**rule, "AlarmActions": [FUNCTION]})
        await life.alarms.put_composite(SCOPE, {"AlarmName": "top", "AlarmRule": "ALARM(both)"})
        await life.minute(5)
        assert await life.states() == {"a": ALARM, "b": OK, "both": ALARM, "top": ALARM}
        calls = [body for target, body in life.sent() if target == "lambda"]
        assert [call["alarmData"]["alarmName"] for call in calls] == ["b", "both"]
        assert calls[1]["alarmData"]["configuration"] == {"alarmRule": rule["AlarmRule"]}
        await life.alarms.disable_actions(SCOPE, {"AlarmNames": ["both", "b"]})
        await life.minute(500)
        assert await life.states() == {"a": ALARM, "b": ALARM, "both": OK, "top": OK}
        assert {target for target, _ in life.sent()} == {"events"}
        with pytest.raises(ApiError, match="depend on itself"):
            await life.alarms.put_composite(SCOPE, {"AlarmName": "both", "AlarmRule": "ALARM(top)"})


@pytest.mark.anyio
async def test_a_state_that_is_set_stays_until_the_next_minute(tmp_path: Path) -> None:
    """Its actions are performed; a change of another alarm does not end it."""
    clock = ManualClock(1_800_000_000.0)
    async with living(tmp_path, clock) as life:
        await life.put()
        await life.minute(1)
        life.sent()
        state = {"AlarmName": "a", "StateValue": ALARM, "StateReason": "a test"}
        await life.alarms.set_state(SCOPE, state)
        assert [target for target, _ in life.sent()] == ["events", "lambda", "sns"]
        await life.put("other")
        await life.ticker.tick(is_due=False)
        assert (await life.states())["a"] == ALARM
        await life.minute(1)
        assert (await life.states())["a"] == OK


@pytest.mark.anyio
async def test_history_is_bounded(tmp_path: Path) -> None:
    """An alarm that changes often keeps its last hundred items."""
    clock = ManualClock(1_800_000_000.0)
    async with living(tmp_path, clock) as life:
        await life.put("x" * 255, AlarmActions=[], OKActions=[])
        for number in range(110):
            clock.advance(1)
            value = ALARM if number % 2 else OK
            state = {"AlarmName": "x" * 255, "StateValue": value, "StateReason": str(number)}
            await life.alarms.set_state(SCOPE, state)
        items: list[Any] = []
        token: dict[str, str] = {}
        while True:
            page = await life.alarms.describe_history(SCOPE, {"AlarmName": "x" * 255, **token})
            items += page["AlarmHistoryItems"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert len(items) == 100
        assert json.loads(items[0]["HistoryData"])["newState"]["stateReason"] == "109"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong",
    [
        {"Period": 30},
        {"Statistic": None},
        {"ExtendedStatistic": "p99"},
        {"Statistic": None, "ExtendedStatistic": "p999"},
        {"EvaluationPeriods": 2000},
        {"DatapointsToAlarm": 2},
        {"TreatMissingData": "panic"},
        {"Threshold": None},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"ThresholdMetricId": "m"},
        {"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]},
        {"AlarmActions": ["f"]},
        {"AlarmActions": [FUNCTION] * 2},
        {"Metrics": [{"Id": "m", "Expression": "1"}]},
        {"MetricName": None},
        {"MetricName": None, "Metrics": [{"Id": "m", "Expression": "1 +"}]},
        {"MetricName": None, "Metrics": [{"Id": "M", "Expression": "m"}]},
        {"MetricName": None, "Metrics": []},
    ],
)
async def test_what_cannot_be_an_alarm_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """With an error that names it."""
    async with living(tmp_path, ManualClock()) as life:
        with pytest.raises(ApiError) as refused:
            await life.put(**wrong)
        assert refused.value.code == "ValidationError"
        assert await life.states() == {}
