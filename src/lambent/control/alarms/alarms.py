"""Use cases of alarms.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control import plain_tags
from lambent.control.alarms.checks import (
    ACTIONS,
    check_composite_alarm,
    check_metric_alarm,
    refused,
)
from lambent.control.alarms.states import (
    ALARM_KIND,
    HISTORY_KIND,
    SERVICE,
    Actions,
    add_history,
    change_state,
    history_of,
)
from lambent.control.events.paging import page
from lambent.control.events.paging import read_token as read_name
from lambent.kit.clock import Clock
from lambent.model.alarms.evaluation import INSUFFICIENT
from lambent.model.alarms.messages import State, alarm_arn
from lambent.model.alarms.rules import parse_rule
from lambent.model.arn import Arn, Scope
from lambent.model.document import Document, Root
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
_ALARMS_MAX = 5_000
_NOT_SHOWN = frozenset({"AlarmName", "Tags"})
_UNCHECKED = "Unchecked: Initial alarm creation"


class Alarms:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock, actions: Actions) -> None:
        self._store = store
        self._clock = clock
        self._actions = actions

    async def put_metric(self, scope: Scope, params: Params) -> Params:
        """PutMetricAlarm."""
        check_metric_alarm(params)
        await self._put(scope, params, METRIC)
        return {}

    async def put_composite(self, scope: Scope, params: Params) -> Params:
        """PutCompositeAlarm."""
        names = check_composite_alarm(params)
        root = root_of(scope)

        def check(tx: Transaction) -> None:
            for name in sorted(names):
                if tx.documents.get(root, ALARM_KIND, name) is None:
                    raise refused(f"The alarm {name} of AlarmRule does not exist.")
                if name == params["AlarmName"] or params["AlarmName"] in _below(tx, root, name):
                    raise refused(f"The alarm {params['AlarmName']} cannot depend on itself.")

        await self._store.read(check)
        await self._put(scope, params, COMPOSITE)
        return {}

    async def _put(self, scope: Scope, params: Params, type: str) -> None:
        name, root, now = params["AlarmName"], root_of(scope), self._clock.now()
        given = {member: params[member] for member in params if member not in _NOT_SHOWN}
        tags = plain_tags.changed({}, plain_tags.from_list(params.get("Tags")))

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            before = tx.documents.get(root, ALARM_KIND, name)
            if before is None:
                if len(tx.documents.list_of(root, ALARM_KIND)) >= _ALARMS_MAX:
                    raise ApiError("LimitExceeded", f"There can be at most {_ALARMS_MAX} alarms.")
                state = State(INSUFFICIENT, _UNCHECKED, "", now)
                body: dict[str, Any] = {"state": state._asdict(), "transitioned": now}
                body |= {"created": now, plain_tags.TAGS: tags}
            elif before.body["type"] != type:
                raise refused(f"{name} is the name of another type of alarm.")
            else:
                body = dict(before.body)
            body |= {"type": type, "given": given, "updated": now, "put": now}
            tx.documents.put(root, ALARM_KIND, name, body)
            verb = "created" if before is None else "updated"
            _note_configuration(tx, root, name, type, now, verb, given)

        await self._store.transact(run)

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeAlarms: metric alarms only, unless the request names types."""
        types = params.get("AlarmTypes") or [METRIC]
        after, wanted = read_name(params.get("NextToken")), params.get("AlarmNames")
        root = root_of(scope)

        def run(tx: Transaction) -> Sequence[Document]:
            related = _related(tx, root, params)
            found = tx.documents.list_of(root, ALARM_KIND, after=after)
            return [alarm for alarm in found if related is None or alarm.id in related]

        found = [
            alarm
            for alarm in await self._store.read(run)
            if alarm.body["type"] in types
            and (wanted is None or alarm.id in wanted)
            and alarm.id.startswith(params.get("AlarmNamePrefix", ""))
            and params.get("StateValue", alarm.body["state"]["value"])
            == alarm.body["state"]["value"]
            and _has_action(alarm, params.get("ActionPrefix"))
        ]
        shown, more = page(found, [alarm.id for alarm in found], params.get("MaxRecords"))
        return {
            "MetricAlarms": [_view(each) for each in shown if each.body["type"] == METRIC],
            "CompositeAlarms": [_view(each) for each in shown if each.body["type"] == COMPOSITE],
            **more,
        }

    async def describe_for_metric(self, scope: Scope, params: Params) -> Params:
        """DescribeAlarmsForMetric: those on the metric itself, not on expressions with it."""
        wanted = _dimensions(params)
        root = root_of(scope)
        found = await self._store.read(lambda tx: tx.documents.list_of(root, ALARM_KIND))
        compared = ("Namespace", "MetricName")
        optional = ("Statistic", "ExtendedStatistic", "Period", "Unit")
        alarms = [
            alarm
            for alarm in found
            if all(alarm.body["given"].get(name) == params[name] for name in compared)
            and _dimensions(alarm.body["given"]) == wanted
            and all(
                alarm.body["given"].get(name) == params[name] for name in optional if name in params
            )
        ]
        return {"MetricAlarms": [_view(alarm) for alarm in alarms]}

    async def describe_history(self, scope: Scope, params: Params) -> Params:
        """DescribeAlarmHistory: the latest first, unless the request says otherwise."""
        root, name = root_of(scope), params.get("AlarmName")
        types = params.get("AlarmTypes") or [METRIC]

        def run(tx: Transaction) -> Sequence[Document]:
            if name is not None:
                return history_of(tx, root, name)
            return tx.documents.list_of(root, HISTORY_KIND)

        start, end = (_epoch(params.get(member)) for member in ("StartDate", "EndDate"))
        found = [
            item
            for item in await self._store.read(run)
            if params.get("HistoryItemType", item.body["kind"]) == item.body["kind"]
            and (name is not None or item.body["type"] in types)
            and (start is None or item.body["at"] >= start)
            and (end is None or item.body["at"] <= end)
        ]
        found.sort(key=lambda item: (item.body["at"], item.id))
        if params.get("ScanBy") != "TimestampAscending":
            found.reverse()
        token = read_name(params.get("NextToken"))
        ids = [item.id for item in found]
        if token:
            if token not in ids:
                raise ApiError("InvalidNextToken", "The next token specified is invalid.")
            found = found[ids.index(token) + 1 :]
        shown, more = page(found, [item.id for item in found], params.get("MaxRecords"))
        return {"AlarmHistoryItems": [_history_view(item) for item in shown], **more}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteAlarms: all or none; names that no alarm has are ignored if there are several, as
        in AWS."""
        root, names, now = root_of(scope), params["AlarmNames"], self._clock.now()

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            for name in names:
                alarm = tx.documents.get(root, ALARM_KIND, name)
                if alarm is None:
                    if len(names) == 1:
                        raise _not_found(name)
                    continue
                tx.documents.delete(root, ALARM_KIND, name)
                type, given = alarm.body["type"], alarm.body["given"]
                _note_configuration(tx, root, name, type, now, "deleted", given)

        await self._store.transact(run)
        return {}

    async def set_state(self, scope: Scope, params: Params) -> Params:
        """SetAlarmState: until the next evaluation, with all actions."""
        data = params.get("StateReasonData", "")
        if data:
            try:
                json.loads(data)
            except (ValueError, RecursionError) as error:
                raise ApiError("InvalidFormat", "StateReasonData is not JSON.") from error
        new = State(params["StateValue"], params["StateReason"], data, self._clock.now())
        root, name = root_of(scope), params["AlarmName"]

        def run(tx: Transaction) -> Sequence[EventDelivery]:
            tx.locks.scope(scope)
            alarm = tx.documents.get(root, ALARM_KIND, name)
            if alarm is None:
                raise _not_found(name)
            return change_state(tx, alarm, new, self._actions)

        self._actions.dispatcher.note_new(await self._store.transact(run))
        return {}

    async def enable_actions(self, scope: Scope, params: Params) -> Params:
        """EnableAlarmActions."""
        return await self._set_enabled(scope, params["AlarmNames"], enabled=True)

    async def disable_actions(self, scope: Scope, params: Params) -> Params:
        """DisableAlarmActions."""
        return await self._set_enabled(scope, params["AlarmNames"], enabled=False)

    async def _set_enabled(self, scope: Scope, names: Sequence[str], *, enabled: bool) -> Params:
        root, now = root_of(scope), self._clock.now()

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            for name in names:
                alarm = tx.documents.get(root, ALARM_KIND, name)
                if alarm is not None:
                    given = {**alarm.body["given"], "ActionsEnabled": enabled}
                    body = {**alarm.body, "given": given, "updated": now}
                    tx.documents.put(root, ALARM_KIND, name, body)

        await self._store.transact(run)
        return {}

    async def list_tags(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        root, name = _tagged(scope, params["ResourceARN"])
        alarm = await self._store.read(lambda tx: _require(tx, root, name))
        return {"Tags": plain_tags.to_list(alarm.body.get(plain_tags.TAGS, {}))}

    async def change_tags(self, scope: Scope, params: Params) -> Params:
        """TagResource, UntagResource."""
        root, name = _tagged(scope, params["ResourceARN"])
        added, removed = plain_tags.from_list(params.get("Tags")), params.get("TagKeys") or ()

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            body = _require(tx, root, name).body
            before = body.get(plain_tags.TAGS, {})
            code = "InvalidParameterValueException"
            tags = plain_tags.changed(before, added, removed, code=code)
            tx.documents.put(root, ALARM_KIND, name, {**body, plain_tags.TAGS: tags})

        await self._store.transact(run)
        return {}


def root_of(scope: Scope) -> Root:
    """The root of the alarms of an account and Region."""
    return Root(SERVICE, *scope, "")


def _note_configuration(
    tx: Transaction, root: Root, name: str, type: str, now: float, verb: str, given: Params
) -> None:
    data = {"version": "1.0", "type": verb.removesuffix("d").capitalize(), f"{verb}Alarm": given}
    summary = f'Alarm "{name}" {verb}'[:255]
    add_history(tx, root, name, type, now, "ConfigurationUpdate", summary, data)


def _below(tx: Transaction, root: Root, name: str, depth: int = 0) -> set[str]:
    """The names of the alarms that a composite alarm depends on."""
    alarm = tx.documents.get(root, ALARM_KIND, name)
    if alarm is None or alarm.body["type"] != COMPOSITE or depth > 20:
        return set()
    _, names = parse_rule(alarm.body["given"]["AlarmRule"])
    return set(names).union(*(_below(tx, root, child, depth + 1) for child in names))


def _related(tx: Transaction, root: Root, params: Params) -> set[str] | None:
    """The names that `ChildrenOfAlarmName` or `ParentsOfAlarmName` mean; None without these."""
    if (name := params.get("ChildrenOfAlarmName")) is not None:
        alarm = tx.documents.get(root, ALARM_KIND, name)
        if alarm is None or alarm.body["type"] != COMPOSITE:
            return set()
        return set(parse_rule(alarm.body["given"]["AlarmRule"])[1])
    if (name := params.get("ParentsOfAlarmName")) is not None:
        return {
            alarm.id
            for alarm in tx.documents.list_of(root, ALARM_KIND)
            if alarm.body["type"] == COMPOSITE
            and name in parse_rule(alarm.body["given"]["AlarmRule"])[1]
        }
    return None


def _dimensions(params: Params) -> Mapping[str, str]:
    return {pair["Name"]: pair["Value"] for pair in params.get("Dimensions", ())}


def _has_action(alarm: Document, prefix: str | None) -> bool:
    if prefix is None:
        return True
    arns = [arn for member in ACTIONS for arn in alarm.body["given"].get(member, ())]
    return any(arn.startswith(prefix) for arn in arns)


def _require(tx: Transaction, root: Root, name: str) -> Document:
    alarm = tx.documents.get(root, ALARM_KIND, name)
    if alarm is None:
        raise ApiError("ResourceNotFoundException", f"Unknown alarm {name}.", status=404)
    return alarm


def _tagged(scope: Scope, text: str) -> tuple[Root, str]:
    arn = Arn.try_parse(text)
    if arn is None or arn.scope != scope or not arn.resource.startswith("alarm:"):
        raise ApiError(
            "InvalidParameterValueException", f"{text[:256]} is not the ARN of an alarm."
        )
    return root_of(scope), arn.resource.removeprefix("alarm:")


def _not_found(name: str) -> ApiError:
    return ApiError("ResourceNotFound", f"Unknown alarm {name}.", status=404)


def _epoch(moment: datetime.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _date(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)


def _view(alarm: Document) -> dict[str, Any]:
    """`MetricAlarm` or `CompositeAlarm` of the API."""
    body, state = alarm.body, State.of(alarm.body)
    view = {
        "AlarmName": alarm.id,
        "AlarmArn": alarm_arn(alarm.root.scope, alarm.id),
        "ActionsEnabled": True,
        **{member: [] for member in ACTIONS},
        **body["given"],
        "AlarmConfigurationUpdatedTimestamp": _date(body["updated"]),
        "StateValue": state.value,
        "StateReason": state.reason[:1023],
        "StateUpdatedTimestamp": _date(state.at),
        "StateTransitionedTimestamp": _date(body["transitioned"]),
    }
    if state.data:
        view["StateReasonData"] = state.data
    if body["type"] == METRIC and "Metrics" not in view:
        view.setdefault("Dimensions", [])
    return view


def _history_view(item: Document) -> dict[str, Any]:
    body = item.body
    return {
        "AlarmName": body["name"],
        "AlarmType": body["type"],
        "Timestamp": _date(body["at"]),
        "HistoryItemType": body["kind"],
        "HistorySummary": body["summary"],
        "HistoryData": body["data"],
    }
