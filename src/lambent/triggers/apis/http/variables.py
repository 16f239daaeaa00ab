"""`$context` of HTTP APIs, and the other values that selection expressions find in a request.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from lambent.model.selections import JsonBody, LookUp, Selection
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.log_time import log_time

_AUTHORIZER = "authorizer."


def context_value(call: HttpCall, name: str) -> object:
    """The value of `$context.<name>`; None if it has none."""
    read = _VARIABLES.get(name)
    if read is not None:
        return read(call)
    if name.startswith(_AUTHORIZER):
        return _nested(call.authorizer_values, name.removeprefix(_AUTHORIZER))
    return None


def look_up(call: HttpCall) -> LookUp:
    """What selections of a request have for values."""
    parameters: Mapping[str, str] | None = None
    body = JsonBody(call.request.exchange.body)

    def find(selection: Selection) -> str | None:
        nonlocal parameters
        exchange = call.request.exchange
        match selection.source:
            case "request.header":
                return exchange.headers.get(selection.name)
            case "request.querystring":
                if parameters is None:
                    parameters = query_parameters(exchange.query)
                return parameters.get(selection.name)
            case "request.path":
                return call.parameters.get(selection.name) if selection.name else call.path
            case "request.body":
                return body.find(selection)
            case "stageVariables":
                return stage_variables(call).get(selection.name)
            case "context":
                return text_of(context_value(call, selection.name))
        return None

    return find


def stage_variables(call: HttpCall) -> Mapping[str, str]:
    """The variables of the stage."""
    found: Mapping[str, str] = call.request.stage.body.get("StageVariables") or {}
    return found


def query_parameters(query: str) -> dict[str, str]:
    """Decoded; the values of a name that is there several times are joined by commas."""
    found: dict[str, str] = {}
    for name, value in query_items(query):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def query_items(query: str) -> list[tuple[str, str]]:
    """Decoded names and values in their order."""
    return parse_qsl(query, keep_blank_values=True, errors="replace")


def text_of(value: object) -> str | None:
    """A value as it is written into a header: text as it is, other values as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _nested(values: Mapping[str, Any], name: str) -> object:
    if name in values:
        return values[name]
    outer, _, inner = name.partition(".")
    found = values.get(outer)
    return found.get(inner) if isinstance(found, Mapping) else None


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _integration_latency(call: HttpCall) -> int | None:
    if not call.integration_ended:
        return None
    return _milliseconds(call.integration_ended - call.integration_started)


def _of_caller(read: Callable[[Any], object]) -> Callable[[HttpCall], object]:
    return lambda call: None if call.caller is None else read(call.caller)


def _error_text(call: HttpCall) -> str | None:
    return None if call.error_message is None else f'"{call.error_message}"'


_VARIABLES: Mapping[str, Callable[[HttpCall], object]] = {
    "accountId": lambda call: call.request.stage.root.account,
    "apiId": lambda call: call.request.stage.root.id,
    "authorizer.error": lambda call: None if call.decision is None else call.decision.challenge,
    "customDomain.basePathMatched": lambda call: call.request.base_path.lstrip("/") or None,
    "dataProcessed": lambda call: call.response_bytes + len(call.request.exchange.body),
    "domainName": lambda call: call.request.domain,
    "domainPrefix": lambda call: call.request.domain.partition(".")[0],
    "error.message": lambda call: call.error_message,
    "error.messageString": _error_text,
    "extendedRequestId": lambda call: call.request.extended_id,
    "httpMethod": lambda call: call.request.exchange.method,
    "identity.accountId": _of_caller(lambda caller: caller.principal.account),
    "identity.caller": _of_caller(lambda caller: caller.principal.user_id),
    "identity.sourceIp": lambda call: call.request.exchange.client_address,
    "identity.user": _of_caller(lambda caller: caller.principal.user_id),
    "identity.userAgent": lambda call: call.request.exchange.headers.get("user-agent"),
    "identity.userArn": _of_caller(lambda caller: caller.principal.arn),
    "integration.error": lambda call: call.integration_error,
    "integration.integrationStatus": lambda call: call.integration_status,
    "integration.latency": _integration_latency,
    "integration.status": lambda call: call.integration_status,
    "integrationErrorMessage": lambda call: call.integration_error,
    "integrationLatency": _integration_latency,
    "integrationStatus": lambda call: call.integration_status,
    "path": lambda call: f"{call.stage_prefix}{call.path}",
    "protocol": lambda call: "HTTP/1.1",
    "requestId": lambda call: call.request.extended_id,
    "requestTime": lambda call: log_time(int(call.request.received)),
    "requestTimeEpoch": lambda call: int(call.request.received * 1000),
    "responseLength": lambda call: call.response_bytes,
    "routeKey": lambda call: call.route_key or None,
    "stage": lambda call: call.request.stage.name,
    "status": lambda call: call.status or None,
}
