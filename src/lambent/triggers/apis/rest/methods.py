"""The methods of a stage as they run, compiled from its snapshot."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lambent.kit.computing import LOOP_BYTES_MAX
from lambent.model.document import Body
from lambent.model.rest_services import SERVICE_URI
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.rest.authorization import (
    Authorization,
    IamAuthorization,
    NoAuthorization,
    UnusableAuthorization,
)
from lambent.triggers.apis.rest.binary import media_type_of
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.execution_logs import ExecutionLog
from lambent.triggers.apis.rest.function_authorizer import FunctionAuthorizer
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integrations.custom import CustomIntegration
from lambent.triggers.apis.rest.integrations.functions import FunctionCaller
from lambent.triggers.apis.rest.integrations.http_backend import HttpServer, StreamedServer
from lambent.triggers.apis.rest.integrations.integration import Integration, NoIntegration
from lambent.triggers.apis.rest.integrations.lambda_custom import LambdaBackend
from lambent.triggers.apis.rest.integrations.lambda_proxy import LambdaProxy
from lambent.triggers.apis.rest.integrations.mock import Mock
from lambent.triggers.apis.rest.integrations.services import ServiceBackend
from lambent.triggers.apis.rest.integrations.streaming import EDGE_IDLE_S, IDLE_S
from lambent.triggers.apis.rest.pool_authorizer import PoolAuthorizer
from lambent.triggers.apis.rest.routes import ANY, Routes
from lambent.triggers.apis.rest.validation import (
    STEPS_AT_ONCE,
    TooManySteps,
    check_parameters,
)
from lambent.triggers.apis.throttling import TokenBucket

if TYPE_CHECKING:
    from lambent.triggers.apis.rest.body_validation import BodyValidator, Models

_JSON = "application/json"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A method as it runs."""

    resource_id: str
    path: str
    """Of the resource: `/pets/{id}`."""
    body: Body
    authorization: Authorization
    needs_key: bool
    bucket: TokenBucket | None
    log: ExecutionLog | None
    validator: "Validator | None"
    integration: Integration


@dataclasses.dataclass(frozen=True, slots=True)
class Validator:
    """What a method's request validator checks."""

    parameters: Mapping[str, object] | None
    bodies: "Mapping[str, BodyValidator] | None"

    def check_nowait(self, call: RestCall) -> bool:
        """Check a request if that takes a moment; returns whether it does. If not, call `check` in
        a thread. Raises `GatewayError`."""
        body = self._body(call)
        size = len(call.request.exchange.body)
        if body is not None and (size > LOOP_BYTES_MAX or not body.is_ready):
            return False
        try:
            self._check(call, body, STEPS_AT_ONCE)
        except TooManySteps:
            return False
        return True

    def check(self, call: RestCall) -> None:
        """Raises `GatewayError`."""
        try:
            self._check(call, self._body(call), None)
        except TooManySteps:
            raise GatewayError(
                "API_CONFIGURATION_ERROR", "The model takes too many steps for the body."
            ) from None

    def _body(self, call: RestCall) -> "BodyValidator | None":
        """What checks the body; None if nothing does."""
        if not self.bodies:
            return None
        kind = media_type_of(call.request.exchange.headers.get("content-type")) or _JSON
        return self.bodies.get(kind) or self.bodies.get("$default")

    def _check(self, call: RestCall, body: "BodyValidator | None", steps: int | None) -> None:
        if self.parameters is not None:
            check_parameters(self.parameters, call.parameters)
        if body is not None:
            body.check(call.request.exchange.body, steps)


