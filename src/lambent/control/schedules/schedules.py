"""Use cases of schedules of EventBridge Scheduler."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.events.paging import page, read_token
from lambent.control.events.rules import check_dead_letter
from lambent.control.schedules.groups import DEFAULT, SCHEDULE, require_group, root_of
from lambent.kit.clock import Clock
from lambent.kit.strict_json import parse_plain
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.model.events.targets import (
    API_DESTINATION,
    BUS,
    LOG_GROUP,
    UNIVERSAL,
    kind_of,
    parameters_of,
    target_error,
)
from lambent.model.events.universal import operation_of
from lambent.model.schedules.documents import (
    ENABLED,
    due_after,
    is_on,
)
from lambent.model.schedules.documents import (
    SCHEDULER as SERVICE,
)
from lambent.model.schedules.expressions import Rate, parse, zone_of
from lambent.store.store import Store, Transaction
from lambent.store.ticks import Tick

Params = Mapping[str, Any]

SCHEDULES_MAX = 100_000
"""Of one group."""
_GIVEN = (
    *("ScheduleExpression", "ScheduleExpressionTimezone", "Description", "State"),
    *("Target", "FlexibleTimeWindow", "ActionAfterCompletion"),
)
_DATES = ("StartDate", "EndDate")
_TARGET_MEMBERS = frozenset({"Arn", "RoleArn", "Input", "DeadLetterConfig", "RetryPolicy"})
_OF_RULES = frozenset({API_DESTINATION, LOG_GROUP})


class Schedules:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateSchedule."""
        root, name, now = _root(scope, params), params["Name"], self._clock.now()
        body = {**_body(params), "created": now, "modified": now, "anchor": now}

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            require_group(tx, root)
            if tx.documents.get(root, SCHEDULE, name) is not None:
                raise ApiError("ConflictException", f"Schedule {name} already exists.")
            _store(tx, root, name, body, now)

        await self._store.transact(run)
        return {"ScheduleArn": schedule_arn(root, name)}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateSchedule: members that are absent get their defaults, as in AWS."""
        root, name, now = _root(scope, params), params["Name"], self._clock.now()
        given = _body(params)

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            before = _require(tx, root, name).body
            unchanged = before["ScheduleExpression"] == given["ScheduleExpression"]
            body = {
                **given,
                "created": before["created"],
                "modified": now,
                "anchor": before["anchor"] if unchanged else now,
            }
            _store(tx, root, name, body, now, is_new=not unchanged)

        await self._store.transact(run)
        return {"ScheduleArn": schedule_arn(root, name)}

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetSchedule."""
        root = _root(scope, params)
        document = await self._store.read(lambda tx: _require(tx, root, params["Name"]))
        given = {member: document.body[member] for member in _GIVEN if member in document.body}
        dates = {
            member: _date(document.body[member]) for member in _DATES if member in document.body
        }
        return {**_summary(document), **given, **dates}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListSchedules: those of a group, or of all groups."""
        group, after = params.get("GroupName"), read_token(params.get("NextToken"))
        prefix, state = params.get("NamePrefix", ""), params.get("State")

        def run(tx: Transaction) -> Sequence[Document]:
            if group is None:
                return tx.documents.list_in(SERVICE, scope, SCHEDULE)
            root = root_of(scope, group)
            require_group(tx, root)
            return tx.documents.list_of(root, SCHEDULE)

        found = sorted(
            (
                schedule
                for schedule in await self._store.read(run)
                if schedule.id.startswith(prefix)
                and state in (None, schedule.body["State"])
                and _place(schedule) > after
            ),
            key=_place,
        )
        shown, more = page(found, [_place(each) for each in found], params.get("MaxResults"))
        views = [
            {
                **_summary(each),
                "State": each.body["State"],
                "Target": {"Arn": each.body["Target"]["Arn"]},
            }
            for each in shown
        ]
        return {"Schedules": views, **more}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteSchedule."""
        root, name = _root(scope, params), params["Name"]

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            _require(tx, root, name)
            tx.documents.delete(root, SCHEDULE, name)
            tx.ticks.delete(root, name)

        await self._store.transact(run)
        return {}


def schedule_arn(root: Root, name: str) -> str:
    """The ARN of a schedule."""
    return f"arn:aws:scheduler:{root.region}:{root.account}:schedule/{root.id}/{name}"


def _root(scope: Scope, params: Params) -> Root:
    return root_of(scope, params.get("GroupName") or DEFAULT)


