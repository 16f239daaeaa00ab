"""REST APIs: the kind, and a stage of one of them as it runs.

A request passes, in this order: the resource and method, throttles, the method's authorizer, the
resource policy, the API key and its usage plan, the request validator, the integration.
"""

import dataclasses
import logging
import random
from collections.abc import Mapping

from lambent.kit.computing import computed
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.api_paths import HEADERS_BYTES_MAX
from lambent.triggers.apis.api import Api, Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.request import ApiRequest
from lambent.triggers.apis.rest.authorization import NoAuthorization, ResourcePolicy
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.execution_logs import note_authorizer, note_key, note_start
from lambent.triggers.apis.rest.gateway_responses import GatewayError, gateway_response
from lambent.triggers.apis.rest.keys import KeyDirectory
from lambent.triggers.apis.rest.methods import Method, MethodCompiler
from lambent.triggers.apis.rest.tracing import is_traced, traced
from lambent.triggers.apis.rest.usage import ApiKey, Member, UsagePlans, member_of

logger = logging.getLogger(__name__)

_random = random.Random()

_REFUSALS = {403: "INVALID_API_KEY", 404: "INVALID_API_KEY", 413: "REQUEST_TOO_LARGE"}
"""What a request gets that no stage serves: 403 `Forbidden` for both."""


class RestApis:
    """All REST APIs. See `ApiKind`."""

    def __init__(self, context: ApiContext, keys: KeyDirectory, usage: UsagePlans) -> None:
        self._context = context
        self._keys = keys
        self._usage = usage

    def choose_stage(self, api: Api, path: str) -> tuple[str, str] | None:
        """See `ApiKind`. Slashes before the stage do not count."""
        name, slash, rest = path.lstrip("/").partition("/")
        return (name, f"{slash}{rest}" or "/") if name else None

    def compile(self, stage: Stage) -> "RestStage":
        """See `ApiKind`."""
        return RestStage(self._context, stage, self._keys, self._usage)

    def refuse(self, exchange: Exchange, status: int) -> None:
        """See `ApiKind`."""
        error = GatewayError(_REFUSALS.get(status, "API_CONFIGURATION_ERROR"))
        response = gateway_response(error, {}, None, lambda _: error.message_string)
        exchange.respond(response.status, response.headers, response.body)


