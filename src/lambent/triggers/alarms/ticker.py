"""Evaluates alarms, once a minute each.

An alarm sees the last complete minutes: its periods end with the last one, as in AWS. States are in
the store; the transaction that changes one writes what the alarm's actions get. Composite alarms
follow the states of others at once.

Among several nodes, each alarm is evaluated by one of them, over the metrics of all. A state
changes only if no other node has changed it meanwhile, so its actions happen once. While a node
does not answer, metric alarms stay as they are.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from lambent.control.alarms.alarms import COMPOSITE, METRIC, root_of
from lambent.control.alarms.states import (
    ALARM_KIND,
    SERVICE,
    Actions,
    change_state,
    reason_data,
)
from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.model.alarms.evaluation import ALARM, EXTRA_PERIODS, MISSING, OK, Threshold, judge
from lambent.model.alarms.messages import State, alarm_arn
from lambent.model.alarms.rules import parse_rule
from lambent.model.arn import Scope
from lambent.model.changes import Changes
from lambent.model.document import Document
from lambent.model.events.delivery import EventDelivery
from lambent.store.store import Store, Transaction
from lambent.telemetry.metric_math.values import MathError
from lambent.telemetry.metric_queries import Query, evaluate
from lambent.telemetry.series.all_metrics import AllMetrics

logger = logging.getLogger(__name__)

_ROUNDS_MAX = 10
"""How many composite alarms may stand above each other."""


class AlarmTicker:
    """See the module."""

    def __init__(
        self,
        store: Store,
        metrics: AllMetrics,
        clock: Clock,
        actions: Actions,
        every_s: float,
        *,
        is_mine: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Alarms are evaluated every `every_s` seconds, and when one is made or changed. `is_mine`
        says whether this node evaluates the alarm with an ARN."""
        self._is_mine = is_mine
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._actions = actions
        self._every_s = every_s
        self._alarms: Sequence[Document] = ()
        self._is_stale = True
        self._put: dict[tuple[Scope, str], float] = {}
        """When each alarm was configured that has been evaluated."""
        self._bell = anyio.Event()

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything or any(root.service == SERVICE for root in changes.documents):
            self._is_stale = True
            self._bell.set()

    async def run(self) -> None:
        """Evaluate alarms, forever."""
        due = 0.0
        while True:
            self._bell = anyio.Event()
            now = self._clock.now()
            await self.tick(is_due=now >= due)
            if now >= due:
                due = now - now % self._every_s + self._every_s
            await wait_at_most(self._clock, self._bell, max(due - self._clock.now(), 0.0))

    async def tick(self, *, is_due: bool = True) -> None:
        """Evaluate all alarms, or only new ones and those that follow others. So a state that a
        user has set stays until the next minute."""
        if self._is_stale:
            self._is_stale = False
            try:
                self._alarms = await self._store.read(
                    lambda tx: tx.documents.everywhere(SERVICE, ALARM_KIND)
                )
            except BaseException:
                self._is_stale = True
                raise
        states: dict[tuple[Scope, str], str] = {}
        for alarm in self._alarms:
            states[alarm.root.scope, alarm.id] = alarm.body["state"]["value"]
        for alarm in self._alarms:
            place, put = (alarm.root.scope, alarm.id), alarm.body["put"]
            is_new = self._put.get(place) != put and alarm.body["state"]["at"] <= put
            if not self._is_mine(alarm_arn(*place)):
                continue
            if alarm.body["type"] == METRIC and (is_due or is_new):
                new = await self._evaluate(alarm)
                self._put[place] = put
                if new is not None and await self._change(alarm, new):
                    states[place] = new.value
        self._put = {place: at for place, at in self._put.items() if place in states}
        for _ in range(_ROUNDS_MAX):
            if not await self._follow(states):
                break

    async def _evaluate(self, alarm: Document) -> State | None:
        """The state of a metric alarm if it is another one."""
        given, now = alarm.body["given"], self._clock.now()
        end = math.floor(now / 60) * 60.0
        queries, period_s = _queries(given)
        periods: int = given["EvaluationPeriods"]
        start = end - (periods + EXTRA_PERIODS) * period_s
        moments = [start + number * period_s for number in range(periods + EXTRA_PERIODS)]
        rule = Threshold(
            given["ComparisonOperator"],
            given["Threshold"],
            periods,
            given.get("DatapointsToAlarm", periods),
            given.get("TreatMissingData", MISSING),
        )
        present = State.of(alarm.body)
        reading = self._metrics.reading()
        try:
            results = await evaluate(reading, alarm.root.scope, queries, start, end, origin=end)
        except MathError as error:
            logger.warning("cannot evaluate %s: %s", alarm_arn(alarm.root.scope, alarm.id), error)
            return None
        if reading.silent:
            return None
        points = results[0].series.points if len(results) == 1 else {}
        judged = judge(rule, moments, points, present.value)
        if judged.state == present.value:
            return None
        data = reason_data(given, moments, judged.evaluated)
        return State(judged.state, judged.reason, data, now)

    async def _follow(self, states: dict[tuple[Scope, str], str]) -> bool:
        """Have composite alarms follow; returns whether any has changed."""
        has_changed = False
        for alarm in self._alarms:
            if alarm.body["type"] != COMPOSITE:
                continue
            scope = alarm.root.scope
            if not self._is_mine(alarm_arn(scope, alarm.id)):
                continue
            rule, names = parse_rule(alarm.body["given"]["AlarmRule"])
            value = ALARM if rule({name: states.get((scope, name), "") for name in names}) else OK
            if value == states[scope, alarm.id]:
                continue
            reason = f"{alarm_arn(scope, alarm.id)} transitioned to {value}: its rule is "
            reason += "true" if value == ALARM else "false"
            if await self._change(alarm, State(value, reason, "", self._clock.now())):
                states[scope, alarm.id] = value
                has_changed = True
        return has_changed

    async def _change(self, alarm: Document, new: State) -> bool:
        """Store a state, unless the alarm or its state was changed meanwhile."""

        def run(tx: Transaction) -> Sequence[EventDelivery] | None:
            tx.locks.scope(alarm.root.scope)
            present = tx.documents.get(root_of(alarm.root.scope), ALARM_KIND, alarm.id)
            compared = ("given", "state")
            if present is None or any(present.body[name] != alarm.body[name] for name in compared):
                return None
            return change_state(tx, present, new, self._actions)

        deliveries = await self._store.transact(run)
        if deliveries is None:
            return False
        self._actions.dispatcher.note_new(deliveries)
        return True


def _queries(given: Mapping[str, Any]) -> tuple[Sequence[Query], int]:
    """The queries of an alarm, and the period of its result."""
    if "Metrics" in given:
        periods = [
            query["MetricStat"]["Period"] if "MetricStat" in query else query.get("Period", 60)
            for query in given["Metrics"]
        ]
        return given["Metrics"], max(periods)
    metric = {name: given[name] for name in ("Namespace", "MetricName")}
    stat = {
        "Metric": {**metric, "Dimensions": given.get("Dimensions", ())},
        "Period": given["Period"],
        "Stat": given.get("Statistic") or given["ExtendedStatistic"],
    }
    if "Unit" in given:
        stat["Unit"] = given["Unit"]
    return [{"Id": "m", "MetricStat": stat}], given["Period"]
