"""The front door: from an HTTP exchange to an operation and back.

One handler serves every connection, the public port's and those from inside the boxes. Invoke
is answered directly (`register_direct`), without a task; every other operation runs in a task of
the gateway's group. All errors pass through here and are rendered once, by the service's model.
"""

import dataclasses
import json
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.abc

from lambent.gateway.authorization import Authorization
from lambent.gateway.call import Call, OperationHandler
from lambent.gateway.hosts import Hosts
from lambent.gateway.permissions.asked import Lookups
from lambent.gateway.protocol import parse, render
from lambent.gateway.protocol.models import OperationModel, ServiceModel, load_model
from lambent.gateway.protocol.render import Answer
from lambent.gateway.protocol.routes import Routes
from lambent.gateway.protocol.validate import validate
from lambent.gateway.settings import GatewaySettings
from lambent.gateway.unsigned import is_public, read_field, read_form, service_of
from lambent.identity.authorizer import Authorizer, Caller
from lambent.kit.computing import computed
from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import Exchange, Handler
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.kit.ids import new_request_id
from lambent.kit.tasks import shielded, start_task
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, service_failure
from lambent.model.function_url import HOST_MARK, PATH_PREFIX
from lambent.model.limits import REQUEST_BYTES_MAX, SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.principal import ANONYMOUS

logger = logging.getLogger(__name__)

SERVICES = ("lambda", "logs", "sts", "iam")
INTERNAL = "/_lambent/"
HEALTH = INTERNAL + "health"
_VERIFY_IN_THREAD_BYTES = 256 * 1024
_PARSE_IN_THREAD_BYTES = 16 * 1024
_SMALL_REQUEST_BYTES_MAX = 1 << 20
_HOST = re.compile(r"[A-Za-z0-9.\[\]:_-]{1,255}")


@dataclasses.dataclass(slots=True)
class Request:
    """A request that was routed but not parsed. Not frozen: that would cost on the warm path."""

    exchange: Exchange
    operation: OperationModel
    labels: Mapping[str, str]
    caller: Caller
    request_id: str

    @property
    def scope(self) -> Scope:
        """Account and region."""
        return self.caller.scope

    def params(self) -> dict[str, Any]:
        """The input members, parsed and validated. Raises `ApiError`."""
        protocol = self.operation.service_model.metadata["protocol"]
        if protocol == "rest-json":
            params = parse.parse_rest_json(self.operation, self.exchange, self.labels)
        elif protocol == "json":
            params = parse.parse_json(self.operation, self.exchange)
        else:
            params = parse.parse_query(self.operation, read_form(self.exchange))
        validate(self.operation, params)
        return params

    def refuse(self, error: ApiError) -> None:
        """Answer with an error."""
        service = self.operation.service_model
        answer(self.exchange, render.render_error(service, error, self.request_id), self.request_id)

    def fail(self, error: Exception) -> None:
        """The last resort: what failed was logged, and is told without details."""
        if isinstance(error, ApiError):
            self.refuse(error)
            return
        name = type(error).__name__
        logger.error("request %s (%s): %s", self.request_id, self.operation.name, name)
        is_lambda = self.operation.service_model.service_name == "lambda"
        self.refuse(service_failure("ServiceException" if is_lambda else "InternalFailure"))


DirectHandler = Callable[[Request], None]
"""Serves one operation without a task: answers the request's exchange, now or later. May raise
`ApiError` before it has answered."""


Forward = Callable[[Exchange, Caller, str, Callable[[ApiError], None]], bool]
"""Serves a request for a service, by signing name, that is not ours; whether it does. Told how to
answer with an error. May raise `ApiError`."""


