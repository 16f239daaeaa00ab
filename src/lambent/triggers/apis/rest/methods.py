"""The methods of a stage as they run, compiled from its snapshot."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
from lambent.triggers.apis.rest.function_authorizer import FunctionAuthorizer
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integrations.custom import CustomIntegration
from lambent.triggers.apis.rest.integrations.functions import FunctionCaller
from lambent.triggers.apis.rest.integrations.http_backend import HttpServer
from lambent.triggers.apis.rest.integrations.integration import Integration, NoIntegration
from lambent.triggers.apis.rest.integrations.lambda_custom import LambdaBackend
from lambent.triggers.apis.rest.integrations.lambda_proxy import LambdaProxy
from lambent.triggers.apis.rest.integrations.mock import Mock
from lambent.triggers.apis.rest.integrations.services import ServiceBackend
from lambent.triggers.apis.rest.pool_authorizer import PoolAuthorizer
from lambent.triggers.apis.rest.routes import ANY, Routes
from lambent.triggers.apis.rest.validation import (
    STEPS_AT_ONCE,
    TooManySteps,
    check_parameters,
)
from lambent.triggers.apis.throttling import TokenBucket

if TYPE_CHECKING:
    from lambent.triggers.apis.rest.body_validation import BodyValidator

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
    validator: "Validator | None"
    integration: Integration


@dataclasses.dataclass(frozen=True, slots=True)
class Validator:
    """What a method's request validator checks."""

    parameters: Mapping[str, object] | None
    bodies: Mapping[str, "BodyValidator"] | None

    def check_nowait(self, call: RestCall) -> bool:
        """Check a request if that takes a moment; returns whether it does. If not, call `check` in
        a thread. Raises `GatewayError`."""
        if len(call.request.exchange.body) > LOOP_BYTES_MAX:
            return False
        try:
            self._check(call, STEPS_AT_ONCE)
        except TooManySteps:
            return False
        return True

    def check(self, call: RestCall) -> None:
        """Raises `GatewayError`."""
        try:
            self._check(call, None)
        except TooManySteps:
            raise GatewayError(
                "API_CONFIGURATION_ERROR", "The model takes too many steps for the body."
            ) from None

    def _check(self, call: RestCall, steps: int | None) -> None:
        if self.parameters is not None:
            check_parameters(self.parameters, call.parameters)
        if self.bodies:
            exchange = call.request.exchange
            kind = media_type_of(exchange.headers.get("content-type")) or _JSON
            validator = self.bodies.get(kind) or self.bodies.get("$default")
            if validator is not None:
                validator.check(exchange.body, steps)


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
        integration = self._integration(body.get("methodIntegration"))
        try:
            validator = self._validator(body)
        except ValueError as error:
            validator, integration = None, NoIntegration(str(error))
        return Method(
            resource_id,
            path,
            body,
            self._authorization(body),
            bool(body.get("apiKeyRequired")),
            self._bucket(path, verb),
            validator,
            integration,
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

    def _body_validators(self, names: Mapping[str, str]) -> Mapping[str, "BodyValidator"]:
        """For the names of models by media type."""
        if not names:
            return {}
        from lambent.triggers.apis.rest.body_validation import BodyValidator

        models = self._stage.of("model")
        return {kind: BodyValidator(name, models) for kind, name in names.items()}

    def _bucket(self, path: str, verb: str) -> TokenBucket | None:
        """The bucket of a method; None if its stage does not limit it."""
        settings = self._stage.body.get("methodSettings") or {}
        key = f"{path.lstrip('/').replace('/', '~1')}/{verb}"
        chosen = {**settings.get("*/*", {}), **settings.get(key, {})}
        rate, burst = chosen.get("throttlingRateLimit"), chosen.get("throttlingBurstLimit")
        # Below zero there is no limit.
        rate = None if rate is None or rate < 0 else float(rate)
        burst = None if burst is None or burst < 0 else float(burst)
        return self._context.throttles.limit(rate, burst)

    def _integration(self, body: Body | None) -> Integration:
        if body is None:
            return NoIntegration("No integration is defined for the method.")
        try:
            return self._made(body)
        except (KeyError, ValueError) as error:
            return NoIntegration(str(error))

    def _made(self, body: Body) -> Integration:
        context, types = self._context, self._binary_types
        kind, uri = body.get("type"), body.get("uri") or ""
        if body.get("responseTransferMode") == "STREAM":
            raise ValueError("Responses that are streamed are not served.")
        if kind == "MOCK":
            return CustomIntegration(context, body, types, Mock())
        if kind in ("AWS", "AWS_PROXY") and ":lambda:path/" in uri:
            if (body.get("httpMethod") or "") != "POST":
                raise ValueError("The method of an integration with a function must be POST.")
            caller = FunctionCaller(context, self._stage, body, self._variables)
            if kind == "AWS_PROXY":
                return LambdaProxy(context, caller, types)
            return CustomIntegration(context, body, types, LambdaBackend(context, caller))
        if kind == "AWS" and SERVICE_URI.fullmatch(uri):
            return CustomIntegration(
                context, body, types, ServiceBackend(context, self._stage, body, self._variables)
            )
        if kind in ("HTTP", "HTTP_PROXY") and body.get("connectionType") != "VPC_LINK":
            server = HttpServer(context, body, self._variables)
            is_proxy = kind == "HTTP_PROXY"
            return server if is_proxy else CustomIntegration(context, body, types, server)
        raise ValueError(f"Integrations of the type {kind} with {uri[:200]!r} are not served.")
