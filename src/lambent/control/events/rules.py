"""Use cases of rules and their targets. A rule's document has its targets in it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.control import plain_tags
from lambent.control.events.buses import require_bus
from lambent.control.events.naming import (
    DEFAULT,
    RULE,
    BusName,
    invalid,
    own_bus,
    rule_arn,
    rule_missing,
    too_many,
    validation,
)
from lambent.control.events.paging import page, read_token
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Document
from lambent.model.errors import ApiError
from lambent.model.events.inputs import check_input
from lambent.model.events.patterns import InvalidPattern, read_pattern
from lambent.model.events.targets import (
    API_DESTINATION,
    BUS,
    UNIVERSAL,
    kind_of,
    parameters_of,
    target_error,
)
from lambent.model.schedules.documents import ENABLED, due_after, is_on
from lambent.model.schedules.expressions import parse
from lambent.store.store import Store, Transaction
from lambent.store.ticks import Tick

Params = Mapping[str, Any]

TARGETS = "targets"
RULES_MAX = 2_000
"""Of one bus."""
_TARGETS_MAX = 5
_SHOWN = ("Name", "Description", "EventPattern", "ScheduleExpression", "State", "RoleArn")
_INPUTS = frozenset({"Input", "InputPath", "InputTransformer"})
_TARGET_MEMBERS = frozenset(
    {
        *("Id", "Arn", "RoleArn", *_INPUTS),
        *("DeadLetterConfig", "RetryPolicy"),
    }
)


class Rules:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, scope: Scope, params: Params) -> Params:
        """PutRule: create a rule, or replace all of it but its targets and tags."""
        bus, name, now = _own_bus(scope, params), params["Name"], self._clock.now()
        given = {
            "State": ENABLED,
            **{member: params[member] for member in _SHOWN if params.get(member)},
        }
        _check(given, bus)

        def run(tx: Transaction) -> None:
            tx.locks.root(bus.root)
            require_bus(tx, bus)
            document = tx.documents.get(bus.root, RULE, name)
            before: Body = {} if document is None else document.body
            if document is None and len(tx.documents.list_of(bus.root, RULE)) >= RULES_MAX:
                raise too_many("rules on an event bus", RULES_MAX)
            tags = plain_tags.changed({}, plain_tags.from_list(params.get("Tags")))
            body = {
                **given,
                TARGETS: before.get(TARGETS, {}),
                plain_tags.TAGS: before.get(plain_tags.TAGS, tags),
            }
            tx.documents.put(bus.root, RULE, name, body)
            _set_tick(tx, bus, name, body, before, now)

        await self._store.transact(run)
        return {"RuleArn": rule_arn(scope, bus.name, name)}

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeRule."""
        bus = _own_bus(scope, params)
        document = await self._store.read(lambda tx: require_rule(tx, bus, params["Name"]))
        return {**_view(document), "CreatedBy": scope.account}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListRules."""
        prefix = params.get("NamePrefix", "")
        return await self._list(
            scope, params, "Rules", lambda rule: rule.id.startswith(prefix), _view
        )

    async def list_names_by_target(self, scope: Scope, params: Params) -> Params:
        """ListRuleNamesByTarget."""
        arn = params["TargetArn"]

        def has_target(rule: Document) -> bool:
            return any(target["Arn"] == arn for target in rule.body[TARGETS].values())

        return await self._list(scope, params, "RuleNames", has_target, lambda rule: rule.id)

    async def _list(
        self,
        scope: Scope,
        params: Params,
        member: str,
        is_wanted: Callable[[Document], bool],
        view: Callable[[Document], Any],
    ) -> Params:
        bus, after = _own_bus(scope, params), read_token(params.get("NextToken"))

        def run(tx: Transaction) -> Sequence[Document]:
            require_bus(tx, bus)
            return tx.documents.list_of(bus.root, RULE, after=after)

        found = [rule for rule in await self._store.read(run) if is_wanted(rule)]
        shown, more = page(found, [rule.id for rule in found], params.get("Limit"))
        return {member: [view(rule) for rule in shown], **more}

    async def set_state(self, scope: Scope, params: Params, state: str) -> Params:
        """EnableRule, DisableRule."""
        bus, name, now = _own_bus(scope, params), params["Name"], self._clock.now()

        def run(tx: Transaction) -> None:
            tx.locks.root(bus.root)
            before = require_rule(tx, bus, name).body
            body = {**before, "State": state}
            tx.documents.put(bus.root, RULE, name, body)
            _set_tick(tx, bus, name, body, before, now)

        await self._store.transact(run)
        return {}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteRule. There is no error if the rule does not exist, as in AWS."""
        bus, name = _own_bus(scope, params), params["Name"]

        def run(tx: Transaction) -> None:
            tx.locks.root(bus.root)
            require_bus(tx, bus)
            document = tx.documents.get(bus.root, RULE, name)
            if document is not None and document.body[TARGETS]:
                raise validation("Rule can't be deleted since it has targets.")
            tx.documents.delete(bus.root, RULE, name)
            tx.ticks.delete(bus.root, name)

        await self._store.transact(run)
        return {}

    async def put_targets(self, scope: Scope, params: Params) -> Params:
        """PutTargets: add targets, or replace those with the same ids."""
        given = {target["Id"]: target for target in params["Targets"]}
        for target in given.values():
            _check_target(target)

        def change(targets: Mapping[str, Any]) -> Mapping[str, Any]:
            changed = {**targets, **given}
            if len(changed) > _TARGETS_MAX:
                raise too_many("targets of a rule", _TARGETS_MAX)
            return changed

        await self._change_targets(scope, params, change)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    async def remove_targets(self, scope: Scope, params: Params) -> Params:
        """RemoveTargets. Targets that do not exist are returned as failed entries."""
        failed: list[Params] = []

        def change(targets: Mapping[str, Any]) -> Mapping[str, Any]:
            failed.clear()
            for id in params["Ids"]:
                if id not in targets:
                    failed.append(
                        {
                            "TargetId": id,
                            "ErrorCode": "ResourceNotFoundException",
                            "ErrorMessage": f"Rule {params['Rule']} does not have target {id}.",
                        }
                    )
            gone = set(params["Ids"])
            return {id: target for id, target in targets.items() if id not in gone}

        await self._change_targets(scope, params, change)
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    async def list_targets(self, scope: Scope, params: Params) -> Params:
        """ListTargetsByRule."""
        bus, after = _own_bus(scope, params), read_token(params.get("NextToken"))
        document = await self._store.read(lambda tx: require_rule(tx, bus, params["Rule"]))
        targets = [target for id, target in sorted(document.body[TARGETS].items()) if id > after]
        shown, more = page(targets, [target["Id"] for target in targets], params.get("Limit"))
        return {"Targets": shown, **more}

    async def _change_targets(
        self,
        scope: Scope,
        params: Params,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        bus = _own_bus(scope, params)

        def run(tx: Transaction) -> None:
            tx.locks.root(bus.root)
            document = require_rule(tx, bus, params["Rule"])
            body = {**document.body, TARGETS: change(document.body[TARGETS])}
            tx.documents.put(bus.root, RULE, document.id, body)

        await self._store.transact(run)


def require_rule(tx: Transaction, bus: BusName, name: str) -> Document:
    """A rule. Raises `ResourceNotFoundException`."""
    require_bus(tx, bus)
    document = tx.documents.get(bus.root, RULE, name)
    if document is None:
        raise rule_missing(name, bus.name)
    return document


def _own_bus(scope: Scope, params: Params) -> BusName:
    """Rules belong to the account of their bus."""
    return own_bus(scope, params.get("EventBusName"))


def _check(body: Body, bus: BusName) -> None:
    pattern, expression = body.get("EventPattern"), body.get("ScheduleExpression")
    if not (pattern or expression):
        raise validation("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if pattern:
        check_pattern(pattern)
    if expression:
        if bus.name != DEFAULT:
            raise validation("ScheduleExpression is supported only on the default event bus.")
        try:
            parse(expression)
        except ValueError as error:
            raise validation("Parameter ScheduleExpression is not valid.") from error


def check_pattern(text: str) -> None:
    """Raise `InvalidEventPatternException` with AWS's reason if a pattern is not valid."""
    try:
        read_pattern(text)
    except InvalidPattern as error:
        raise ApiError(
            "InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}"
        ) from error


def _check_target(target: Params) -> None:
    reason = target_error(target["Arn"])
    if reason is not None:
        raise invalid(target["Arn"][:256], reason)
    kind = kind_of(Arn.parse(target["Arn"])) or ""
    if kind == UNIVERSAL:
        raise invalid(target["Arn"][:256], "It can be the target of a schedule only.")
    if kind == API_DESTINATION and not target.get("RoleArn"):
        raise validation(f"RoleArn is required for target {target['Arn']}.")
    if kind == BUS and not _INPUTS.isdisjoint(target):
        raise invalid("Input", "The event for an event bus cannot be changed.")
    others = sorted(set(target).difference(_TARGET_MEMBERS, parameters_of(kind)))
    if others or (kind == BUS and "EventBridgeParameters" in target):
        name = others[0] if others else "EventBridgeParameters"
        raise invalid(name, "Lambent does not offer it for this target of a rule.")
    check_dead_letter(target)
    try:
        check_input(target)
    except ValueError as error:
        raise validation(f"Invalid input for target {target['Id']}: {error}.") from error


def check_dead_letter(target: Params) -> None:
    """Raise `ValidationException` unless the dead-letter queue, if there is one, is a queue."""
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue and (not queue.startswith("arn:aws:sqs:") or target_error(queue) is not None):
        raise invalid("DeadLetterConfig", f"{queue[:256]} is not the ARN of an SQS queue.")


def _set_tick(
    tx: Transaction, bus: BusName, name: str, body: Body, before: Body, now: float
) -> None:
    """Set when a rule is due next. A rule whose schedule stays as it was keeps its time."""
    if not is_on(body):
        tx.ticks.delete(bus.root, name)
        return
    unchanged = before.get("ScheduleExpression") == body["ScheduleExpression"]
    if unchanged and is_on(before):
        return
    due = due_after(bus.root, name, body, now, anchor=now)
    if due is None:
        tx.ticks.delete(bus.root, name)
    else:
        tx.ticks.put(Tick(bus.root, name, *due))


def _view(rule: Document) -> Params:
    """`Rule` of the API."""
    bus = rule.root.id
    return {
        **{member: rule.body[member] for member in _SHOWN if member in rule.body},
        "Arn": rule_arn(rule.root.scope, bus, rule.id),
        "EventBusName": bus,
    }