class Gateway:
    """Routes requests to operations."""

    def __init__(
        self,
        settings: GatewaySettings,
        authorizer: Authorizer,
        tasks: anyio.abc.TaskGroup,
        lookups: Lookups | None,
    ) -> None:
        self._settings = settings
        self._authorizer = authorizer
        self._authorization = Authorization(authorizer, lookups)
        self._tasks = tasks
        self._services = {name: load_model(name) for name in SERVICES}
        self._routes = Routes(self._services["lambda"])
        self._operations: dict[tuple[str, str], OperationHandler] = {}
        """By service and name: several services have a TagResource."""
        self._direct: dict[str, DirectHandler] = {}
        self._internal: dict[str, Handler] = {HEALTH: _answer_health}
        self._hosts: Callable[[Exchange], bool] | None = None
        self._names = (
            None if authorizer.is_strict else Hosts((settings.url_domain, *settings.allowed_hosts))
        )
        self._held_for_boxes = Budget(settings.held_mb << 20)
        self._forward: Forward | None = None
        self._anyone = Caller(
            principal=ANONYMOUS,
            scope=settings.scope,
            service=None,
            access_key_id=None,
        )

    def register(self, operations: Mapping[str, OperationHandler], service: str = "lambda") -> None:
        """Offer operations of a service, by name."""
        for name, handler in operations.items():
            self._operations[service, name] = handler

    def register_direct(self, name: str, handler: DirectHandler) -> None:
        """Offer a Lambda operation that is answered without a task."""
        self._direct[name] = handler

    def register_internal(self, prefix: str, handler: Handler) -> None:
        """Serve the path `prefix`, which starts with `/_lambent/`; all below it if it ends so."""
        self._internal[prefix] = handler

    def register_hosts(self, handler: Callable[[Exchange], bool]) -> None:
        """Offer each request to `handler` first, which serves those for host names of its own and
        says whether it did."""
        self._hosts = handler

    def register_forward(self, handler: Forward) -> None:
        """Offer requests for services that are not ours to `handler`."""
        self._forward = handler

    @asynccontextmanager
    async def serve(
        self, listener: socket.socket, admits: Callable[[socket.socket], bool]
    ) -> AsyncIterator[None]:
        """Serve programs in a box for as long as the context lasts. Connections that `admits`
        denies are refused."""
        server = self.new_server()
        await server.start(listener, admits=admits)
        try:
            yield
        finally:
            await shielded(server.close)

    def new_server(self, *, is_front_door: bool = False) -> HttpServer:
        """A server of this gateway, to be started on a socket of the caller's: the front door, or
        one in a box, which may make the platform hold no more than two large requests at a time."""
        settings = self._settings
        limits = HttpLimits(
            body_bytes_max=_body_limit,
            connections_max=(
                settings.connections_max if is_front_door else settings.connections_per_box_max
            ),
            request_deadline_s=settings.request_deadline_s,
            idle_deadline_s=settings.idle_deadline_s,
        )
        budget = (
            Budget(settings.held_mb << 20)
            if is_front_door
            else Budget(2 * REQUEST_BYTES_MAX, within=self._held_for_boxes)
        )
        return HttpServer(
            self.handle,
            limits,
            oversized=self.handle_oversized,
            screened=self.screen,
            budget=budget,
        )

    def screen(self, exchange: Exchange) -> Handler | None:
        """Look at the head of a request with a body: who answers if the body need not be read."""
        try:
            if self._names is not None:
                self._names.check(exchange)
            if not (_is_for_url(exchange) or is_public(exchange)):
                exchange.is_vouched_for = self._authorizer.screen(exchange)
        except ApiError as error:
            refused = error
            return lambda exchange: self._turn_away(exchange, refused)
        return None

    def handle(self, exchange: Exchange) -> None:
        """Serve one request."""
        try:
            if self._names is not None:
                self._names.check(exchange)
            if exchange.path.startswith(INTERNAL):
                self._handle_internal(exchange)
                return
            if self._hosts is not None and self._hosts(exchange):
                return
            if len(exchange.body) > _VERIFY_IN_THREAD_BYTES:
                failed = partial(self._fail, exchange)
                start_task(self._tasks, failed, self._handle_large, exchange)
                return
            caller = self._caller_of(exchange)
        except ApiError as error:
            self._turn_away(exchange, error)
        else:
            self._dispatch(exchange, caller)

    async def _handle_large(self, exchange: Exchange) -> None:
        """As `handle`, with a body that takes a while to be verified."""
        try:
            caller = await computed(self._caller_of, exchange)
        except ApiError as error:
            self._turn_away(exchange, error)
        else:
            self._dispatch(exchange, caller)

    def _dispatch(self, exchange: Exchange, caller: Caller) -> None:
        """Serve a request of somebody who is known."""
        request_id = new_request_id()
        service = None
        try:
            name = self._service_of(exchange, caller)
            service = self._services.get(name)
            if service is None:
                self._handle_foreign(exchange, caller, name, request_id)
                return
            request = self._route(exchange, service, caller, request_id)
        except ApiError as error:
            service = service or self._dialect_of(exchange, caller)
            answer(exchange, render.render_error(service, error, request_id), request_id)
            return
        direct = self._direct.get(request.operation.name)
        if direct is None:
            start_task(self._tasks, request.fail, self._serve, request)
            return
        try:
            direct(request)
        except ApiError as error:
            request.refuse(error)
        except Exception as error:
            logger.exception("%s failed", request.operation.name)
            request.fail(error)

    def _turn_away(self, exchange: Exchange, error: ApiError) -> None:
        """Answer a request of somebody who is not known, or not let in."""
        request_id = new_request_id()
        rendered = render.render_error(self._dialect_of(exchange, None), error, request_id)
        answer(exchange, rendered, request_id)

    def _fail(self, exchange: Exchange, _: Exception) -> None:
        self._turn_away(exchange, service_failure("ServiceException"))

    def handle_oversized(self, exchange: Exchange) -> None:
        """Answer a request whose body is larger than its operation takes."""
        request_id = new_request_id()
        found = self._routes.find(exchange.method, exchange.path, exchange.query)
        name = found[0].name if found is not None else "Unknown"
        if name.startswith("Invoke"):
            error = ApiError(
                "RequestTooLargeException",
                f"Request must be smaller than {SYNCHRONOUS_EVENT_BYTES_MAX} bytes for the "
                "InvokeFunction operation",
                status=413,
                members={"Type": "User"},
            )
        else:
            error = ApiError(
                "RequestEntityTooLargeException",
                f"Request must be smaller than {REQUEST_BYTES_MAX} bytes for the {name} operation",
                status=413,
            )
        rendered = render.render_error(self._services["lambda"], error, request_id)
        answer(exchange, rendered, request_id)

    def _handle_internal(self, exchange: Exchange) -> None:
        for prefix, handler in self._internal.items():
            if exchange.path == prefix or (
                prefix.endswith("/") and exchange.path.startswith(prefix)
            ):
                handler(exchange)
                return
        exchange.respond(404, [("Content-Type", "text/plain")], b"There is no such page.\n")

    def _caller_of(self, exchange: Exchange) -> Caller:
        """Whom a request is from. Raises `ApiError`."""
        if "authorization" not in exchange.headers and is_public(exchange):
            return self._anyone
        return self._authorizer.authenticate(exchange)

    def _service_of(self, exchange: Exchange, caller: Caller) -> str:
        """The service a request is for: by its signature, else by its form. Raises `ApiError`."""
        if caller.service is not None:
            return caller.service
        name = service_of(exchange)
        if name is not None:
            return name or _refuse_to_guess(exchange)
        is_ours = self._routes.find(exchange.method, exchange.path, exchange.query) is not None
        # Objects are what people fetch without a signature, or with one of the kind before ours.
        return "lambda" if is_ours or self._forward is None else "s3"

    def _handle_foreign(
        self, exchange: Exchange, caller: Caller, name: str, request_id: str
    ) -> None:
        """Have a request for a service that is not ours served by whoever can."""
        dialect = self._dialect_of(exchange, caller)

        def refuse(error: ApiError) -> None:
            answer(exchange, render.render_error(dialect, error, request_id), request_id)

        if self._forward is not None and self._forward(exchange, caller, name, refuse):
            return
        if name == "s3" and caller.service is None:
            raise _unknown_operation(f"{exchange.method} {exchange.path[:200]}", status=404)
        raise ApiError(
            "UnknownServiceException",
            f"Lambent serves {', '.join(SERVICES)}; this request is for '{name}'.",
        )

    def _dialect_of(self, exchange: Exchange, caller: Caller | None) -> ServiceModel:
        """A service whose errors the client can read, for a request that is for none of ours."""
        if "x-amz-target" in exchange.headers:
            return self._services["logs"]
        content_type = exchange.headers.get("content-type", "")
        is_xml = content_type.startswith("application/x-www-form-urlencoded")
        if is_xml or (caller is not None and caller.service == "s3"):
            return self._services["sts"]
        return self._services["lambda"]

    def _route(
        self, exchange: Exchange, service: ServiceModel, caller: Caller, request_id: str
    ) -> Request:
        protocol = service.metadata["protocol"]
        labels: Mapping[str, str] = {}
        if protocol == "rest-json":
            found = self._routes.find(exchange.method, exchange.path, exchange.query)
            if found is None:
                raise _unknown_operation(f"{exchange.method} {exchange.path[:200]}", status=404)
            operation, labels = found
            return Request(exchange, operation, labels, caller, request_id)
        if protocol == "json":
            prefix, _, name = exchange.headers.get("x-amz-target", "").partition(".")
            known = prefix == service.metadata["targetPrefix"] and name in service.operation_names
        else:
            name = read_field(exchange, "Action")
            known = name in service.operation_names
        if not known:
            raise _unknown_operation(name[:200] or "none", status=400)
        return Request(exchange, service.operation_model(name), labels, caller, request_id)

    async def _serve(self, request: Request) -> None:
        """Run an operation and answer."""
        operation = request.operation
        try:
            if len(request.exchange.body) > _PARSE_IN_THREAD_BYTES:
                params = await computed(request.params)
            else:
                params = request.params()
            handler = self._operations.get((operation.service_model.service_name, operation.name))
            if handler is None:
                raise ApiError(
                    "InvalidParameterValueException",
                    f"Lambent does not offer the operation {operation.name} yet.",
                )
            service = operation.service_model.service_name
            hidden = await self._authorization.check(
                request.caller, service, operation.name, params
            )
            output = await handler(
                Call(
                    params=params,
                    scope=request.scope,
                    request_id=request.request_id,
                    caller=request.caller,
                    endpoint=self._endpoint_of(request.exchange),
                    hidden=hidden,
                )
            )
            answer(request.exchange, _render(request, output), request.request_id)
        except ApiError as error:
            request.refuse(error)

    def _endpoint_of(self, exchange: Exchange) -> str:
        host = exchange.headers.get("host", "")
        scheme = "https" if exchange.is_secure else "http"
        return f"{scheme}://{host if _HOST.fullmatch(host) else '127.0.0.1'}"


