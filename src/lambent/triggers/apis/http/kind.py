"""HTTP APIs: the kind, and a stage of one of them as it runs.

A request passes, in this order: CORS, the route, throttles, the route's authorizer, its
integration.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.api_paths import HEADERS_BYTES_MAX
from lambent.triggers.apis.api import Api, Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.front import respond_message
from lambent.triggers.apis.http.authorization import Authorization, authorizers_of
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.integration import Integration, NoIntegration
from lambent.triggers.apis.http.integrations import make_integration
from lambent.triggers.apis.http.routes import RouteTable
from lambent.triggers.apis.http.variables import context_value
from lambent.triggers.apis.kinds import stage_of_path
from lambent.triggers.apis.request import ApiRequest
from lambent.triggers.apis.throttling import TokenBucket
from lambent.triggers.cors import is_preflight, preflight_headers

logger = logging.getLogger(__name__)

_MESSAGES = {403: "Forbidden", 404: "Not Found", 413: "Request Entity Too Large"}


class HttpApis:
    """All HTTP APIs. See `ApiKind`."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    def choose_stage(self, api: Api, path: str) -> tuple[str, str] | None:
        """See `ApiKind`."""
        return stage_of_path(api, path)

    def compile(self, stage: Stage) -> "HttpStage":
        """See `ApiKind`."""
        authorizers = authorizers_of(self._context, stage)
        integrations = {
            id: make_integration(self._context, stage, body)
            for id, body in stage.of("integration").items()
        }
        throttles = _throttles(self._context, stage)
        routes = [
            (
                body["RouteKey"],
                Route(
                    body["RouteKey"],
                    throttles(body["RouteKey"]),
                    authorizers.of_route(body),
                    integrations.get(_integration_id(body)) or NoIntegration("There is none."),
                ),
            )
            for body in stage.of("route").values()
        ]
        return HttpStage(self._context, stage, RouteTable(routes))

    def refuse(self, exchange: Exchange, status: int) -> None:
        """See `ApiKind`."""
        # As in AWS, an API without its default endpoint is not there.
        status = 404 if status == 403 else status
        respond_message(exchange, status, _MESSAGES.get(status, "Internal Server Error"))


class Route(NamedTuple):
    """A route as it runs."""

    key: str
    bucket: TokenBucket | None
    authorization: Authorization | None
    integration: Integration


class HttpStage:
    """See `ServedStage`."""

    def __init__(self, context: ApiContext, stage: Stage, routes: RouteTable[Route]) -> None:
        self._context = context
        self._routes = routes
        self._cors = stage.api.get("CorsConfiguration") or None
        self._account = context.throttles.account(stage.root.scope)
        settings = stage.body.get("AccessLogSettings")
        self._log = context.access_logs.open(stage.root, stage.name, settings)

    def handle(self, request: ApiRequest) -> None:
        """See `ServedStage`."""
        exchange = request.exchange
        call = HttpCall(request, self._cors, None if self._log is None else self._write_log)
        try:
            if _is_too_long(exchange):
                call.refuse(431, "Request Header Fields Too Large")
            elif self._cors is not None and is_preflight(exchange.method, exchange.headers):
                call.respond_as_is(204, preflight_headers(self._cors, exchange.headers))
            else:
                self._route(call)
        except Exception:
            logger.exception("a request to the API %s failed", request.stage.root.id)
            call.fail()

    def _route(self, call: HttpCall) -> None:
        match = self._routes.find(call.request.exchange.method, call.path)
        if match is None:
            call.refuse(404, "Not Found")
            return
        route, call.parameters = match
        call.route_key = route.key
        if not (route.bucket is None or route.bucket.take()) or not self._account.take():
            call.refuse(429, "Too Many Requests")
        elif route.authorization is None:
            route.integration.handle(call)
        else:
            self._authorize(call, route, route.authorization)

    def _authorize(self, call: HttpCall, route: Route, authorization: Authorization) -> None:
        call.decision = authorization.decide_nowait(call)
        if call.decision is None:
            start_task(
                self._context.tasks, call.fail, self._authorize_slowly, call, route, authorization
            )
        else:
            _pass_on(call, route)

    async def _authorize_slowly(
        self, call: HttpCall, route: Route, authorization: Authorization
    ) -> None:
        call.decision = await authorization.decide(call)
        _pass_on(call, route)

    def _write_log(self, call: HttpCall) -> None:
        def resolve(name: str) -> object:
            if name == "responseLatency":
                return max(0, round((self._context.clock.now() - call.request.received) * 1000))
            return context_value(call, name)

        if self._log is not None:
            self._log.write(resolve)


def _pass_on(call: HttpCall, route: Route) -> None:
    """Do as the authorizer says."""
    decision = call.decision
    assert decision is not None, "the authorizer has decided"
    if decision.is_allowed:
        route.integration.handle(call)
        return
    challenge = decision.challenge
    headers = [("www-authenticate", challenge)] if challenge is not None else []
    messages = {401: "Unauthorized", 403: "Forbidden"}
    call.refuse(decision.status, messages.get(decision.status, "Internal Server Error"), headers)


def _integration_id(route: Mapping[str, Any]) -> str:
    return (route.get("Target") or "").removeprefix("integrations/")


def _is_too_long(exchange: Exchange) -> bool:
    """Whether the request line and the headers have more bytes than AWS takes."""
    headers = exchange.headers
    size = len(exchange.path) + len(exchange.query)
    size += sum(map(len, headers)) + sum(map(len, headers.values()))
    return size > HEADERS_BYTES_MAX


def _throttles(context: ApiContext, stage: Stage) -> Callable[[str], TokenBucket | None]:
    """Makes the bucket of a route, given its key; None for one without a limit of its own."""
    default = stage.body.get("DefaultRouteSettings") or {}
    of_routes = stage.body.get("RouteSettings") or {}

    def make(key: str) -> TokenBucket | None:
        settings = {**default, **(of_routes.get(key) or {})}
        return context.throttles.limit(
            f"{stage.root.id}/{stage.name}/{key}",
            settings.get("ThrottlingRateLimit"),
            settings.get("ThrottlingBurstLimit"),
        )

    return make