def _require(tx: Transaction, root: Root, name: str) -> Document:
    require_group(tx, root)
    document = tx.documents.get(root, SCHEDULE, name)
    if document is None:
        raise ApiError("ResourceNotFoundException", f"Schedule {name} does not exist.", status=404)
    return document


def _store(
    tx: Transaction, root: Root, name: str, body: Body, now: float, *, is_new: bool = True
) -> None:
    """Store a schedule and when it is due. A rate without a start begins at once."""
    if is_new and len(tx.documents.list_of(root, SCHEDULE)) >= SCHEDULES_MAX:
        raise ApiError(
            "ServiceQuotaExceededException",
            f"There can be at most {SCHEDULES_MAX} schedules in a group.",
        )
    tx.documents.put(root, SCHEDULE, name, body)
    due = None
    if is_on(body):
        is_rate = isinstance(parse(body["ScheduleExpression"], is_loose=True), Rate)
        anchor = body.get("StartDate", body["anchor"])
        begins_now = is_new and is_rate and "StartDate" not in body
        moment = now - 0.001 if begins_now else now
        due = due_after(root, name, body, moment, anchor=anchor)
    if due is None:
        tx.ticks.delete(root, name)
    else:
        tx.ticks.put(Tick(root, name, *due))


def _body(params: Params) -> dict[str, Any]:
    """The body of a schedule, checked."""
    expression, zone = params["ScheduleExpression"], params.get("ScheduleExpressionTimezone")
    try:
        parse(expression, is_loose=True)
    except ValueError as error:
        raise _invalid(f"Invalid Schedule Expression {expression}.") from error
    if zone is not None:
        try:
            zone_of(zone)
        except ValueError as error:
            raise _invalid(f"Invalid ScheduleExpressionTimezone {zone}.") from error
    if params.get("KmsKeyArn"):
        raise _invalid("KmsKeyArn: schedules are not encrypted with a key of KMS.")
    window = params["FlexibleTimeWindow"]
    if (window["Mode"] == "FLEXIBLE") is not ("MaximumWindowInMinutes" in window):
        raise _invalid(
            "Invalid FlexibleTimeWindow: MaximumWindowInMinutes must be there if Mode is FLEXIBLE,"
            " and only then."
        )
    _check_target(params["Target"])
    dates = {member: params[member].timestamp() for member in _DATES if params.get(member)}
    if len(dates) == 2 and dates["EndDate"] <= dates["StartDate"]:
        raise _invalid("The EndDate must be after the StartDate.")
    given = {member: params[member] for member in _GIVEN if params.get(member) is not None}
    return {"State": ENABLED, "ActionAfterCompletion": "NONE", **given, **dates}


def _check_target(target: Params) -> None:
    reason = target_error(target["Arn"])
    if reason is not None:
        raise _invalid(reason)
    kind = kind_of(Arn.parse(target["Arn"])) or ""
    if kind == UNIVERSAL:
        _check_operation(target)
    if kind in _OF_RULES:
        raise _invalid(f"{target['Arn']} can be the target of a rule, not of a schedule.")
    others = sorted(set(target).difference(_TARGET_MEMBERS, parameters_of(kind)))
    if others:
        raise _invalid(f"{others[0]} is not offered for this target of a schedule.")
    check_dead_letter(target)
    given = target.get("Input")
    if given is not None and kind in ("lambda", BUS):
        try:
            document = parse_plain(given)
        except ValueError as error:
            raise _invalid("The Input of a function or an event bus must be valid JSON.") from error
        if kind == BUS and not isinstance(document, dict):
            raise _invalid("The Input for an event bus must be a JSON object.")
    if kind == BUS and (given is None or "EventBridgeParameters" not in target):
        raise _invalid("The target is an event bus: it needs EventBridgeParameters and Input.")


def _check_operation(target: Params) -> None:
    try:
        operation_of(target["Arn"])
    except ValueError as error:
        raise _invalid(str(error)) from error
    try:
        parameters = parse_plain(target.get("Input") or "{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise _invalid("The Input of a universal target must be a JSON object.")


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


def _place(schedule: Document) -> str:
    return f"{schedule.root.id}/{schedule.id}"


def _date(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)


def _summary(schedule: Document) -> dict[str, Any]:
    return {
        "Arn": schedule_arn(schedule.root, schedule.id),
        "Name": schedule.id,
        "GroupName": schedule.root.id,
        "CreationDate": _date(schedule.body["created"]),
        "LastModificationDate": _date(schedule.body["modified"]),
    }