class RestStage:
    """See `ServedStage`."""

    def __init__(
        self,
        context: ApiContext,
        stage: Stage,
        keys: KeyDirectory,
        usage: UsagePlans,
    ) -> None:
        self._context = context
        self._stage = stage
        self._keys = keys
        self._usage = usage
        self._variables: Mapping[str, str] = stage.body.get("variables") or {}
        self._responses = stage.of("gateway_response")
        self._routes = MethodCompiler(context, stage, self._variables).routes()
        self._policy, self._policy_fault = _policy_of(stage)
        self._is_traced = is_traced(stage)
        self._canary = self._make_canary()
        self._account = context.throttles.account(stage.root.scope)
        settings = stage.body.get("accessLogSettings")
        self._log = context.access_logs.open(stage.root, stage.name, settings)

    def _make_canary(self) -> "tuple[float, Stage, RestStage] | None":
        """The share of requests, in percent, that another deployment serves."""
        stage, settings = self._stage, self._stage.body.get("canarySettings") or {}
        if stage.canary is None:
            return None
        variables = {**self._variables, **(settings.get("stageVariableOverrides") or {})}
        canary = dataclasses.replace(
            stage,
            body={**stage.body, "variables": variables},
            deployment_id=settings["deploymentId"],
            documents=stage.canary,
            canary=None,
        )
        served = RestStage(self._context, canary, self._keys, self._usage)
        return float(settings.get("percentTraffic") or 0), canary, served

    def handle(self, request: ApiRequest) -> None:
        """See `ServedStage`."""
        if self._canary is not None:
            percent, stage, served = self._canary
            if _random.uniform(0, 100) < percent:
                served.handle(request._replace(stage=stage))
                return
        if self._is_traced:
            request = traced(self._context.traces, request)
        call = RestCall(
            request,
            variables=self._variables,
            gateway_responses=self._responses,
            write_log=None if self._log is None else self._write_log,
        )
        try:
            self._enter(call)
        except GatewayError as error:
            call.refuse(error)
        except Exception:
            logger.exception("a request to the API %s failed", request.stage.root.id)
            call.fail()

    def _enter(self, call: RestCall) -> None:
        exchange = call.request.exchange
        if _is_too_long(exchange):
            raise GatewayError("REQUEST_TOO_LARGE", message="Request Header Fields Too Large")
        found = self._routes.find(exchange.method, call.request.path)
        if found is None:
            raise GatewayError("MISSING_AUTHENTICATION_TOKEN", "No method for the request.")
        method = found.target
        call.found(method.resource_id, method.path, method.body, found.variables)
        if method.log is not None:
            call.log = method.log.begin(call.request.request_id)
            call.note(f"Extended Request Id: {call.request.extended_id}")
            if method.body.get("authorizerId"):
                note_authorizer(call, method.body["authorizerId"])
        if not (method.bucket is None or method.bucket.take()) or not self._account.take():
            raise GatewayError("THROTTLED")
        if method.authorization.decide_nowait(call):
            self._authorized(call, method)
        else:
            start_task(self._context.tasks, call.fail, self._authorize, call, method)

    async def _authorize(self, call: RestCall, method: Method) -> None:
        try:
            await method.authorization.decide(call)
            self._authorized(call, method)
        except GatewayError as error:
            call.refuse(error)

    def _authorized(self, call: RestCall, method: Method) -> None:
        """Go on with a request that may pass, as far as the authorizer is concerned."""
        if call.log is not None and method.body.get("authorizerId"):
            call.note("Successfully completed authorizer execution")
        if self._policy_fault is not None:
            raise GatewayError("API_CONFIGURATION_ERROR", self._policy_fault)
        if self._policy is not None:
            is_open = isinstance(method.authorization, NoAuthorization)
            self._policy.check(call, is_authorized=not is_open)
        if not method.needs_key:
            self._validate(call, method)
            return
        keys = self._keys.get_nowait(self._stage.root.scope)
        member = None if keys is None else self._member(call, keys)
        if member is not None and self._usage.count_nowait(member, self._where(call, method)):
            self._counted(call, method, member.key)
        else:
            start_task(self._context.tasks, call.fail, self._count, call, method)

    async def _count(self, call: RestCall, method: Method) -> None:
        try:
            member = self._member(call, await self._keys.get(self._stage.root.scope))
            await self._usage.count(member, self._where(call, method))
            self._counted(call, method, member.key)
        except GatewayError as error:
            call.refuse(error)

    def _member(self, call: RestCall, keys: Mapping[str, ApiKey]) -> Member:
        """Raises `GatewayError`."""
        value, root = self._key_of(call), self._stage.root
        key = None if value is None else keys.get(value)
        return member_of(key, root.scope, root.id, self._stage.name)

    def _where(self, call: RestCall, method: Method) -> str:
        return f"{method.path}/{call.request.exchange.method}"

    def _counted(self, call: RestCall, method: Method, key: ApiKey) -> None:
        call.identity_key = key.value, key.id
        call.identified()
        self._validate(call, method)

    def _key_of(self, call: RestCall) -> str | None:
        if self._stage.api.get("apiKeySource") == "AUTHORIZER":
            return call.usage_key
        return call.request.exchange.headers.get("x-api-key")

    def _validate(self, call: RestCall, method: Method) -> None:
        if call.log is not None:
            note_key(call, f"{method.body.get('httpMethod')} {method.path}")
            note_start(call)
        validator = method.validator
        if validator is None or validator.check_nowait(call):
            method.integration.handle(call)
        else:
            start_task(self._context.tasks, call.fail, self._validate_large, call, method)

    async def _validate_large(self, call: RestCall, method: Method) -> None:
        assert method.validator is not None
        try:
            await computed(method.validator.check, call)
            method.integration.handle(call)
        except GatewayError as error:
            call.refuse(error)

    def _write_log(self, call: RestCall) -> None:
        def resolve(name: str) -> object:
            if name == "responseLatency":
                return max(0, round((self._context.clock.now() - call.request.received) * 1000))
            return call.log_value(name)

        if self._log is not None:
            self._log.write(resolve)


def _policy_of(stage: Stage) -> tuple[ResourcePolicy | None, str | None]:
    """The API's policy, and why it cannot be read: then no request passes."""
    try:
        return ResourcePolicy.of(stage.api), None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return None, f"The resource policy cannot be read: {error}"


def _is_too_long(exchange: Exchange) -> bool:
    """Whether the request line and the headers have more bytes than AWS takes."""
    size = len(exchange.path) + len(exchange.query)
    for name, value in exchange.headers.items():
        size += len(name) + len(value)
    return size > HEADERS_BYTES_MAX
