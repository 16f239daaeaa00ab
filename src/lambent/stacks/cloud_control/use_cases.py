"""Cloud Control's operations: resources of stacks' types without a stack."""

import dataclasses
import datetime
import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from lambent.identity.authorizer import Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.stacks.cloud_control.failures import at_once, not_found
from lambent.stacks.cloud_control.identifiers import canonical_of, known_of, physical_of
from lambent.stacks.cloud_control.listing import identifiers
from lambent.stacks.cloud_control.models import properties_of, shown
from lambent.stacks.cloud_control.patching import invalid_request, parse_properties, patched
from lambent.stacks.cloud_control.records import (
    CANCELLED,
    IN_PROGRESS,
    Request,
    RequestRows,
    Work,
    root_of_requests,
)
from lambent.stacks.cloud_control.runs import Runs, step_for
from lambent.stacks.engine.steps import new_name
from lambent.stacks.ports import AwsApi
from lambent.stacks.records import stored_principal
from lambent.stacks.resources.driver import Driver
from lambent.stacks.resources.expressions import Values, expand
from lambent.stacks.resources.facts import facts_of
from lambent.stacks.resources.registry import ResourceTypes
from lambent.stacks.template.values import UNKNOWN
from lambent.stacks.use_cases.pages import page
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]
"""Input or output members by API name."""
_PRINCIPAL: Final = "cloudformation.amazonaws.com"
_SESSION: Final = "AWSCloudFormation"
_UNDER_WAY_MAX: Final = 100
"""Requests of an account and region at a time."""
_PAGE: Final = 100


class _Found(NamedTuple):
    """A resource that exists."""

    identifier: str
    physical_id: str
    properties: Mapping[str, Any]
    """With those that can only be written, as far as they are known."""
    attributes: Mapping[str, Any]
    is_ours: bool
    """Whether a request has set some of the properties."""


