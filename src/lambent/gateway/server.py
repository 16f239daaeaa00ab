"""Serves HTTP exchanges: finds the operation, has it performed, responds.

One handler serves every connection, the public port's and those from inside the boxes. Invoke
responds directly (`register_direct`), without a task; every other operation runs in a task of the
gateway's group. All errors pass through here and are rendered once, in the protocol of the service.
"""

import dataclasses
import json
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.abc

from lambent.gateway.authorization import Authorization
from lambent.gateway.browsers import is_from_browser, preflight, sandboxed
from lambent.gateway.call import OperationHandler
from lambent.gateway.debug_page import PATH as DEBUG_PATH
from lambent.gateway.definitions import AnyService
from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.fronts import INTERNAL, Front, Fronts
from lambent.gateway.hosts import Hosts
from lambent.gateway.models import OperationModel
from lambent.gateway.permissions.asked import Lookups
from lambent.gateway.protocols.rest_json import REST_JSON
from lambent.gateway.recognition import is_public
from lambent.gateway.registry import SERVICES
from lambent.gateway.request import DirectHandler, Request, WriteResponse, send
from lambent.gateway.routing import (
    USUAL_LIMIT,
    Dialect,
    Services,
    refuse_to_guess,
    unserved,
)
from lambent.gateway.screening import Screening
from lambent.gateway.settings import GatewaySettings
from lambent.identity.authorizer import Authorizer, Caller
from lambent.kit.computing import computed
from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import Exchange, Handler
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.kit.ids import new_request_id
from lambent.kit.tasks import shielded, start_task
from lambent.model.errors import ApiError, service_failure
from lambent.model.limits import REQUEST_BYTES_MAX
from lambent.model.principal import ANONYMOUS

logger = logging.getLogger(__name__)

HEALTH = INTERNAL + "health"
CONSOLE = INTERNAL + "console"
_VERIFY_IN_THREAD_BYTES = 256 * 1024
_PARSE_IN_THREAD_BYTES = 16 * 1024
_HTTPS_PORT, _HANDSHAKES_PER_BOX_MAX = 443, 32
_HOST = re.compile(r"[A-Za-z0-9.\[\]:_-]{1,255}")


Fail = Callable[[ApiError], None]
Forward = Callable[[Exchange, Caller, str, Fail], bool]
"""Serves a request for another service, given by its signing name. Returns False if it does not
serve it. The last argument responds with an error. May raise `ApiError`."""


