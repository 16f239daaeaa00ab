"""Events and calls from the services of the emulator: S3, SNS, Step Functions and others.

They come over the emulator's own connections on loopback, with its token. As in AWS the service is
the caller: the function's policy has to allow it. Pipes, state machines and delivery streams act
with their role, which has to trust the service. A relaxed platform checks the policy only if the
event comes from a resource of another account. Events for event buses are taken for buses of the
account and Region that the emulator names.
"""

import hmac
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, assert_never

import anyio
import anyio.abc

from lambent.asynchronous.queue import AsyncQueue
from lambent.control.events.naming import find_bus
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import Exchange
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.kit.ids import new_request_id
from lambent.kit.strict_json import parse_plain
from lambent.kit.tasks import shielded, start_task
from lambent.model.arn import AccountId, Arn, Region, Scope
from lambent.model.errors import ApiError, service_failure
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    InvocationKind,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.model.limits import ASYNCHRONOUS_EVENT_BYTES_MAX, SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.principal import service as service_principal
from lambent.model.traces import trace_id_of
from lambent.triggers.events.buses import EventBuses

_FUNCTION_FAILED = 299
"""Status of the response to a call whose function failed."""
_EVENTS_PATH = "/events"
_UNKNOWN = "unknown.amazonaws.com"
_ENTRIES_MAX = 10
_SCOPE = re.compile(r"[0-9]{12} [a-z0-9-]{1,32}", re.ASCII)
_TEXTS = ("Source", "DetailType", "Detail", "EventBusName")
_JSON = [("Content-Type", "application/json")]
_CONNECTIONS_MAX = 512
_LIMITS = HttpLimits(
    body_bytes_max=SYNCHRONOUS_EVENT_BYTES_MAX,
    connections_max=_CONNECTIONS_MAX,
    request_deadline_s=30.0,
    idle_deadline_s=960.0,
)

_HELD_BYTES_MAX = 64 * SYNCHRONOUS_EVENT_BYTES_MAX