class MethodCompiler:
    """Compiles the methods of one stage."""

    def __init__(
        self,
        context: ApiContext,
        stage: Stage,
        variables: Mapping[str, str],
    ) -> None:
        self._context = context
        self._stage = stage
        self._variables = variables
        self._authorizers: dict[str, Authorization] = {}
        self._models: Models | None = None
        """Made when a method validates bodies: the library takes a tenth of a second to import."""
        self._binary_types: Sequence[str] = stage.api.get("binaryMediaTypes") or ()

    def routes(self) -> Routes[Method]:
        """All methods, by path and verb."""
        resources = self._stage.of("resource")
        found = []
        for id, body in self._stage.of("method").items():
            resource_id, _, verb = id.partition("/")
            if resource_id in resources:
                path = resources[resource_id]["path"]
                found.append((path, verb, self._method(resource_id, path, verb, body)))
        return Routes(found)

    def method(self, resource_id: str, verb: str) -> Method | None:
        """The method of a resource that serves a verb; None if there is none."""
        methods, path = self._stage.of("method"), self._stage.of("resource")[resource_id]["path"]
        for name in (verb, ANY):
            body = methods.get(f"{resource_id}/{name}")
            if body is not None:
                return self._method(resource_id, path, name, body)
        return None

    def _method(self, resource_id: str, path: str, verb: str, body: Body) -> Method:
        settings = self._settings(path, verb)
        stage = self._stage
        return Method(
            resource_id,
            path,
            body,
            self._authorization(body),
            bool(body.get("apiKeyRequired")),
            self._bucket(f"{path}/{verb}", settings),
            ExecutionLog.of(self._context.access_logs, stage.root, stage.name, settings),
            self._validator(body),
            self._integration(body.get("methodIntegration")),
        )

    def _authorization(self, body: Body) -> Authorization:
        kind = body.get("authorizationType") or "NONE"
        if kind == "NONE":
            return NoAuthorization()
        if kind == "AWS_IAM":
            return IamAuthorization(self._context.authorizer)
        id = body.get("authorizerId") or ""
        if id not in self._authorizers:
            self._authorizers[id] = self.authorizer(id)
        return self._authorizers[id]

    def authorizer(self, id: str) -> Authorization:
        """The authorizer of this id. All methods share it, and what it remembers."""
        body = self._stage.of("authorizer").get(id, {})
        try:
            match body.get("type"):
                case "TOKEN" | "REQUEST":
                    return FunctionAuthorizer(self._context, self._stage, id, body, self._variables)
                case "COGNITO_USER_POOLS":
                    return PoolAuthorizer(self._context, body)
            raise ValueError(f"There is no authorizer {id!r} that can be served.")
        except ValueError as error:
            return UnusableAuthorization(str(error))

    def _validator(self, body: Body) -> Validator | None:
        chosen = self._stage.of("request_validator").get(body.get("requestValidatorId") or "")
        if chosen is None:
            return None
        parameters = body.get("requestParameters") or {}
        wanted = (body.get("requestModels") or {}) if chosen.get("validateRequestBody") else {}
        bodies = self._body_validators(wanted)
        return Validator(parameters if chosen.get("validateRequestParameters") else None, bodies)

    def _body_validators(self, names: Mapping[str, str]) -> "Mapping[str, BodyValidator]":
        """For the names of models by media type."""
        if not names:
            return {}
        from lambent.triggers.apis.rest.body_validation import BodyValidator, Models

        if self._models is None:
            self._models = Models(self._stage.of("model"))
        return {kind: BodyValidator(name, self._models) for kind, name in names.items()}

    def _settings(self, path: str, verb: str) -> Mapping[str, Any]:
        """The stage's settings of a method: its own before those of all."""
        settings = self._stage.body.get("methodSettings") or {}
        key = f"{path.lstrip('/').replace('/', '~1')}/{verb}"
        return {**settings.get("*/*", {}), **settings.get(key, {})}

    def _bucket(self, method: str, settings: Mapping[str, Any]) -> TokenBucket | None:
        """The bucket of a method; None if its stage does not limit it."""
        stage = self._stage
        name = f"{stage.root.id}/{stage.name}/{stage.deployment_id}{method}"
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        # Below zero there is no limit.
        rate = None if rate is None or rate < 0 else float(rate)
        burst = None if burst is None or burst < 0 else float(burst)
        return self._context.throttles.limit(name, rate, burst)

    def _integration(self, body: Body | None) -> Integration:
        if body is None:
            return NoIntegration("No integration is defined for the method.")
        try:
            return self._made(body)
        except (KeyError, ValueError) as error:
            return NoIntegration(str(error))

    @property
    def _idle_s(self) -> float:
        """How long a stream may be silent."""
        kinds = (self._stage.api.get("endpointConfiguration") or {}).get("types") or ()
        return EDGE_IDLE_S if "EDGE" in kinds else IDLE_S

    def _made(self, body: Body) -> Integration:
        context, types = self._context, self._binary_types
        kind, uri = body.get("type"), body.get("uri") or ""
        is_stream = body.get("responseTransferMode") == "STREAM"
        if kind == "MOCK":
            return CustomIntegration(context, body, types, Mock())
        if kind in ("AWS", "AWS_PROXY") and ":lambda:path/" in uri:
            if (body.get("httpMethod") or "") != "POST":
                raise ValueError("The method of an integration with a function must be POST.")
            caller = FunctionCaller(context, self._stage, body, self._variables)
            if kind == "AWS_PROXY":
                idle_s = self._idle_s if is_stream else None
                return LambdaProxy(context, caller, types, idle_s=idle_s)
            return CustomIntegration(context, body, types, LambdaBackend(context, caller))
        if kind == "AWS" and SERVICE_URI.fullmatch(uri):
            return CustomIntegration(
                context, body, types, ServiceBackend(context, self._stage, body, self._variables)
            )
        if kind in ("HTTP", "HTTP_PROXY") and body.get("connectionType") != "VPC_LINK":
            server = HttpServer(context, body, self._variables)
            if kind == "HTTP":
                return CustomIntegration(context, body, types, server)
            return StreamedServer(server, idle_s=self._idle_s) if is_stream else server
        raise ValueError(f"Integrations of the type {kind} with {uri[:200]!r} are not served.")
