"""One request to a REST API, from its arrival to its response."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.identity.authorizer import Caller
from lambent.model.document import Body
from lambent.model.traces import traceparent_of
from lambent.triggers.apis.parameters import (
    Parameters,
    context_value,
    parse_query,
    source_value,
)
from lambent.triggers.apis.request import ApiRequest
from lambent.triggers.apis.rest.binary import is_binary, media_type_of
from lambent.triggers.apis.rest.call_log import SECRET_HEADERS, CallLog, shown_data
from lambent.triggers.apis.rest.gateway_responses import (
    GatewayError,
    gateway_response,
)
from lambent.triggers.apis.rest.proxy_event import event_path
from lambent.triggers.log_time import log_time

WriteLog = Callable[["RestCall"], None]
_DROPPED = frozenset(
    {"connection", "transfer-encoding", "keep-alive", "te", "upgrade", "content-length"}
)
_FORWARDED = frozenset(
    {"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
)
_PATH_VARIABLE = re.compile(r"\{[^}]*\}")
_RESPONSE_BODY = "Method response body after transformations"
_WITHOUT_BODY = frozenset({204, 304})
_CONFIGURATION = frozenset(
    {"API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "DEFAULT_5XX"}
)


class RestCall:
    """What is known of a request, and the only way to its response: the request ID and the logs are
    added here."""

    __slots__ = (
        "_context",
        "_gateway_responses",
        "_write_log",
        "authorizer",
        "caller",
        "error",
        "identity_key",
        "integration_status",
        "is_done",
        "is_streamed",
        "log",
        "method",
        "parameters",
        "request",
        "resource_id",
        "resource_path",
        "response_bytes",
        "response_override",
        "status",
        "usage_key",
        "variables",
    )

    def __init__(
        self,
        request: ApiRequest,
        *,
        variables: Mapping[str, str],
        gateway_responses: Mapping[str, Body],
        write_log: WriteLog | None,
        log: CallLog | None = None,
    ) -> None:
        self.request = request
        self.variables = variables
        """The stage's."""
        self._gateway_responses = gateway_responses
        self._write_log = write_log
        self._context: dict[str, Any] | None = None
        self.method: Body = {}
        """The method's document; empty while it is not known."""
        self.resource_id = ""
        self.resource_path = ""
        self.parameters = Parameters(_headers(request), parse_query(request.exchange.query), {})
        self.caller: Caller | None = None
        """Who signed the request, if the method asks for it."""
        self.authorizer: Mapping[str, Any] | None = None
        """`requestContext.authorizer`; None if the method has no authorizer that says something."""
        self.usage_key: str | None = None
        """The API key that the authorizer names."""
        self.identity_key: tuple[str, str] | None = None
        """Value and id of the API key."""
        self.error: GatewayError | None = None
        self.is_done = False
        """Whether the response was sent, or at least its head."""
        self.is_streamed = False
        """Whether the head was sent, and the rest is not complete."""
        self.status = 0
        """Of the response; 0 if there is none."""
        self.response_bytes = 0
        self.integration_status: int | None = None
        self.response_override: Mapping[str, Any] = {}
        """What the templates have set."""
        self.log = log
        """The execution log, or None if there is none."""

    # -- facts ---------------------------------------------------------------------------------

    def found(
        self, resource_id: str, resource_path: str, method: Body, path: Mapping[str, str]
    ) -> None:
        """The method is known."""
        self.resource_id = resource_id
        self.resource_path = resource_path
        self.method = method
        self.parameters = Parameters(self.parameters.headers, self.parameters.query, path)
        self._context = None

    @property
    def path(self) -> str:
        """`event.path`."""
        return event_path(self.request.path)

    @property
    def arn(self) -> str:
        """What the method is called in policies."""
        root = self.request.stage.root
        return (
            f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}/{self.request.stage.name}"
            f"/{self.request.exchange.method}{self.path}"
        )

    @property
    def source_arn(self) -> str:
        """As which the API calls functions: with the resource's path in the place of the
        request's."""
        root = self.request.stage.root
        where = _PATH_VARIABLE.sub("*", self.resource_path)
        return (
            f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}/{self.request.stage.name}"
            f"/{self.request.exchange.method}{where}"
        )

    @property
    def context(self) -> dict[str, Any]:
        """`requestContext` of events, and `$context` of templates. Not to be
        changed."""
        if self._context is None:
            self._context = self._make_context()
        if self.authorizer is not None:
            self._context["authorizer"] = self.authorizer
        return self._context

    def _make_context(self) -> dict[str, Any]:
        request, exchange = self.request, self.request.exchange
        received = request.received
        root = request.stage.root
        prefix = request.base_path or f"/{request.stage.name}"
        return {
            "resourceId": self.resource_id,
            "resourcePath": self.resource_path,
            "httpMethod": exchange.method,
            "extendedRequestId": request.extended_id,
            "requestTime": log_time(int(received)),
            "path": f"{prefix}{request.path}",
            "accountId": root.account,
            "protocol": "HTTP/1.1",
            "stage": request.stage.name,
            "domainPrefix": request.domain.partition(".")[0],
            "requestTimeEpoch": int(received * 1000),
            "requestId": request.request_id,
            "identity": self._identity(),
            "domainName": request.domain,
            "deploymentId": request.stage.deployment_id,
            "apiId": root.id,
        }

    def _identity(self) -> dict[str, Any]:
        principal = None if self.caller is None else self.caller.principal
        identity: dict[str, Any] = {
            "cognitoIdentityPoolId": None,
            "accountId": None if principal is None else principal.account,
            "cognitoIdentityId": None,
            "caller": None if principal is None else principal.user_id,
            "sourceIp": self.request.exchange.client_address,
            "principalOrgId": None,
            "accessKey": None if self.caller is None else self.caller.access_key_id,
            "cognitoAuthenticationType": None,
            "cognitoAuthenticationProvider": None,
            "userArn": None if principal is None else principal.arn,
            "userAgent": self.request.exchange.headers.get("user-agent"),
            "user": None if principal is None else principal.user_id,
        }
        if self.identity_key is not None:
            identity["apiKey"], identity["apiKeyId"] = self.identity_key
        return identity

    def identified(self) -> None:
        """The caller or the API key is known: the context has to say so."""
        self._context = None

    def is_binary(self, binary_types: Sequence[str]) -> bool:
        """Whether the body is bytes."""
        kind = media_type_of(self.request.exchange.headers.get("content-type"))
        return is_binary(kind, binary_types)

    def resolve(self, source: str) -> str | None:
        """A value for a gateway response or a mapping."""
        context: Mapping[str, Any] = self.context
        if self.error is not None:
            context = {**context, "error": self.error.context()}
        return source_value(source, self.parameters, context, self.variables)

    def note(self, line: str) -> None:
        """Write a step into the execution log."""
        if self.log is not None and self.log.has_steps:
            self.log.write(line)

    def note_data(self, title: str, data: bytes | Mapping[str, Any]) -> None:
        """Write a body, or headers or the like, into the execution log: its beginning."""
        if self.log is not None and self.log.has_data and self.log.has_steps:
            self.log.write(f"{title}: {shown_data(data, self._secrets())}")

    def _note_error(self, error: GatewayError) -> None:
        if self.log is None:
            return
        if error.type == "INTEGRATION_TIMEOUT":
            reason = "a timeout error"
        else:
            is_ours = error.type in _CONFIGURATION
            reason = f"{'configuration error' if is_ours else error.type}: {error}"
        self.log.write(f"Execution failed due to {reason}")

    def _secrets(self) -> list[str]:
        """Values that no log has, wherever they are."""
        found = [
            value
            for name, values in self.parameters.headers.items()
            if name.lower() in SECRET_HEADERS
            for value in values
        ]
        return found if self.usage_key is None else [*found, self.usage_key]

    # -- the response --------------------------------------------------------------------------

    def respond(self, status: int, headers: list[tuple[str, str]], body: bytes = b"") -> None:
        """Send the response. Does nothing if there is one already."""
        if self.is_done:
            return
        self._begin(status, headers, body)
        if status in _WITHOUT_BODY:
            body = b""
        self.request.exchange.respond(status, [*headers, *self._our_headers()], body)
        self.ended(len(body))

    def start(
        self, status: int, headers: list[tuple[str, str]], *, length: int | None = None
    ) -> None:
        """Begin a response that is sent in chunks through the exchange; `ended` follows."""
        self._begin(status, headers, None)
        self.is_streamed = True
        self.request.exchange.start(status, [*headers, *self._our_headers()], length=length)

    def _begin(self, status: int, headers: list[tuple[str, str]], body: bytes | None) -> None:
        self.is_done = True
        self.status = status
        if self.log is None:
            return
        is_ours = self.error is not None
        if body is not None:
            title = "Gateway response body" if is_ours else _RESPONSE_BODY
            self.note_data(title, body)
        title = "Gateway response headers" if is_ours else "Method response headers"
        self.note_data(title, dict(headers))

    def refuse(self, error: GatewayError) -> None:
        """Send a gateway response."""
        if self.is_done:
            return
        self.error = error
        self._note_error(error)
        accept = self.request.exchange.headers.get("accept")
        response = gateway_response(error, self._gateway_responses, accept, self.resolve)
        if self.log is not None:
            self.note(f"Gateway response type: {error.type} with status code: {response.status}")
        self.respond(response.status, response.headers, response.body)

    def fail(self, _: Exception | None = None) -> None:
        """Send 500: something here failed. A response that was begun is cut."""
        error = GatewayError("API_CONFIGURATION_ERROR", "Internal error.")
        if self.is_streamed:
            self.cut(error, self.response_bytes)
        else:
            self.refuse(error)

    def cut(self, error: GatewayError, response_bytes: int) -> None:
        """Cut a response that was begun, of which so many bytes were sent."""
        self.error = error
        self._note_error(error)
        self.request.exchange.abort()
        self.ended(response_bytes)

    def abandoned(self) -> None:
        """The client has gone: there is no response."""
        if not self.is_done:
            self.is_done = True
            self._note_error(GatewayError("INTEGRATION_FAILURE", "The client has disconnected."))
            self.ended(0)

    def ended(self, response_bytes: int) -> None:
        """The response is complete: write the logs."""
        self.is_streamed = False
        self.response_bytes = response_bytes
        if self.log is not None:
            if self.error is None and self.status:
                self.note("Successfully completed execution")
            self.note(f"Method completed with status: {self.status}")
        if self._write_log is not None:
            self._write_log(self)
        if (trace := self.request.trace) is not None:
            trace.end(self.request, self.resource_path, self.status, response_bytes)

    def _our_headers(self) -> list[tuple[str, str]]:
        return [
            ("x-amzn-RequestId", self.request.request_id),
            ("x-amz-apigw-id", self.request.extended_id),
        ]

    def log_value(self, name: str) -> object:
        """A variable of an access log's format, given without `$context.`."""
        match name:
            case "status":
                return self.status or None
            case "responseLength":
                return self.response_bytes
            case "integrationStatus" | "integration.status":
                return self.integration_status
            case "ip":
                return self.request.exchange.client_address
        if name.startswith("error."):
            error = {} if self.error is None else self.error.context()
            return error.get(name.removeprefix("error."))
        return context_value(self.context, name)


def _headers(request: ApiRequest) -> dict[str, list[str]]:
    """As the client spells them; what only concerns the connection is left out, what AWS's front
    adds is there, whatever the client claims."""
    exchange = request.exchange
    headers: dict[str, list[str]] = {}
    for name, value in exchange.header_items:
        lowered = name.lower()
        if lowered not in _DROPPED and lowered not in _FORWARDED:
            headers.setdefault(name, []).append(value)
    headers["X-Amzn-Trace-Id"] = [request.trace_id]
    if request.trace is not None and (parent := traceparent_of(request.trace_id)) is not None:
        for name in [name for name in headers if name.lower() == "traceparent"]:
            del headers[name]
        headers["traceparent"] = [parent]
    headers["X-Forwarded-For"] = [exchange.client_address]
    _, _, port = exchange.headers.get("host", "").rpartition("]")[2].partition(":")
    headers["X-Forwarded-Port"] = [port or ("443" if exchange.is_secure else "80")]
    headers["X-Forwarded-Proto"] = ["https" if exchange.is_secure else "http"]
    return headers