def answer(exchange: Exchange, rendered: Answer, request_id: str) -> None:
    """Send a rendered answer."""
    headers = [*rendered.headers, ("x-amzn-RequestId", request_id)]
    exchange.respond(rendered.status, headers, rendered.body)


def _render(request: Request, output: Mapping[str, Any]) -> Answer:
    protocol = request.operation.service_model.metadata["protocol"]
    if protocol == "rest-json":
        return render.render_rest_json(request.operation, output)
    if protocol == "json":
        return render.render_json(request.operation, output)
    return render.render_query(request.operation, output, request.request_id)


def _refuse_to_guess(exchange: Exchange) -> str:
    target = exchange.headers.get("x-amz-target")
    said = "Version" if target is None else f"X-Amz-Target '{target[:200]}'"
    raise ApiError(
        "UnknownServiceException",
        "The request is not signed, so its form has to say which service it is for, and its"
        f" {said} is of none that is known here. Sign it: the signature names the service.",
    )


def _unknown_operation(what: str, *, status: int) -> ApiError:
    return ApiError("UnknownOperationException", f"Unknown operation: {what}", status=status)


def _answer_health(exchange: Exchange) -> None:
    body = json.dumps({"status": "ok"}).encode()
    exchange.respond(200, [("Content-Type", "application/json")], body)


