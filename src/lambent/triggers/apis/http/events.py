"""The events of HTTP APIs, in both payload formats: for integrations and for authorizers.

Paths are percent-decoded, as in AWS, and carry the stage unless it is `$default`. Header names are
in lower case in both formats.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit import quick_json
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.mapping import Outgoing
from lambent.triggers.apis.http.variables import (
    query_items,
    query_parameters,
    stage_variables,
)
from lambent.triggers.log_time import log_time

_DROPPED = frozenset({"connection", "transfer-encoding", "keep-alive", "te", "upgrade"})
_TEXT_TYPES = frozenset({"application/json", "application/xml", "application/javascript"})


def event_headers(call: HttpCall) -> dict[str, str]:
    """The headers of a request in lower case, without what concerns only the connection, and with
    what AWS's front adds."""
    request = call.request
    exchange = request.exchange
    given = exchange.headers
    headers = dict(given)
    for name in _DROPPED & headers.keys():
        del headers[name]
    host = given.get("host", "")
    _, _, port = host.rpartition("]")[2].partition(":")
    forwarded = given.get("x-forwarded-for")
    address = exchange.client_address
    headers["host"] = host or request.domain
    headers["x-amzn-trace-id"] = request.trace_id
    headers["x-forwarded-for"] = f"{forwarded}, {address}" if forwarded else address
    headers["x-forwarded-port"] = port or ("443" if exchange.is_secure else "80")
    headers["x-forwarded-proto"] = "https" if exchange.is_secure else "http"
    return headers


def make_event(call: HttpCall, version: str, outgoing: Outgoing) -> bytes:
    """The event of an integration as JSON; `version` is `1.0` or `2.0`."""
    event = event_v1(call, outgoing) if version == "1.0" else event_v2(call, outgoing)
    body = call.request.exchange.body
    is_encoded = False
    if body:
        event["body"], is_encoded = _body(body, outgoing.headers.get("content-type", ""))
    elif version == "1.0":
        event["body"] = None
    event["isBase64Encoded"] = is_encoded
    return encode(event)


def encode(event: Any) -> bytes:
    """An event as JSON."""
    return quick_json.encode(event)


def event_v2(call: HttpCall, outgoing: Outgoing) -> dict[str, Any]:
    """Format 2.0 without the body. What is empty is absent."""
    headers = outgoing.headers
    cookie = headers.get("cookie")
    path = f"{call.stage_prefix}{call.path if outgoing.path is None else outgoing.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": call.route_key,
        "rawPath": path,
        "rawQueryString": outgoing.query,
    }
    if cookie:
        event["cookies"] = [text for part in cookie.split(";") if (text := part.strip())]
    if cookie is not None:
        headers = {name: value for name, value in headers.items() if name != "cookie"}
    event["headers"] = headers
    if outgoing.query:
        event["queryStringParameters"] = query_parameters(outgoing.query)
    event["requestContext"] = _context_v2(call, path)
    if call.parameters:
        event["pathParameters"] = dict(call.parameters)
    variables = stage_variables(call)
    if variables:
        event["stageVariables"] = dict(variables)
    return event


def _context_v2(call: HttpCall, path: str) -> dict[str, Any]:
    request = call.request
    root, exchange, decision = request.stage.root, request.exchange, call.decision
    context: dict[str, Any] = {"accountId": root.account, "apiId": root.id}
    if decision is not None and decision.event is not None:
        context["authorizer"] = decision.event
    context["domainName"] = request.domain
    context["domainPrefix"] = request.domain.partition(".")[0]
    context["http"] = {
        "method": exchange.method,
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": exchange.client_address,
        "userAgent": exchange.headers.get("user-agent", ""),
    }
    context["requestId"] = request.extended_id
    context["routeKey"] = call.route_key
    context["stage"] = request.stage.name
    context["time"] = log_time(int(request.received))
    context["timeEpoch"] = int(request.received * 1000)
    return context


def event_v1(call: HttpCall, outgoing: Outgoing) -> dict[str, Any]:
    """Format 1.0 without the body. What is empty is None."""
    exchange = call.request.exchange
    items = query_items(outgoing.query)
    multiple = _grouped(items)
    headers = {name: [value] for name, value in outgoing.headers.items()}
    for name, values in _repeated(exchange.header_items).items():
        # A changed header has one value.
        if outgoing.headers.get(name) == exchange.headers.get(name):
            headers[name] = values
    return {
        "version": "1.0",
        "resource": resource_of(call),
        "path": path_v1(call, outgoing),
        "httpMethod": exchange.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": dict(items) or None,
        "multiValueQueryStringParameters": multiple or None,
        "requestContext": _context_v1(call, outgoing),
        "pathParameters": dict(call.parameters) or None,
        "stageVariables": dict(stage_variables(call)) or None,
    }


def resource_of(call: HttpCall) -> str:
    """The route's path, as format 1.0 calls it."""
    return call.route_key.partition(" ")[2] or call.route_key


def path_v1(call: HttpCall, outgoing: Outgoing) -> str:
    """The path of format 1.0: with the base path of a custom domain name instead of the stage."""
    path = call.path if outgoing.path is None else outgoing.path
    return f"{call.request.base_path or call.stage_prefix}{path}"


def _context_v1(call: HttpCall, outgoing: Outgoing) -> dict[str, Any]:
    request, decision, caller = call.request, call.decision, call.caller
    root, exchange = request.stage.root, request.exchange
    context: dict[str, Any] = {"accountId": root.account, "apiId": root.id}
    if decision is not None and decision.event is not None:
        context["authorizer"] = _authorizer_v1(decision.event)
    principal = None if caller is None else caller.principal
    context["domainName"] = request.domain
    context["domainPrefix"] = request.domain.partition(".")[0]
    context["extendedRequestId"] = request.extended_id
    context["httpMethod"] = exchange.method
    context["identity"] = {
        "accessKey": None if caller is None else caller.access_key_id,
        "accountId": None if principal is None else principal.account,
        "caller": None if principal is None else principal.user_id,
        "cognitoAmr": None,
        "cognitoAuthenticationProvider": None,
        "cognitoAuthenticationType": None,
        "cognitoIdentityId": None,
        "cognitoIdentityPoolId": None,
        "principalOrgId": None,
        "sourceIp": exchange.client_address,
        "user": None if principal is None else principal.user_id,
        "userAgent": exchange.headers.get("user-agent", ""),
        "userArn": None if principal is None else principal.arn,
    }
    context["path"] = path_v1(call, outgoing)
    context["protocol"] = "HTTP/1.1"
    context["requestId"] = request.extended_id
    context["requestTime"] = log_time(int(request.received))
    context["requestTimeEpoch"] = int(request.received * 1000)
    context["resourceId"] = call.route_key
    context["resourcePath"] = resource_of(call)
    context["stage"] = request.stage.name
    return context


def _authorizer_v1(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Format 1.0 has the members of the authorizer itself, without its kind."""
    for kind in ("jwt", "lambda"):
        if kind in event:
            return dict(event[kind] or {})
    return event


def _grouped(items: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in items:
        found.setdefault(name, []).append(value)
    return found


def _repeated(items: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of headers that are there several times, by lower-case name."""
    grouped = _grouped([(name.lower(), value) for name, value in items])
    return {name: values for name, values in grouped.items() if len(values) > 1}


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    """The body as text, and whether that is base64. Text are these types only, as in AWS."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True