class Gateway:
    """Routes requests to operations."""

    def __init__(
        self,
        settings: GatewaySettings,
        authorizer: Authorizer,
        tasks: anyio.abc.TaskGroup,
        lookups: Lookups | None,
        services: Sequence[AnyService],
    ) -> None:
        self.fronts = Fronts()
        """Add ways in that are not the AWS API here."""
        self.fronts.add_path(HEALTH, Front(handle=self._show_health))
        self.dispatcher = Dispatcher(Authorization(authorizer, lookups))
        """Performs operations without an HTTP exchange."""
        self._settings = settings
        self._authorizer = authorizer
        self.tasks = tasks
        """For what serves requests; it ends with the gateway."""
        self._services = Services(services)
        self._direct: dict[OperationModel, DirectHandler] = {}
        self._writers: dict[OperationModel, WriteResponse] = {}
        self._names = (
            None if authorizer.is_strict else Hosts((settings.url_domain, *settings.allowed_hosts))
        )
        self._screening = Screening(self.fronts, self._services, authorizer, self._names)
        self._held_for_boxes = Budget(settings.held_mb << 20)
        self._forward: Forward | None = None
        self._is_draining: Callable[[], bool] = lambda: False
        self._tls_of_boxes: ssl.SSLContext | None = None
        self._guarded: Front | None = None
        self._is_guarded: Callable[[Exchange], bool] = lambda _: False
        self.is_closing = False
        """Whether the front door closes: responses without an end should end, and load balancers
        send requests elsewhere."""
        self._anyone = Caller(
            principal=ANONYMOUS,
            scope=settings.scope,
            service=None,
            access_key_id=None,
        )

    # -- what it serves ------------------------------------------------------------------------

    @property
    def signing_names(self) -> Sequence[str]:
        """The services that are the platform's own."""
        return self._services.signing_names

    def register(self, service: AnyService, handlers: Mapping[str, OperationHandler]) -> None:
        """Offer operations of a service, by name: `gateway.register(LOGS, LOGS.bind(store))`."""
        self.dispatcher.register(service, handlers)

    def register_direct(self, service: AnyService, name: str, handler: DirectHandler) -> None:
        """Offer an operation that responds without a task."""
        self._direct[service.model.operation_model(name)] = handler

    def register_writer(self, service: AnyService, name: str, write: WriteResponse) -> None:
        """Have `write` write the responses of an operation, for those that are not documents."""
        self._writers[service.model.operation_model(name)] = write

    def register_forward(self, handler: Forward) -> None:
        """Pass requests for other services to `handler`."""
        self._forward = handler

    def observe_draining(self, is_draining: Callable[[], bool]) -> None:
        """Have load balancers learn that they are to use other nodes."""
        self._is_draining = is_draining

    def serve_known(self, exchange: Exchange, caller: Caller, fail: Fail | None = None) -> None:
        """Serve a request of the platform itself, as a caller, for the service that the caller
        names, whether it is served here or elsewhere. `fail` gets the error if the service cannot
        be reached; without it that is a response, as refusals of the service are."""
        self._route(exchange, caller, fail)

    def guard_origins(self, front: Front, is_guarded: Callable[[Exchange], bool]) -> None:
        """Let only the pages of `front` have the origins for which `is_guarded` returns true. A
        browser shows every other page that comes from there in an origin of its own."""
        self._guarded, self._is_guarded = front, is_guarded

    def use_tls_in_boxes(self, tls: ssl.SSLContext) -> None:
        """Serve TLS in boxes: it is refused before."""
        self._tls_of_boxes = tls

    @asynccontextmanager
    async def serve(
        self, listener: socket.socket, admits: Callable[[socket.socket], bool]
    ) -> AsyncIterator[Callable[[socket.socket, int], None]]:
        """Serve programs in a box for as long as the context lasts. Connections that `admits`
        denies are refused. Yields what takes over a connection to a port of HTTP or HTTPS."""
        server = self.new_server()
        await server.start(listener, admits=admits)

        def take_over(connection: socket.socket, port: int) -> None:
            tls = self._tls_of_boxes if port == _HTTPS_PORT else None
            if port == _HTTPS_PORT and tls is None:
                connection.close()
            else:
                server.take_over(connection, self.tasks, tls)

        try:
            yield take_over
        finally:
            await shielded(server.close)

    def new_server(self, *, is_front_door: bool = False) -> HttpServer:
        """A server of this gateway, not yet started: the front door, or one in a box. One in a box
        may hold no more than two large requests in memory at a time."""
        settings = self._settings
        limits = HttpLimits(
            body_bytes_max=self._screening.body_limit,
            handshakes_max=settings.connections_max if is_front_door else _HANDSHAKES_PER_BOX_MAX,
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
            self.handle if is_front_door else self._handle_in_box,
            limits,
            oversized=self.handle_oversized,
            screened=self.screen,
            budget=budget,
        )

    # -- before the body has come --------------------------------------------------------------

    def screen(self, exchange: Exchange) -> Handler | None:
        """Check the head of a request with a body. Returns a handler that responds if the body need
        not be read."""
        try:
            self._screening.check(exchange)
        except ApiError as error:
            refused = error
            return lambda exchange: self._turn_away(exchange, refused)
        return None

    def handle_oversized(self, exchange: Exchange) -> None:
        """Respond to a request whose body is larger than its operation takes."""
        front = self.fronts.find(exchange)
        if front is not None and front.oversized is not None:
            front.oversized(exchange)
            return
        route = self._services.find_by_path(exchange)
        if route is None:
            self._turn_away(exchange, USUAL_LIMIT.error("Unknown"))
            return
        dialect, (operation, _) = route
        error = dialect.limit_of(operation.name).error(operation.name)
        self._refuse(exchange, dialect, error, new_request_id())

    # -- requests ------------------------------------------------------------------------------

    def handle(self, exchange: Exchange) -> None:
        """Serve one request."""
        try:
            front = self.fronts.find(exchange)
            if self._names is not None and (front is None or not front.has_own_names):
                self._names.check(exchange)
            is_guarded = self._guarded is not None and front is not self._guarded
            if is_guarded and is_from_browser(exchange) and self._is_guarded(exchange):
                exchange = sandboxed(exchange)
            if front is not None:
                front.handle(exchange)
                return
            if exchange.method == "OPTIONS" and (allowed := preflight(exchange)) is not None:
                exchange.respond(204, allowed, b"")
                return
            if len(exchange.body) > _VERIFY_IN_THREAD_BYTES:
                failed = partial(self._fail, exchange)
                start_task(self.tasks, failed, self._handle_large, exchange)
                return
            caller = self._caller_of(exchange)
        except ApiError as error:
            self._turn_away(exchange, error)
        else:
            self._route(exchange, caller)

    def _handle_in_box(self, exchange: Exchange) -> None:
        """Serve one request of a program in a box. It must not open ports of the host."""
        if exchange.path.startswith((DEBUG_PATH, CONSOLE)):
            message = "Functions cannot debug functions, nor use the console."
            self._turn_away(exchange, ApiError("AccessDeniedException", message, status=403))
            return
        self.handle(exchange)

    async def _handle_large(self, exchange: Exchange) -> None:
        """As `handle`, with a body that takes a while to be verified."""
        try:
            caller = await computed(self._caller_of, exchange)
        except ApiError as error:
            self._turn_away(exchange, error)
        else:
            self._route(exchange, caller)

    def _caller_of(self, exchange: Exchange) -> Caller:
        """Whom a request is from. Raises `ApiError`."""
        if "authorization" not in exchange.headers and is_public(exchange):
            return dataclasses.replace(self._anyone, exchange=exchange)
        return self._authorizer.authenticate(exchange)

    def _route(self, exchange: Exchange, caller: Caller, fail: Fail | None = None) -> None:
        """Serve a request whose caller is known. See `serve_known`."""
        request_id = new_request_id()
        name = caller.service
        try:
            if name is None:
                name = self._recognise(exchange)
            route = self._services.route(name, exchange)
            if route is None:
                self._forward_request(exchange, caller, name, request_id, fail)
                return
        except ApiError as error:
            self._refuse(exchange, self._services.dialect_of(exchange, name), error, request_id)
            return
        dialect, (operation, labels) = route
        request = Request(exchange, dialect, operation, labels, caller, request_id)
        direct = self._direct.get(operation)
        if direct is None:
            start_task(self.tasks, request.fail, self._serve, request)
            return
        try:
            direct(request)
        except ApiError as error:
            request.refuse(error)
        except Exception as error:
            logger.exception("%s failed", operation.name)
            request.fail(error)

    def _recognise(self, exchange: Exchange) -> str:
        """The signing name of the service that an unsigned request is for. Raises `ApiError`."""
        name = self._services.recognition.service_of(exchange)
        if name == "":
            raise refuse_to_guess(exchange)
        if name is not None:
            return name
        route = self._services.find_by_path(exchange)
        if route is not None:
            return route[0].service.signing_name
        # People fetch objects without a signature, or with one of an older version.
        is_forwarded = self._forward is not None and "s3" not in self.signing_names
        return "s3" if is_forwarded else self._services.default.signing_name

    def _forward_request(
        self, exchange: Exchange, caller: Caller, name: str, request_id: str, fail: Fail | None
    ) -> None:
        """Forward a request for another service, or refuse it if nothing serves that."""
        dialect = self._services.dialect_of(exchange, caller.service)

        def refuse(error: ApiError) -> None:
            if fail is not None and error.status >= 500:
                fail(error)
            else:
                self._refuse(exchange, dialect, error, request_id)

        try:
            if self._forward is not None and self._forward(exchange, caller, name, refuse):
                return
            if name == "s3" and caller.service is None:
                raise REST_JSON.unknown_operation(exchange)
            raise unserved(name, self._services)
        except ApiError as error:
            (fail or refuse)(error)

    async def _serve(self, request: Request) -> None:
        """Perform an operation and respond."""
        try:
            if len(request.exchange.body) > _PARSE_IN_THREAD_BYTES:
                params = await computed(request.params)
            else:
                params = request.params()
            output = await self.dispatcher.perform(
                request.dialect.service,
                request.operation.name,
                params,
                request.caller,
                request_id=request.request_id,
                endpoint=_endpoint_of(request.exchange),
            )
            write = self._writers.get(request.operation)
            if write is None:
                request.respond(output)
            else:
                await write(request, output)
        except ApiError as error:
            request.refuse(error)

    # -- errors --------------------------------------------------------------------------------

    def _turn_away(self, exchange: Exchange, error: ApiError) -> None:
        """Respond to a request whose caller is not known, or not let in."""
        self._refuse(exchange, self._services.dialect_of(exchange, None), error, new_request_id())

    def _fail(self, exchange: Exchange, _: Exception) -> None:
        self._turn_away(exchange, service_failure("ServiceException"))

    def _refuse(
        self, exchange: Exchange, dialect: Dialect, error: ApiError, request_id: str
    ) -> None:
        send(exchange, dialect.render_error(error, request_id), request_id)

    def _show_health(self, exchange: Exchange) -> None:
        status, word = (503, "draining") if self.is_closing or self._is_draining() else (200, "ok")
        body = json.dumps({"status": word}).encode()
        exchange.respond(status, [("Content-Type", "application/json")], body)


