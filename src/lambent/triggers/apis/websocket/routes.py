"""A stage of a WebSocket API, compiled from its snapshot: routes, integrations, throttles."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from lambent.model.document import Body, Root
from lambent.model.function_uris import expand_variables, parse_function_uri
from lambent.model.rest_services import SERVICE_URI
from lambent.model.selection_expressions import Selection, parse_selection
from lambent.triggers.apis.access_logs import AccessLog
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.backends.server import Server
from lambent.triggers.apis.backends.service import Service
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.throttling import TokenBucket
from lambent.triggers.apis.websocket.authorizing import FunctionAuthorizer, compile_authorizer
from lambent.triggers.apis.websocket.backends import (
    FunctionBackend,
    NoBackend,
    ServerBackend,
    ServiceBackend,
)
from lambent.triggers.apis.websocket.integrations import (
    AlwaysGood,
    Integration,
    LambdaProxy,
    Unusable,
)
from lambent.triggers.apis.websocket.mapped import MappedIntegration

logger = logging.getLogger(__name__)

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"
_TIMEOUT_MS = 29_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route."""

    key: str
    arn: str
    """`arn:aws:execute-api:<region>:<account>:<api>/<stage>/<key>`."""
    integration: Integration | None
    """None if it has none: its events are not served."""
    answers: bool
    """Whether the client gets what the integration returns."""
    authorization: str
    """`NONE`, `AWS_IAM` or `CUSTOM`; of `$connect` only."""
    authorizer: FunctionAuthorizer | None
    """Of `CUSTOM`; None if it cannot be used, so that no client may connect."""
    needs_key: bool
    throttle: TokenBucket | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompiledStage:
    """A stage."""

    root: Root
    """Its API."""
    name: str
    context: ApiContext
    routes: Mapping[str, Route]
    """By key."""
    selection: Selection
    variables: Mapping[str, str]
    """Of the stage."""
    log: AccessLog | None

    def choose(self, body: Any) -> Route | None:
        """The route of a message, given its JSON, or None if it is none. Clients cannot choose the
        routes of connections."""
        key = self.selection.evaluate({"request": {"body": body}})
        if key in (CONNECT, DISCONNECT):
            key = DEFAULT
        return self.routes.get(key) or self.routes.get(DEFAULT)

    def admits(self, route: Route | None) -> bool:
        """Count an event; returns whether it is within the limits of the account and the route."""
        if not self.context.throttles.account(self.root.scope).take():
            return False
        return route is None or route.throttle is None or route.throttle.take()


def compile_stage(stage: Stage, context: ApiContext) -> CompiledStage:
    """Compile a stage."""
    variables: Mapping[str, str] = stage.body.get("StageVariables") or {}
    responses = {
        id.partition("/")[0]
        for id, body in stage.of("route_response").items()
        if body.get("RouteResponseKey") == DEFAULT
    }
    routes = [
        _compile(stage, context, body, variables, id in responses)
        for id, body in stage.of("route").items()
    ]
    return CompiledStage(
        root=stage.root,
        name=stage.name,
        context=context,
        routes={route.key: route for route in routes},
        selection=_selection(stage.api.get("RouteSelectionExpression") or ""),
        variables=variables,
        log=context.access_logs.open(stage.root, stage.name, stage.body.get("AccessLogSettings")),
    )


def _compile(
    stage: Stage,
    context: ApiContext,
    body: Body,
    variables: Mapping[str, str],
    has_response: bool,
) -> Route:
    key, root = body["RouteKey"], stage.root
    arn = f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}/{stage.name}/{key}"
    target = (body.get("Target") or "").removeprefix("integrations/")
    return Route(
        key=key,
        arn=arn,
        integration=_integration(stage, context, target, variables, arn),
        answers=has_response and body.get("RouteResponseSelectionExpression") == DEFAULT,
        authorization=body.get("AuthorizationType") or "NONE",
        authorizer=compile_authorizer(stage, context, body.get("AuthorizerId") or ""),
        needs_key=bool(body.get("ApiKeyRequired")),
        throttle=_throttle(stage, context, key),
    )


def _integration(
    stage: Stage, context: ApiContext, id: str, variables: Mapping[str, str], arn: str
) -> Integration | None:
    """The integration with this id as a route uses it; None if there is none."""
    body = stage.of("integration").get(id)
    if body is None:
        return None
    try:
        return _usable(stage, context, id, body, variables, arn)
    except ValueError as error:
        logger.warning("the integration %s of %s cannot be used: %s", id, arn, error)
        return Unusable()


def _usable(
    stage: Stage,
    context: ApiContext,
    id: str,
    body: Body,
    variables: Mapping[str, str],
    arn: str,
) -> Integration:
    """Raises ValueError for an integration that cannot be called."""
    kind, scope, role = body["IntegrationType"], stage.root.scope, body.get("CredentialsArn")
    timeout_s = (body.get("TimeoutInMillis") or _TIMEOUT_MS) / 1000
    responses = [
        response
        for key, response in stage.of("integration_response").items()
        if key.partition("/")[0] == id
    ]
    uri = expand_variables(body.get("IntegrationUri") or "", variables)
    if kind == "MOCK":
        if not body.get("RequestTemplates"):
            return AlwaysGood()
        return MappedIntegration(context, NoBackend(), body, responses)
    if kind in ("HTTP", "HTTP_PROXY"):
        is_proxy, method = kind == "HTTP_PROXY", body.get("IntegrationMethod") or "POST"
        server = Server(context.outbound, uri, timeout_s)
        backend = ServerBackend(server, method, is_proxy=is_proxy)
        return MappedIntegration(context, backend, body, responses, is_proxy=is_proxy)
    if kind == "AWS" and SERVICE_URI.fullmatch(uri):
        service = Service(
            context,
            scope,
            uri,
            role=role or "",
            method=body.get("IntegrationMethod") or "POST",
            timeout_s=timeout_s,
        )
        return MappedIntegration(context, ServiceBackend(service), body, responses)
    function = parse_function_uri(uri, variables)
    if kind == "AWS":
        called = FunctionBackend(context.calls, scope, function, arn, role, timeout_s)
        return MappedIntegration(context, called, body, responses)
    if kind != "AWS_PROXY":
        raise ValueError(f"{kind} is not supported")
    return LambdaProxy(
        context.calls,
        context.tasks,
        scope=scope,
        function=function,
        source_arn=arn,
        role=role,
        timeout_s=timeout_s,
    )


def _throttle(stage: Stage, context: ApiContext, key: str) -> TokenBucket | None:
    """The bucket of a route: its own limits, or those that every route of the stage has."""
    settings = {
        **(stage.body.get("DefaultRouteSettings") or {}),
        **((stage.body.get("RouteSettings") or {}).get(key) or {}),
    }
    return context.throttles.limit(
        f"{stage.root.id}/{stage.name}/{key}",
        settings.get("ThrottlingRateLimit"),
        settings.get("ThrottlingBurstLimit"),
    )


def _selection(expression: str) -> Selection:
    """An expression that cannot be read, which the API refuses, leads to `$default`."""
    try:
        return parse_selection(expression)
    except ValueError:
        return Selection(())