class CloudControl:
    """The operations. Each returns its output members and raises `ApiError`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        api: AwsApi,
        types: ResourceTypes,
        roles: ServiceRoles,
        runs: Runs,
    ) -> None:
        self._store = store
        self._clock = clock
        self._api = api
        self._types = types
        self._roles = roles
        self._runs = runs

    # -- Resources ---------------------------------------------------------------------------------

    async def get(self, caller: Caller, params: Params) -> Params:
        """GetResource."""
        kind, acting = self._begin(caller, params)
        found = await self._find(kind, acting, params["Identifier"])
        described = _description(found.identifier, shown(kind.row, found.properties))
        return {"TypeName": kind.name, "ResourceDescription": described}

    async def list(self, caller: Caller, params: Params) -> Params:
        """ListResources."""
        kind, acting = self._begin(caller, params)
        model = parse_properties(params.get("ResourceModel", "{}"), "ResourceModel")
        try:
            found = await identifiers(self._api, kind.row, model, acting)
        except ApiError as error:
            raise at_once(error) from error
        chosen, more = _page(found, params)
        (name, *_) = facts_of(kind.name).primary
        return {
            "TypeName": kind.name,
            "ResourceDescriptions": [_description(id, {name: id}) for id in chosen],
            **more,
        }

    async def create(self, caller: Caller, params: Params) -> Params:
        """CreateResource."""
        kind, acting = self._begin(caller, params)
        wanted = parse_properties(params["DesiredState"], "DesiredState")
        _check(kind, wanted)
        return await self._request(caller, params, "CREATE", "", self._work(kind, acting, wanted))

    async def update(self, caller: Caller, params: Params) -> Params:
        """UpdateResource."""
        kind, acting = self._begin(caller, params)
        earlier = await self._store.transact(lambda tx: _earlier(tx, caller.scope, params))
        if earlier is not None:
            return _event(earlier)
        found = await self._find(kind, acting, params["Identifier"])
        _check_known(kind, found)
        read_only = facts_of(kind.name).read_only
        before = _without(found.properties, read_only)
        after = patched(found.properties, params["PatchDocument"])
        changed = [name for name in read_only if after.get(name) != found.properties.get(name)]
        if changed:
            raise _not_updatable("readOnlyProperties", changed)
        wanted = _without(after, read_only)
        # What can only be written is required where a resource is made.
        unread = set(facts_of(kind.name).required) - before.keys() - wanted.keys()
        _check(kind, {**wanted, **dict.fromkeys(unread, UNKNOWN)})
        replacing = sorted(kind.replaces(before, wanted))
        if replacing:
            raise _not_updatable("createOnlyProperties", replacing)
        work = self._work(kind, acting, wanted, before, found)
        return await self._request(caller, params, "UPDATE", found.identifier, work)

    async def delete(self, caller: Caller, params: Params) -> Params:
        """DeleteResource."""
        kind, acting = self._begin(caller, params)
        earlier = await self._store.transact(lambda tx: _earlier(tx, caller.scope, params))
        if earlier is not None:
            return _event(earlier)
        found = await self._find(kind, acting, params["Identifier"], is_needed=False)
        old = _without(found.properties, facts_of(kind.name).read_only)
        work = self._work(kind, acting, {}, old, found)
        return await self._request(caller, params, "DELETE", found.identifier, work)

    # -- Requests ----------------------------------------------------------------------------------

    async def status(self, caller: Caller, params: Params) -> Params:
        """GetResourceRequestStatus."""
        token = params["RequestToken"]
        found = await self._store.transact(lambda tx: _require(RequestRows(tx), caller, token))
        return _event(found)

    async def list_requests(self, caller: Caller, params: Params) -> Params:
        """ListResourceRequests."""
        chosen = params.get("ResourceRequestStatusFilter") or {}
        operations, statuses = chosen.get("Operations"), chosen.get("OperationStatuses")
        found = await self._store.transact(lambda tx: RequestRows(tx).requests(caller.scope))
        requests, more = _page(
            [
                request
                for request in found
                if (not operations or request.operation in operations)
                and (not statuses or request.status in statuses)
            ],
            params,
        )
        summaries = [_event(request)["ProgressEvent"] for request in requests]
        return {"ResourceRequestStatusSummaries": summaries, **more}

    async def cancel(self, caller: Caller, params: Params) -> Params:
        """CancelResourceRequest. What was made already stays, as in AWS."""
        token = params["RequestToken"]

        def end(tx: Transaction) -> Request:
            rows = RequestRows(tx)
            rows.lock(caller.scope)
            request = _require(rows, caller, token)
            if request.status == CANCELLED:
                return request
            if request.status != IN_PROGRESS:
                message = f"Request {token} has ended already: {request.status}."
                raise ApiError("ConcurrentModificationException", message)
            request = request._replace(status=CANCELLED, time=self._clock.now())
            rows.end(root_of_requests(caller.scope), request)
            return request

        request = await self._store.transact(end)
        self._runs.cancel(token)
        return _event(request)

    # -- Parts -------------------------------------------------------------------------------------

    def _begin(self, caller: Caller, params: Params) -> tuple[Driver, Caller]:
        """The type, and whose rights decide."""
        name = params["TypeName"]
        if params.get("TypeVersionId"):
            raise invalid_request("TypeVersionId is not offered: each type has one version.")
        kind = self._types.find_type(name)
        if kind is None:
            message = f"The type '{name}' cannot be found."
            raise ApiError("TypeNotFoundException", message)
        if kind.row.is_stored:
            message = f"Resource type {name} exists in stacks alone and supports no action."
            raise ApiError("UnsupportedActionException", message)
        role = params.get("RoleArn")
        if role:
            return kind, self._roles.assume(role, _PRINCIPAL, caller.scope, _SESSION)
        return kind, caller

    async def _find(
        self, kind: Driver, acting: Caller, identifier: str, *, is_needed: bool = True
    ) -> _Found:
        """A resource as it is now. `is_needed`: whether its type must be one that can be read."""
        row = kind.row
        step = step_for(
            self._work(kind, acting),
            root_of_requests(acting.scope),
            _unasked(kind),
            is_repeated=True,
        )
        step = dataclasses.replace(step, caller=acting)
        known = known_of(row, identifier, step)
        physical_id = physical_of(row, known, step)
        identifier = canonical_of(row, known)
        given = await self._store.transact(
            lambda tx: RequestRows(tx).given(acting.scope, kind.name, identifier)
        )
        if row.read is None and row.find is None and not is_needed:
            return _Found(identifier, physical_id, {**given, **known}, known, bool(given))
        try:
            response = await kind.show(step, physical_id, known)
        except ApiError as error:
            raise at_once(error) from error
        if response is None:
            raise not_found(kind.name, identifier)
        values = Values(step=step, properties=known, physical_id=physical_id, response=response)
        properties = {**given, **properties_of(row, values)}
        attributes = {**known, **expand(row.attributes, values)}
        return _Found(identifier, physical_id, properties, attributes, bool(given))

    def _work(
        self,
        kind: Driver,
        acting: Caller,
        wanted: Mapping[str, Any] | None = None,
        old: Mapping[str, Any] | None = None,
        found: _Found | None = None,
    ) -> Work:
        return Work(
            owner=self._store.starts,
            caller=stored_principal(acting.principal),
            name=new_name("CloudControl", kind.name.rpartition("::")[2]),
            step_token=str(uuid.uuid4()),
            wanted=wanted or {},
            old=old or {},
            physical_id=found.physical_id if found is not None else "",
            attributes=_storable(found.attributes) if found is not None else {},
        )

    async def _request(
        self, caller: Caller, params: Params, operation: str, identifier: str, work: Work
    ) -> Params:
        """Begin a request, or return the one that the client has begun before."""
        scope, now = caller.scope, self._clock.now()
        request = Request(
            token=_new_token(now),
            operation=operation,
            type=params["TypeName"],
            status=IN_PROGRESS,
            time=now,
            identifier=identifier,
            client_token=params.get("ClientToken", ""),
            digest=_digest(params),
        )

        def begin(tx: Transaction) -> Request:
            rows = RequestRows(tx)
            rows.lock(scope)
            earlier = _earlier(tx, scope, params)
            if earlier is not None:
                return earlier
            others = rows.under_way(scope)
            if len(others) >= _UNDER_WAY_MAX:
                message = f"At most {_UNDER_WAY_MAX} requests can be under way."
                raise ApiError("ThrottlingException", message)
            if request.identifier and any(
                (other.type, other.identifier) == (request.type, request.identifier)
                for other in others
            ):
                message = f"Another request on {request.identifier} is under way."
                raise ApiError("ConcurrentOperationException", message)
            rows.begin(scope, request, work)
            return request

        begun = await self._store.transact(begin)
        if begun is request:
            self._runs.start(root_of_requests(scope), request.token)
        return _event(begun)


def _earlier(tx: Transaction, scope: Scope, params: Params) -> Request | None:
    """The request with the same client token. Raises `ClientTokenConflictException`."""
    token = params.get("ClientToken", "")
    earlier = RequestRows(tx).with_client_token(scope, token) if token else None
    if earlier is not None and earlier.digest != _digest(params):
        message = f"ClientToken {token} was used for another request."
        raise ApiError("ClientTokenConflictException", message)
    return earlier


def _require(rows: RequestRows, caller: Caller, token: str) -> Request:
    request = rows.request(caller.scope, token)
    if request is None:
        message = f"Request with token {token} was not found."
        raise ApiError("RequestTokenNotFoundException", message)
    return request


def _check(kind: Driver, properties: Mapping[str, Any]) -> None:
    try:
        kind.check(properties)
    except ApiError as error:
        raise invalid_request(f"Model validation failed: {error.message}") from error


def _check_known(kind: Driver, found: _Found) -> None:
    """Raise `UnsupportedActionException` if an update would lose what cannot be read: it would
    make the resource again, or give it another name."""
    named = kind.row.named
    has_name = named is None or named.property in found.properties
    if not has_name or (kind.row.is_remade and not found.is_ours):
        message = (
            f"Not everything of {found.identifier} can be read, so it cannot be updated. Update it"
            " by the API of its service."
        )
        raise ApiError("UnsupportedActionException", message)


def _not_updatable(which: str, names: list[str]) -> ApiError:
    paths = ", ".join(f"/properties/{name}" for name in names)
    message = f"Invalid patch update: {which} [{paths}] cannot be updated"
    return ApiError("NotUpdatableException", message)


def _page(items: Any, params: Params) -> tuple[Any, Mapping[str, str]]:
    try:
        return page(items, params, size=params.get("MaxResults", _PAGE))
    except ApiError as error:
        raise invalid_request(error.message) from error


def _event(request: Request) -> dict[str, Any]:
    event = {
        "TypeName": request.type,
        "Identifier": request.identifier,
        "RequestToken": request.token,
        "Operation": request.operation,
        "OperationStatus": request.status,
        "StatusMessage": request.message,
        "ErrorCode": request.code,
    }
    found = {name: value for name, value in event.items() if value}
    at = datetime.datetime.fromtimestamp(request.time, datetime.UTC)
    return {"ProgressEvent": {**found, "EventTime": at}}


def _description(identifier: str, properties: Mapping[str, Any]) -> Params:
    return {"Identifier": identifier, "Properties": orjson.dumps(properties).decode()}


def _storable(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Attributes that are texts and numbers: those that operations refer to."""
    return {k: v for k, v in attributes.items() if isinstance(v, (str, int, float))}


def _without(properties: Mapping[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in paths}


def _unasked(kind: Driver) -> Request:
    return Request("", "", kind.name, "", 0.0)


def _digest(params: Params) -> str:
    return hashlib.sha256(orjson.dumps(params, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _new_token(now: float) -> str:
    """Unique, and in the order of time."""
    return f"{int(now * 1000):013d}-{uuid.uuid4()}"