def _is_for_url(exchange: Exchange) -> bool:
    return exchange.path.startswith(PATH_PREFIX) or HOST_MARK in exchange.headers.get("host", "")


def _body_limit(exchange: Exchange) -> int:
    is_invocation = exchange.path.rstrip("/").endswith(("invocations", "invoke-async"))
    if is_invocation or _is_for_url(exchange):
        return SYNCHRONOUS_EVENT_BYTES_MAX
    if exchange.path.startswith(INTERNAL) or is_public(exchange):
        return _SMALL_REQUEST_BYTES_MAX
    return REQUEST_BYTES_MAX


@asynccontextmanager
async def open_gateway(
    settings: GatewaySettings, authorizer: Authorizer, lookups: Lookups | None = None
) -> AsyncIterator[Gateway]:
    """The gateway, not yet listening: register operations, then `open_front_door`. `lookups` are
    what a strict platform asks before it decides."""
    async with anyio.create_task_group() as tasks:
        yield Gateway(settings, authorizer, tasks, lookups)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def open_front_door(
    gateway: Gateway,
    settings: GatewaySettings,
    sock: socket.socket,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpServer]:
    """Accept clients on a bound socket. On exit, finish what is in progress first; on an exception,
    or if one comes meanwhile, end at once."""
    server = gateway.new_server(is_front_door=True)
    await server.start(sock, tls)
    try:
        yield server
        # Asked to stop: who waits for an answer gets it. Nobody would if something had failed.
        await server.close(settings.shutdown_grace_s)
    finally:
        await shielded(server.close)