class LocalServiceCalls:
    """Takes these calls."""

    def __init__(
        self,
        invoker: Invoker,
        queue: AsyncQueue,
        buses: EventBuses,
        authorizer: Authorizer,
        roles: ServiceRoles,
        tasks: anyio.abc.TaskGroup,
        token: str,
    ) -> None:
        self._invoker = invoker
        self._queue = queue
        self._buses = buses
        self._authorizer = authorizer
        self._roles = roles
        self._tasks = tasks
        self._credentials = f"Bearer {token}".encode()

    def handle(self, exchange: Exchange) -> None:
        """Take one request of the emulator."""
        given = exchange.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, self._credentials):
            exchange.respond(403)
            return
        start_task(self._tasks, partial(_fail, exchange), self._take, exchange)

    async def _take(self, exchange: Exchange) -> None:
        headers = exchange.headers
        arn = headers.get("x-function", "")
        try:
            if exchange.path == _EVENTS_PATH:
                await self._put_events(exchange)
                return
            reference = _parse(arn)
            await self._check(exchange, reference)
            if headers.get("x-invocation-type") == "Event":
                await self._keep(exchange, reference)
            else:
                await self._call(exchange, reference)
        except ApiError as error:
            _refuse(exchange, error)

    async def _check(self, exchange: Exchange, reference: FunctionReference) -> None:
        """Raise `AccessDeniedException` unless the service may invoke the function."""
        headers = exchange.headers
        account, owner = headers.get("x-source-account", ""), reference.key.account
        if not self._authorizer.is_strict and account in ("", owner):
            return
        service, role = headers.get("x-source") or _UNKNOWN, headers.get("x-source-role")
        context = (
            ("aws:sourcearn", (headers.get("x-source-arn", ""),)),
            ("aws:sourceaccount", (account,)),
        )
        access = Access("lambda:InvokeFunction", reference.arn, owner, context)
        scope = Scope(AccountId(account), reference.key.region)
        if role:
            caller = self._roles.assume(
                *(role, service, scope, new_request_id()),
                source_arn=headers.get("x-source-arn", ""),
            )
        else:
            principal = service_principal(service)
            caller = Caller(principal=principal, scope=scope, service=None, access_key_id=None)
        await self._authorizer.check(caller, access)

    async def _keep(self, exchange: Exchange, reference: FunctionReference) -> None:
        await self._invoker.resolve(reference.key, reference.qualifier)
        if len(exchange.body) > ASYNCHRONOUS_EVENT_BYTES_MAX:
            raise ApiError("RequestTooLargeException", "The event is too large.", status=413)
        trace_id = trace_id_of(exchange.headers.get("x-amzn-trace-id"))
        await self._queue.keep(reference, exchange.body, trace_id)
        exchange.respond(202)

    async def _put_events(self, exchange: Exchange) -> None:
        try:
            request = EventsOfServices.from_document(parse_plain(exchange.body.decode()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ApiError("ValidationException", "The request has another form.") from error
        answer = await self._buses.put_events(
            request.scope, {"Entries": request.entries}, is_from_service=request.is_from_service
        )
        exchange.respond(200, _JSON, json.dumps(answer).encode())

    async def _call(self, exchange: Exchange, reference: FunctionReference) -> None:
        result = await self._invoker.call(
            Call(
                request_id=new_request_id(),
                kind=InvocationKind.SERVICE,
                key=reference.key,
                qualifier=reference.qualifier,
                event=exchange.body,
                trace_header=exchange.headers.get("x-amzn-trace-id"),
            )
        )
        match result.outcome:
            case Refused(error):
                _refuse(exchange, error)
            case Succeeded(payload):
                exchange.respond(200, _JSON, payload)
            case FunctionFailed(payload) | TimedOut(payload) | Crashed(payload):
                exchange.respond(_FUNCTION_FAILED, _JSON, payload)
            case _:
                assert_never(result.outcome)


class EventsOfServices(NamedTuple):
    """PutEvents of the emulator."""

    scope: Scope
    entries: Sequence[Mapping[str, Any]]
    is_from_service: bool

    @staticmethod
    def from_document(document: Any) -> "EventsOfServices":
        """Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` if it is none. Times are
        dropped: an event happens when it arrives."""
        scope = Scope(AccountId(document["account"]), Region(document["region"]))
        entries = document["Entries"]
        if _SCOPE.fullmatch(f"{scope.account} {scope.region}") is None:
            raise ValueError("no account and Region")
        if not 0 < len(entries) <= _ENTRIES_MAX:
            raise ValueError("too many entries, or none")
        return EventsOfServices(
            scope, [_entry(given, scope) for given in entries], document["IsFromService"] is True
        )


def _entry(given: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
    entry = {name: given[name] for name in _TEXTS if given.get(name) is not None}
    resources = list(given.get("Resources") or ())
    if not all(isinstance(text, str) for text in (*entry.values(), *resources)):
        raise ValueError("a member is no text")
    if find_bus(scope, entry.get("EventBusName")).scope != scope:
        raise ValueError("the bus belongs to another account or Region")
    return {**entry, "Resources": resources}


def _parse(arn: str) -> FunctionReference:
    parsed = Arn.try_parse(arn)
    if parsed is None or ":" not in parsed.resource:
        raise ApiError("ValidationException", f"'{arn[:200]}' is not the ARN of a function.")
    return parse_function_name(arn, parsed.scope)


def _fail(exchange: Exchange, _: Exception) -> None:
    _refuse(exchange, service_failure())


def _refuse(exchange: Exchange, error: ApiError) -> None:
    body = json.dumps({"code": error.code, "message": error.message}).encode()
    exchange.respond(error.status, [("Content-Type", "application/json")], body)


@asynccontextmanager
async def open_deliveries(deliveries: LocalServiceCalls) -> AsyncIterator[tuple[str, int]]:
    """Take deliveries on loopback; returns the address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    address: tuple[str, int] = listener.getsockname()
    server = HttpServer(deliveries.handle, _LIMITS, budget=Budget(_HELD_BYTES_MAX))
    await server.start(listener)
    try:
        yield address
    finally:
        await shielded(server.close)
