"""Use cases of event buses.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html
"""

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control import plain_tags, policies
from lambent.control.events.naming import (
    BUS,
    BUS_NAME_MAX,
    DEFAULT,
    RULE,
    SERVICE,
    BusName,
    bus_arn,
    bus_missing,
    find_bus,
    invalid,
    own_bus,
    root_of,
    too_many,
    validation,
)
from lambent.control.events.paging import page, read_token
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

POLICY = "Policy"
_BUSES_MAX = 100
_POLICY_BYTES_MAX = 10_240
_REFUSED: Mapping[str, str] = {
    "EventSourceName": "there are no partner event sources here.",
    "KmsKeyIdentifier": "events are not encrypted with a key of KMS.",
    "LogConfig": "buses write no logs.",
    "DeadLetterConfig": "a dead-letter queue belongs to a target.",
}
"""Members that are refused, and why."""


class Buses:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateEventBus."""
        _refuse(params)
        name, now = params["Name"], self._clock.now()
        if "/" in name or len(name) > BUS_NAME_MAX:
            raise invalid("Name", f"A name has at most {BUS_NAME_MAX} characters and no slash.")
        body = {
            "Description": params.get("Description", ""),
            plain_tags.TAGS: plain_tags.changed({}, plain_tags.from_list(params.get("Tags"))),
            "created": now,
            "modified": now,
        }

        def run(tx: Transaction) -> None:
            tx.locks.account(*scope)
            root = root_of(scope, name)
            if name == DEFAULT or tx.documents.get(root, BUS, name) is not None:
                raise ApiError(
                    "ResourceAlreadyExistsException", f"Event bus {name} already exists."
                )
            if len(tx.documents.list_in(SERVICE, scope, BUS)) >= _BUSES_MAX:
                raise too_many("event buses", _BUSES_MAX)
            tx.documents.put(root, BUS, name, body)

        await self._store.transact(run)
        arn = bus_arn(scope, name)
        described = {"Description": body["Description"]} if body["Description"] else {}
        return {"EventBusArn": arn, **described}

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeEventBus."""
        bus = find_bus(scope, params.get("Name"))
        body = await self._store.read(lambda tx: require_bus(tx, bus))
        return _view(bus, body)

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListEventBuses."""
        prefix, after = params.get("NamePrefix", ""), read_token(params.get("NextToken"))
        found = await self._store.read(lambda tx: tx.documents.list_in(SERVICE, scope, BUS))
        bodies: dict[str, Body] = {DEFAULT: {}, **{each.id: each.body for each in found}}
        names = sorted(name for name in bodies if name.startswith(prefix) and name > after)
        shown, more = page(names, names, params.get("Limit"))
        return {
            "EventBuses": [_view(BusName(scope, name), bodies[name]) for name in shown],
            **more,
        }

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateEventBus."""
        _refuse(params)
        bus = own_bus(scope, params.get("Name"))
        described = {"Description": params.get("Description", "")}
        await self._change(bus, lambda body: {**body, **described})
        return {"Arn": bus.arn, "Name": bus.name, **described}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteEventBus."""
        bus = own_bus(scope, params["Name"])
        if bus.name == DEFAULT:
            raise validation("Cannot delete event bus default.")

        def run(tx: Transaction) -> None:
            tx.locks.root(bus.root)
            if tx.documents.list_of(bus.root, RULE, limit=1):
                raise validation(f"Event bus {bus.name} can't be deleted since it has rules.")
            tx.documents.delete(bus.root, BUS, bus.name)

        await self._store.transact(run)
        return {}

    async def put_permission(self, scope: Scope, params: Params) -> Params:
        """PutPermission: a whole policy, or one statement of it."""
        bus = own_bus(scope, params.get("EventBusName"))
        whole = params.get(POLICY)
        if whole is not None:
            policy = _read_policy(whole)
            await self._change(bus, lambda body: {**body, POLICY: policy})
            return {}
        missing = {"Action", "Principal", "StatementId"}.difference(params)
        if missing:
            raise validation(f"Parameter {min(missing)} must be specified.")
        statement = _statement(bus, params)

        def change(body: Body) -> Body:
            others = [each for each in _statements(body) if each.get("Sid") != statement["Sid"]]
            return {**body, POLICY: _policy([*others, statement])}

        await self._change(bus, change)
        return {}

    async def remove_permission(self, scope: Scope, params: Params) -> Params:
        """RemovePermission."""
        bus = own_bus(scope, params.get("EventBusName"))

        def change(body: Body) -> Body:
            rest = {name: value for name, value in body.items() if name != POLICY}
            if params.get("RemoveAllPermissions"):
                return rest
            statements = _statements(body)
            kept = [each for each in statements if each.get("Sid") != params.get("StatementId")]
            if len(kept) == len(statements):
                raise ApiError(
                    "ResourceNotFoundException",
                    "Statement with the provided id does not exist.",
                )
            return {**rest, POLICY: _policy(kept)} if kept else rest

        await self._change(bus, change)
        return {}

    async def _change(self, bus: BusName, change: Callable[[Body], Body]) -> None:
        def run(tx: Transaction) -> None:
            tx.locks.root(bus.root)
            body = change(require_bus(tx, bus))
            if len(json.dumps(body.get(POLICY, {}))) > _POLICY_BYTES_MAX:
                raise ApiError(
                    "PolicyLengthExceededException",
                    f"A policy has at most {_POLICY_BYTES_MAX} bytes.",
                )
            tx.documents.put(bus.root, BUS, bus.name, {**body, "modified": self._clock.now()})

        await self._store.transact(run)


def require_bus(tx: Transaction, bus: BusName) -> Body:
    """The body of a bus, empty for a default bus that nothing is stored of. Raises
    `ResourceNotFoundException`."""
    document = tx.documents.get(bus.root, BUS, bus.name) if len(bus.name) <= BUS_NAME_MAX else None
    if document is not None:
        return document.body
    if bus.name != DEFAULT:
        raise bus_missing(bus.name)
    return {}


def _refuse(params: Params) -> None:
    for name, reason in _REFUSED.items():
        if params.get(name):
            raise invalid(name, reason)


def _statement(bus: BusName, params: Params) -> dict[str, Any]:
    principal = params["Principal"]
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": principal if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": params["Action"],
        "Resource": bus.arn,
    }
    condition = params.get("Condition")
    if condition is not None:
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement


def _statements(body: Body) -> list[dict[str, Any]]:
    found = body.get(POLICY, {}).get("Statement", [])
    return [*found]


def _policy(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _read_policy(text: str) -> dict[str, Any]:
    try:
        return policies.parse(text)
    except ApiError as error:
        raise validation(error.message) from error


def _view(bus: BusName, body: Body) -> Params:
    """`EventBus` of the API."""
    view: dict[str, Any] = {"Name": bus.name, "Arn": bus.arn}
    if body.get("Description"):
        view["Description"] = body["Description"]
    if POLICY in body:
        view[POLICY] = json.dumps(body[POLICY])
    for member, name in (("CreationTime", "created"), ("LastModifiedTime", "modified")):
        if name in body:
            view[member] = datetime.datetime.fromtimestamp(body[name], datetime.UTC)
    return view
