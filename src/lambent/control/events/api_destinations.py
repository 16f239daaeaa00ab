"""Use cases of API destinations: HTTP endpoints that rules send events to."""

import datetime
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.control.events.connections import AUTHORIZED
from lambent.control.events.naming import (
    CONNECTION,
    CONNECTIONS,
    DESTINATION,
    DESTINATIONS,
    SERVICE,
    connection_arn,
    destination_arn,
    invalid,
    too_many,
)
from lambent.control.events.paging import page, read_token
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

RATE_LIMIT = 300
"""Requests a second, where a destination names none, as in AWS."""
_DESTINATIONS_MAX = 3_000
_GIVEN = (
    *("Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod"),
    "InvocationRateLimitPerSecond",
)
_TIMES = ("CreationTime", "LastModifiedTime")


class ApiDestinations:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateApiDestination."""
        root, name, now = Root(SERVICE, *scope, DESTINATIONS), params["Name"], self._clock.now()
        body = {"InvocationRateLimitPerSecond": RATE_LIMIT, **_checked(params)}
        body |= dict.fromkeys(_TIMES, now)

        def run(tx: Transaction) -> Params:
            tx.locks.root(root)
            if tx.documents.get(root, DESTINATION, name) is not None:
                raise ApiError(
                    "ResourceAlreadyExistsException", f"An api-destination {name} already exists."
                )
            if len(tx.documents.list_of(root, DESTINATION)) >= _DESTINATIONS_MAX:
                raise too_many("API destinations", _DESTINATIONS_MAX)
            return self._put(tx, scope, name, body)

        return await self._store.transact(run)

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateApiDestination: members that are absent stay as they were."""
        given, name = _checked(params), params["Name"]
        changed = {**given, "LastModifiedTime": self._clock.now()}

        def run(tx: Transaction) -> Params:
            tx.locks.root(Root(SERVICE, *scope, DESTINATIONS))
            found = require_destination(tx, scope, name)
            return self._put(tx, scope, name, {**found.body, **changed})

        return await self._store.transact(run)

    def _put(self, tx: Transaction, scope: Scope, name: str, body: Body) -> Params:
        if _connection_of(tx, scope, body) is None:
            raise ApiError(
                "ResourceNotFoundException",
                f"Connection '{body['ConnectionArn']}' does not exist.",
            )
        tx.documents.put(Root(SERVICE, *scope, DESTINATIONS), DESTINATION, name, body)
        return _view(tx, scope, name, body, *_TIMES)

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeApiDestination."""
        name = params["Name"]

        def run(tx: Transaction) -> Params:
            found = require_destination(tx, scope, name)
            return _view(tx, scope, name, found.body, "Name", *_GIVEN, *_TIMES)

        return await self._store.read(run)

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListApiDestinations."""
        prefix, after = params.get("NamePrefix", ""), read_token(params.get("NextToken"))
        connection, root = params.get("ConnectionArn"), Root(SERVICE, *scope, DESTINATIONS)

        def run(tx: Transaction) -> Params:
            found = [
                each
                for each in tx.documents.list_of(root, DESTINATION, after=after)
                if each.id.startswith(prefix) and connection in (None, each.body["ConnectionArn"])
            ]
            listed, more = page(found, [each.id for each in found], params.get("Limit"))
            members = ("Name", *_GIVEN[1:], *_TIMES)
            views = [_view(tx, scope, each.id, each.body, *members) for each in listed]
            return {"ApiDestinations": views, **more}

        return await self._store.read(run)

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteApiDestination."""

        def run(tx: Transaction) -> None:
            found = require_destination(tx, scope, params["Name"])
            tx.documents.delete(found.root, DESTINATION, found.id)

        await self._store.transact(run)
        return {}


def require_destination(tx: Transaction, scope: Scope, name: str) -> Document:
    """An API destination. Raises `ResourceNotFoundException`."""
    found = tx.documents.get(Root(SERVICE, *scope, DESTINATIONS), DESTINATION, name)
    if found is None:
        raise ApiError("ResourceNotFoundException", f"An api-destination '{name}' does not exist.")
    return found


def _checked(params: Params) -> dict[str, Any]:
    given = {name: params[name] for name in _GIVEN if params.get(name) is not None}
    endpoint = given.get("InvocationEndpoint")
    if endpoint is not None:
        try:
            parts = urlsplit(endpoint)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
            has_user = "@" in parts.netloc or "*" in parts.netloc
        except ValueError:
            is_address = has_user = False
        if not is_address or has_user:
            raise invalid("InvocationEndpoint", "It must be the HTTPS or HTTP address of a server.")
    return given


def _connection_of(tx: Transaction, scope: Scope, body: Body) -> Document | None:
    arn = Arn.try_parse(body["ConnectionArn"])
    if arn is None or arn.scope != scope or arn.resource.count("/") < 1:
        return None
    name = arn.resource.split("/")[1]
    if connection_arn(scope, name) != body["ConnectionArn"]:
        return None
    return tx.documents.get(Root(SERVICE, *scope, CONNECTIONS), CONNECTION, name)


def _view(tx: Transaction, scope: Scope, name: str, body: Body, *members: str) -> Params:
    connection = _connection_of(tx, scope, body)
    is_active = connection is not None and connection.body["ConnectionState"] == AUTHORIZED
    view: dict[str, Any] = {
        "ApiDestinationArn": destination_arn(scope, name),
        "ApiDestinationState": "ACTIVE" if is_active else "INACTIVE",
    }
    for member in members:
        value = name if member == "Name" else body.get(member)
        if member in _TIMES:
            view[member] = datetime.datetime.fromtimestamp(body[member], datetime.UTC)
        elif value:
            view[member] = value
    return view
