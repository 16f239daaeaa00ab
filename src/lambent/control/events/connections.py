"""Use cases of connections: how API destinations authorize requests.

The parameters are stored twice: sealed, as the data plane needs them, and without secrets, as the
API shows them.
"""

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control.events.naming import (
    CONNECTION,
    CONNECTIONS,
    SERVICE,
    connection_arn,
    invalid,
    too_many,
    validation,
)
from lambent.control.events.paging import page, read_token
from lambent.kit.clock import Clock
from lambent.kit.sealing import Sealing
from lambent.kit.strict_json import parse_plain
from lambent.model.arn import Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.model.events.connections import MEMBERS, check, merged, shown
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

AUTHORIZED, DEAUTHORIZED = "AUTHORIZED", "DEAUTHORIZED"
_SEALING_KEY = "connections"
"""The platform's secret that the parameters are sealed with."""
_CONNECTIONS_MAX = 3_000
_TIMES = ("CreationTime", "LastModifiedTime", "LastAuthorizedTime")
_SUMMARY = ("AuthorizationType", "ConnectionState")


class Connections:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock, sealing: Sealing) -> None:
        self._store = store
        self._clock = clock
        self._sealing = sealing

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateConnection."""
        root, name = Root(SERVICE, *scope, CONNECTIONS), params["Name"]
        body = self._body(scope, params, {"CreationTime": self._clock.now()})

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            if tx.documents.get(root, CONNECTION, name) is not None:
                raise ApiError(
                    "ResourceAlreadyExistsException", f"Connection {name} already exists."
                )
            if len(tx.documents.list_of(root, CONNECTION)) >= _CONNECTIONS_MAX:
                raise too_many("connections", _CONNECTIONS_MAX)
            tx.documents.put(root, CONNECTION, name, body)

        await self._store.transact(run)
        return _view(scope, name, body, "ConnectionState", *_TIMES[:2])

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateConnection: members that are absent stay as they were."""

        def change(before: Body) -> Body:
            kind = params.get("AuthorizationType") or before["AuthorizationType"]
            old: Params = {}
            if before["sealed"] and kind == before["AuthorizationType"]:
                old = self._open(scope, params["Name"], before)
            given = {
                **before,
                **params,
                "AuthorizationType": kind,
                "AuthParameters": merged(old, params.get("AuthParameters") or {}),
            }
            return self._body(scope, given, before)

        body = await self._change(scope, params["Name"], change)
        return _view(scope, params["Name"], body, "ConnectionState", *_TIMES)

    async def deauthorize(self, scope: Scope, params: Params) -> Params:
        """DeauthorizeConnection: the secrets are gone."""

        def change(before: Body) -> Body:
            now = self._clock.now()
            return {
                **before,
                "sealed": "",
                "ConnectionState": DEAUTHORIZED,
                "LastModifiedTime": now,
            }

        body = await self._change(scope, params["Name"], change)
        return _view(scope, params["Name"], body, "ConnectionState", *_TIMES)

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeConnection: without secrets."""
        name = params["Name"]
        body = (await self._store.read(lambda tx: require_connection(tx, scope, name))).body
        members = ("Name", "Description", "AuthParameters", *_SUMMARY, *_TIMES)
        return _view(scope, name, body, *members)

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListConnections."""
        prefix, after = params.get("NamePrefix", ""), read_token(params.get("NextToken"))
        state, root = params.get("ConnectionState"), Root(SERVICE, *scope, CONNECTIONS)
        documents = await self._store.read(
            lambda tx: tx.documents.list_of(root, CONNECTION, after=after)
        )
        found = [
            each
            for each in documents
            if each.id.startswith(prefix) and state in (None, each.body["ConnectionState"])
        ]
        listed, more = page(found, [each.id for each in found], params.get("Limit"))
        views = [_view(scope, each.id, each.body, "Name", *_SUMMARY, *_TIMES) for each in listed]
        return {"Connections": views, **more}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteConnection."""
        name = params["Name"]

        def run(tx: Transaction) -> Body:
            found = require_connection(tx, scope, name)
            tx.documents.delete(found.root, CONNECTION, name)
            return found.body

        body = await self._store.transact(run)
        return _view(scope, name, {**body, "ConnectionState": "DELETING"}, *_SUMMARY[1:], *_TIMES)

    async def _change(self, scope: Scope, name: str, change: Callable[[Body], Body]) -> Body:
        def run(tx: Transaction) -> Body:
            tx.locks.root(Root(SERVICE, *scope, CONNECTIONS))
            found = require_connection(tx, scope, name)
            body = change(found.body)
            tx.documents.put(found.root, CONNECTION, name, body)
            return body

        return await self._store.transact(run)

    def _body(self, scope: Scope, params: Params, before: Body) -> Body:
        for member in ("InvocationConnectivityParameters", "KmsKeyIdentifier"):
            if params.get(member):
                raise invalid(member, "Lambent does not offer it.")
        name, kind, given = params["Name"], params["AuthorizationType"], params["AuthParameters"]
        if kind not in MEMBERS:
            raise invalid("AuthorizationType", f"It is one of {', '.join(MEMBERS)}.")
        try:
            check(kind, given)
        except ValueError as error:
            raise validation(str(error)) from error
        now = self._clock.now()
        return {
            "Description": params.get("Description", ""),
            "AuthorizationType": kind,
            "AuthParameters": shown(given),
            "sealed": self._sealing.seal(json.dumps(given).encode(), connection_arn(scope, name)),
            "ConnectionState": AUTHORIZED,
            "CreationTime": before["CreationTime"],
            "LastModifiedTime": now,
            "LastAuthorizedTime": now,
        }

    def _open(self, scope: Scope, name: str, body: Body) -> Params:
        return open_parameters(self._sealing, connection_arn(scope, name), body)


async def open_sealing(store: Store) -> Sealing:
    """What the parameters are sealed with."""
    return Sealing(await store.transact(lambda tx: tx.identities.platform_secret(_SEALING_KEY)))


def open_parameters(sealing: Sealing, arn: str, body: Body) -> Params:
    """The authorization parameters of a connection, with their secrets."""
    found = parse_plain(sealing.open(body["sealed"], arn).decode())
    assert isinstance(found, dict)
    return found


def require_connection(tx: Transaction, scope: Scope, name: str) -> Document:
    """A connection. Raises `ResourceNotFoundException`."""
    found = tx.documents.get(Root(SERVICE, *scope, CONNECTIONS), CONNECTION, name)
    if found is None:
        raise ApiError("ResourceNotFoundException", f"Connection '{name}' does not exist.")
    return found


def _view(scope: Scope, name: str, body: Body, *members: str) -> Params:
    view: dict[str, Any] = {"ConnectionArn": connection_arn(scope, name)}
    for member in members:
        value = name if member == "Name" else body.get(member)
        if member in _TIMES:
            view[member] = datetime.datetime.fromtimestamp(body[member], datetime.UTC)
        elif value:
            view[member] = value
    return view
