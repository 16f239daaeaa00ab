"""TestInvokeMethod and TestInvokeAuthorizer: one request to an API as it is, deployed or not.

The request passes the validator and the integration, and the execution log is part of the result.
As in AWS, no authorizer, API key, throttle or resource policy is asked.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio

from lambent.kit.computing import computed
from lambent.kit.ids import new_request_id
from lambent.model.arn import Scope
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.model.policy import Statement
from lambent.model.traces import trace_id_of
from lambent.store.store import Store
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.inner_exchange import InnerExchange
from lambent.triggers.apis.loading import load_current
from lambent.triggers.apis.request import ApiRequest, new_extended_id
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.call_log import CallLog
from lambent.triggers.apis.rest.execution_logs import note_start
from lambent.triggers.apis.rest.function_authorizer import FunctionAuthorizer
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.methods import Method, MethodCompiler
from lambent.triggers.apis.rest.pool_authorizer import PoolAuthorizer
from lambent.triggers.apis.rest.routes import Routes

STAGE = "test-invoke-stage"
_DEADLINE_S = 60.0
"""Longer than any integration may take."""
_LOG_CHARS_MAX = 64 * 1024
_HEADERS_MAX = 100
_PATH_CHARS_MAX = 8192
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]{0,8192}")
_SAFE = "!$&'()*+,/:;=@~%-._"


class Trial(NamedTuple):
    """A request that a caller makes up."""

    api_id: str
    path: str
    """With the query; empty if the resource's path is meant."""
    headers: Sequence[tuple[str, str]]
    body: bytes
    variables: Mapping[str, str]
    """Of the stage."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Trial":
        """From the input members of an operation. Raises `BadRequestException`."""
        many: Mapping[str, Sequence[str]] = params.get("multiValueHeaders") or {}
        one: Mapping[str, str] = params.get("headers") or {}
        headers = [(name, value) for name, value in one.items() if name not in many]
        headers += [(name, value) for name, values in many.items() for value in values]
        path = params.get("pathWithQueryString") or ""
        if len(headers) > _HEADERS_MAX or len(path) > _PATH_CHARS_MAX:
            raise ApiError("BadRequestException", "The request has too many headers or too long.")
        for name, value in headers:
            if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
                raise ApiError("BadRequestException", f"Invalid header: {name[:100]!r}")
        if path and not path.startswith("/"):
            raise ApiError("BadRequestException", "The path must begin with a slash.")
        body = (params.get("body") or "").encode("utf-8", "replace")
        variables = params.get("stageVariables") or {}
        return cls(params["restApiId"], path, headers, body, variables)


class _Attempt(NamedTuple):
    """A request, and what comes of it."""

    call: RestCall
    exchange: InnerExchange
    lines: list[str]
    """Of the execution log."""


class Trials:
    """See the module."""

    def __init__(self, context: ApiContext, store: Store, domain: str) -> None:
        """`domain` is what the host names of APIs end with."""
        self._context = context
        self._store = store
        self._domain = domain

    async def invoke_method(self, scope: Scope, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """TestInvokeMethod. Returns output members; raises `ApiError`."""
        trial = Trial.of(params)
        stage = await self._stage(scope, trial)
        resource = stage.of("resource").get(params["resourceId"])
        if resource is None:
            raise _missing("Resource")
        compiler = MethodCompiler(self._context, stage, trial.variables)
        method = await computed(compiler.method, params["resourceId"], params["httpMethod"])
        if method is None:
            raise _missing("Method")
        verb = "GET" if params["httpMethod"] == "ANY" else params["httpMethod"]
        call, exchange, lines = self._call(stage, trial, verb, method.path)
        found = Routes([(method.path, verb, method)]).find(verb, call.request.path)
        path = {} if found is None else found.variables
        call.found(method.resource_id, method.path, method.body, path)
        began = self._context.clock.monotonic()
        await self._run(call, exchange, method)
        headers: dict[str, list[str]] = {}
        for name, value in exchange.response_headers:
            headers.setdefault(name, []).append(value)
        return {
            "status": exchange.status,
            "body": exchange.response_body.decode("utf-8", "replace"),
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "log": self._log_text(call, lines),
            "latency": round((self._context.clock.monotonic() - began) * 1000),
        }

    async def invoke_authorizer(self, scope: Scope, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """TestInvokeAuthorizer. Returns output members; raises `ApiError`."""
        trial = Trial.of(params)
        stage = await self._stage(scope, trial)
        if params["authorizerId"] not in stage.of("authorizer"):
            raise _missing("Authorizer")
        compiler = MethodCompiler(self._context, stage, trial.variables)
        authorizer = await computed(compiler.authorizer, params["authorizerId"])
        call, _, lines = self._call(stage, trial, "GET", "/")
        call.found("", "/", {}, {})
        began = self._context.clock.monotonic()
        result: dict[str, Any] = {"clientStatus": 200}
        call.note(f"Starting authorizer: {params['authorizerId']}")
        try:
            if isinstance(authorizer, FunctionAuthorizer):
                policy = await authorizer.ask(call)
                document = _document_of(policy.statements)
                result["policy"] = json.dumps(document, separators=(",", ":"))
                result["principalId"] = policy.principal_id or ""
                call.note_data("Using valid authorizer policy", document)
            else:
                await authorizer.decide(call)
                if isinstance(authorizer, PoolAuthorizer):
                    result["claims"] = (call.authorizer or {}).get("claims", {})
            call.note("Successfully completed authorizer execution")
        except GatewayError as error:
            result["clientStatus"] = error.status
            call.note(f"Execution failed due to {error.type}: {error}")
        latency = round((self._context.clock.monotonic() - began) * 1000)
        return {**result, "latency": latency, "log": self._log_text(call, lines)}

    async def _stage(self, scope: Scope, trial: Trial) -> Stage:
        root = Root("apigateway", *scope, trial.api_id)
        documents = await self._store.read(lambda tx: load_current(tx, root))
        if trial.api_id not in documents.get("api", {}):
            message = f"Invalid API identifier specified {scope.account}:{trial.api_id}"
            raise ApiError("NotFoundException", message, status=404)
        body = {"stageName": STAGE, "variables": trial.variables}
        return Stage(root=root, name=STAGE, body=body, deployment_id="", documents=documents)

    def _call(self, stage: Stage, trial: Trial, verb: str, resource_path: str) -> "_Attempt":
        lines: list[str] = []
        path, _, query = (trial.path or resource_path).partition("?")
        path, query = quote(path, safe=_SAFE), quote(query, safe=_SAFE + "?")
        exchange = InnerExchange(verb, f"/{STAGE}{path}", query, trial.headers, trial.body)
        request = ApiRequest(
            exchange,
            stage,
            path,
            "",
            f"{stage.root.id}.execute-api.{stage.root.region}.{self._domain}",
            new_request_id(),
            new_extended_id(),
            trace_id_of(None),
            self._context.clock.now(),
        )
        call = RestCall(
            request,
            variables=trial.variables,
            gateway_responses=stage.of("gateway_response"),
            write_log=None,
            log=CallLog(lines.append, has_steps=True, has_data=True),
        )
        return _Attempt(call, exchange, lines)

    async def _run(self, call: RestCall, exchange: InnerExchange, method: Method) -> None:
        note_start(call)
        try:
            with anyio.fail_after(_DEADLINE_S):
                if method.validator is not None:
                    await computed(method.validator.check, call)
                method.integration.handle(call)
                await exchange.wait()
        except GatewayError as error:
            call.refuse(error)
        except TimeoutError:
            call.refuse(GatewayError("INTEGRATION_TIMEOUT", "The integration has timed out."))

    def _log_text(self, call: RestCall, lines: Sequence[str]) -> str:
        moment = time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(self._context.clock.now()))
        shown = [f"Execution log for request {call.request.request_id}"]
        shown += [f"{moment} : {line}" for line in lines]
        return "\n".join(shown)[:_LOG_CHARS_MAX] + "\n"


def _document_of(statements: Sequence[Statement]) -> Mapping[str, Any]:
    """The policy document that has these statements, each of which has its version."""
    version = next((each["Version"] for each in statements if "Version" in each), "2012-10-17")
    plain = [
        {name: value for name, value in each.items() if name != "Version"} for each in statements
    ]
    return {"Version": version, "Statement": plain}


def _missing(noun: str) -> ApiError:
    return ApiError("NotFoundException", f"Invalid {noun} identifier specified", status=404)
