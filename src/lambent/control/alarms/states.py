"""Changes of an alarm's state, and its history.

The transaction that changes the state also writes what the alarm's actions get: it is delivered,
and repeated if necessary, like the events of rules. So no action is lost when the platform ends.
"""

import dataclasses
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lambent.model.alarms.evaluation import ALARM, OK
from lambent.model.alarms.messages import (
    State,
    alarm_arn,
    detail_of,
    event_for_function,
    message_for_topic,
    precise_time,
)
from lambent.model.arn import Arn
from lambent.model.document import Body, Document, Root
from lambent.model.events.delivery import EventDelivery
from lambent.model.events.targets import event_text
from lambent.store.store import Transaction

SERVICE = "cloudwatch"
ALARM_KIND, HISTORY_KIND = "alarm", "alarm-history"
"""Kinds of documents."""
PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
"""The caller of functions, which their policies have to allow."""
_HISTORY_MAX = 100
"""Items of one alarm."""


class Delivers(Protocol):
    """Delivers what a transaction has written; `EventDispatcher` does."""

    def numbered(self, deliveries: Sequence[EventDelivery]) -> Sequence[EventDelivery]: ...

    def note_new(self, deliveries: Sequence[EventDelivery]) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Actions:
    """How actions are performed."""

    dispatcher: Delivers
    has_bus: bool
    """Whether the platform has event buses of its own, which get an event for each change."""


class _Nowhere:
    """Delivers nothing."""

    def numbered(self, deliveries: Sequence[EventDelivery]) -> Sequence[EventDelivery]:
        return ()

    def note_new(self, deliveries: Sequence[EventDelivery]) -> None:
        return None


NO_ACTIONS = Actions(_Nowhere(), has_bus=False)
"""Of a control plane without a data plane."""


def change_state(
    tx: Transaction, alarm: Document, new: State, actions: Actions
) -> Sequence[EventDelivery]:
    """Give an alarm a state. Returns the deliveries, which `actions.dispatcher` has to be notified
    of after the commit."""
    body, name = alarm.body, alarm.id
    old = State.of(body)
    changed = {**body, "state": new._asdict()}
    if old.value == new.value:
        tx.documents.put(alarm.root, ALARM_KIND, name, changed)
        return ()
    changed["transitioned"] = new.at
    tx.documents.put(alarm.root, ALARM_KIND, name, changed)
    data = {
        "version": "1.0",
        "oldState": {"stateValue": old.value, "stateReason": old.reason},
        "newState": {"stateValue": new.value, "stateReason": new.reason},
    }
    summary = f"Alarm updated from {old.value} to {new.value}"
    add_history(tx, alarm.root, name, body["type"], new.at, "StateUpdate", summary, data)
    given = body["given"]
    deliveries = [_event_for_bus(alarm, old, new)] if actions.has_bus else []
    if given.get("ActionsEnabled", True):
        for arn in given.get(_member_of(new.value), ()):
            deliveries.append(_action(alarm, arn, old, new))
            summary = f"Successfully queued action {arn}"[:255]
            details = {"actionState": "Queued", "notificationResource": arn}
            add_history(tx, alarm.root, name, body["type"], new.at, "Action", summary, details)
    numbered = actions.dispatcher.numbered(deliveries)
    tx.event_deliveries.add(numbered)
    return numbered


def add_history(
    tx: Transaction,
    root: Root,
    name: str,
    type: str,
    at: float,
    kind: str,
    summary: str,
    data: Mapping[str, Any],
) -> None:
    """Add an item to an alarm's history; the oldest of too many is deleted."""
    prefix = _prefix(name)
    present = history_of(tx, root, name)
    for old in present[: max(len(present) - _HISTORY_MAX + 1, 0)]:
        tx.documents.delete(root, HISTORY_KIND, old.id)
    # Actions follow the change of state that they are for.
    id = f"{prefix}{int(at * 1e6):018d}-{int(kind == 'Action')}-{uuid.uuid4().hex[:8]}"
    body: Body = {
        "name": name,
        "type": type,
        "at": at,
        "kind": kind,
        "summary": summary,
        "data": json.dumps(data)[:4095],
    }
    tx.documents.put(root, HISTORY_KIND, id, body)


def history_of(tx: Transaction, root: Root, name: str) -> Sequence[Document]:
    """The history of an alarm, the oldest item first."""
    prefix = _prefix(name)
    found = tx.documents.list_of(root, HISTORY_KIND, after=prefix, limit=_HISTORY_MAX + 10)
    return [document for document in found if document.id.startswith(prefix)]


def _prefix(name: str) -> str:
    """Of the ids of an alarm's history: names can be too long for these."""
    return f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}-"


def _member_of(state: str) -> str:
    return {OK: "OKActions", ALARM: "AlarmActions"}.get(state, "InsufficientDataActions")


def _action(alarm: Document, arn: str, old: State, new: State) -> EventDelivery:
    scope, given = alarm.root.scope, alarm.body["given"]
    is_function = Arn.parse(arn).service == "lambda"
    parameters: Mapping[str, str] = {}
    if is_function:
        body = event_for_function(scope, alarm.id, given, old, new)
    else:
        updated = alarm.body["updated"]
        subject, body = message_for_topic(scope, alarm.id, given, updated, old, new)
        parameters = {"Subject": subject}
    return EventDelivery(
        target=arn,
        service=PRINCIPAL if is_function else "cloudwatch.amazonaws.com",
        source_arn=alarm_arn(scope, alarm.id),
        scope=scope,
        body=json.dumps(body).encode(),
        parameters=parameters,
        created_at=new.at,
        due_at=new.at,
    )


def _event_for_bus(alarm: Document, old: State, new: State) -> EventDelivery:
    scope, arn = alarm.root.scope, alarm_arn(alarm.root.scope, alarm.id)
    text = event_text(
        scope,
        source="aws.cloudwatch",
        detail_type="CloudWatch Alarm State Change",
        detail=json.dumps(detail_of(alarm.id, alarm.body["given"], old, new)),
        resources=[arn],
        at=new.at,
        event_id=str(uuid.uuid4()),
    )
    return EventDelivery(
        target=f"arn:aws:events:{scope.region}:{scope.account}:event-bus/default",
        service="cloudwatch.amazonaws.com",
        source_arn=arn,
        scope=scope,
        body=text.encode(errors="replace"),
        created_at=new.at,
        due_at=new.at,
    )


def reason_data(
    given: Mapping[str, Any], moments: Sequence[float], evaluated: Sequence[tuple[float, float]]
) -> str:
    """`StateReasonData` of a metric alarm."""
    data: dict[str, Any] = {"version": "1.0", "queryDate": precise_time(moments[-1])}
    if evaluated:
        data["startDate"] = precise_time(evaluated[-1][0])
    for member, name in (
        ("Unit", "unit"),
        ("Statistic", "statistic"),
        ("ExtendedStatistic", "statistic"),
        ("Period", "period"),
    ):
        if member in given:
            data[name] = given[member]
    data["recentDatapoints"] = [value for _, value in reversed(evaluated)][-50:]
    data["threshold"] = given["Threshold"]
    data["evaluatedDatapoints"] = [
        {"timestamp": precise_time(at), "value": value} for at, value in evaluated[:20]
    ]
    text = json.dumps(data)
    return text if len(text) <= 4000 else ""