def _endpoint_of(exchange: Exchange) -> str:
    host = exchange.headers.get("host", "")
    scheme = "https" if exchange.is_secure else "http"
    return f"{scheme}://{host if _HOST.fullmatch(host) else '127.0.0.1'}"


@asynccontextmanager
async def open_gateway(
    settings: GatewaySettings,
    authorizer: Authorizer,
    lookups: Lookups | None = None,
    services: Sequence[AnyService] = SERVICES,
) -> AsyncIterator[Gateway]:
    """The gateway, not yet listening: register operations, then `open_front_door`. A strict
    platform reads `lookups` before it decides. `services` are those that are the platform's own;
    requests for others are forwarded or refused."""
    async with anyio.create_task_group() as tasks:
        yield Gateway(settings, authorizer, tasks, lookups, services)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def open_front_door(
    gateway: Gateway,
    settings: GatewaySettings,
    *listeners: socket.socket,
    tls: Sequence[tuple[socket.socket, ssl.SSLContext]] = (),
) -> AsyncIterator[HttpServer]:
    """Accept clients on bound sockets, with TLS on those of `tls`. On exit, finish the requests in
    progress; on an exception, end at once."""
    server = gateway.new_server(is_front_door=True)
    for listener in listeners:
        await server.start(listener)
    for listener, context in tls:
        server.start_tls(listener, context, gateway.tasks)
    try:
        yield server
        gateway.is_closing = True
        # A normal stop: clients that wait get their responses. After a failure they would not.
        await server.close(settings.shutdown_grace_s)
    finally:
        await shielded(server.close)
