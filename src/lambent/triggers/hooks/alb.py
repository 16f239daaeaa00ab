"""Hooks of the kind `alb`: the event that an Application Load Balancer sends, for functions that
expect it. Clients reach them through a proxy such as nginx or HAProxy, or directly.

If the hook has a secret, the proxy sends it in the header `X-Lambent-Hook-Token`, and what the
proxy says of the client in `X-Forwarded-*` is believed. Without a secret, what connects is the
client, as for a load balancer.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from lambent.kit import quick_json
from lambent.model.hooks.hook import Hook
from lambent.model.invocation import Outcome, Refused, Succeeded
from lambent.triggers.hooks.kind import (
    HookRefused,
    HookRequest,
    Received,
    is_any_of,
    json_response,
    of_body,
)
from lambent.triggers.hooks.requests import DEADLINE_S
from lambent.triggers.url_response import (
    UrlResponse,
    header_value,
    is_sendable_header,
    status_code,
)

TOKEN = "x-lambent-hook-token"
_RESPONSE_BYTES_MAX = 1 << 20
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
_BAD_GATEWAY = UrlResponse(502, [("Content-Type", "text/plain")], b"Bad Gateway")
Multi = Mapping[str, list[str]]


async def receive(request: HookRequest) -> Received | UrlResponse:
    """See `Receive`."""
    exchange, hook = request.exchange, request.hook
    secrets = hook.secrets_at(request.now)
    if hook.secrets and not is_any_of(exchange.headers.get(TOKEN, ""), secrets):
        raise HookRefused(401, "The token is missing or not valid.")
    if "upgrade" in exchange.headers:
        raise HookRefused(400, "A load balancer does not upgrade connections to functions.")
    event = await of_body(exchange.body, lambda: _event(request))
    is_multi = bool(hook.options.get("multi_value_headers"))
    return Received(
        events=[event],
        respond=lambda outcome: _respond(outcome, is_multi=is_multi),
        deadline_s=DEADLINE_S,
    )


def target_group_arn(hook: Hook) -> str:
    """What the function sees as the ARN of its target group."""
    digits = hashlib.sha256(hook.arn.encode()).hexdigest()[:16]
    account, region = hook.scope
    name = hook.name.replace("_", "-")[:32]
    return f"arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{digits}"


def _event(request: HookRequest) -> bytes:
    exchange, hook = request.exchange, request.hook
    headers, query = _headers(request), _parameters(exchange.query)
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": target_group_arn(hook)}},
        "httpMethod": exchange.method,
        "path": request.path or "/",
    }
    if hook.options.get("multi_value_headers"):
        event |= {"multiValueQueryStringParameters": query, "multiValueHeaders": headers}
    else:
        event |= {"queryStringParameters": _last(query), "headers": _last(headers)}
    event["body"], event["isBase64Encoded"] = _body(request)
    return quick_json.encode(event)


def _headers(request: HookRequest) -> Multi:
    exchange = request.exchange
    found: dict[str, list[str]] = {}
    for name, value in exchange.header_items:
        found.setdefault(name.lower(), []).append(value)
    found.pop(TOKEN, None)
    address = exchange.client_address
    added = {
        "x-amzn-trace-id": request.trace_id,
        "x-forwarded-for": address,
        "x-forwarded-port": "443" if exchange.is_secure else "80",
        "x-forwarded-proto": "https" if exchange.is_secure else "http",
    }
    for name, value in added.items():
        if request.hook.secrets and name in found:
            continue  # The proxy knows better.
        if name == "x-forwarded-for" and name in found:
            value = ", ".join([*found[name], value])
        found[name] = [value]
    return found


def _parameters(query: str) -> Multi:
    """Names and values as they were sent, as in AWS."""
    found: dict[str, list[str]] = {}
    for field in query.split("&"):
        if field:
            name, _, value = field.partition("=")
            found.setdefault(name, []).append(value)
    return found


def _last(multi: Multi) -> dict[str, str]:
    return {name: values[-1] for name, values in multi.items()}


def _body(request: HookRequest) -> tuple[str, bool]:
    exchange = request.exchange
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_text = kind.startswith("text/") or kind in _TEXT_TYPES or not exchange.body
    if is_text and "content-encoding" not in exchange.headers:
        try:
            return exchange.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(exchange.body).decode(), True


def _respond(outcome: Outcome, *, is_multi: bool) -> UrlResponse:
    if isinstance(outcome, Refused) and outcome.error.status == 429:
        return json_response(429, "Too Many Requests", ("Retry-After", "1"))
    if not isinstance(outcome, Succeeded) or len(outcome.payload) > _RESPONSE_BYTES_MAX:
        return _BAD_GATEWAY
    try:
        return _read(quick_json.decode(outcome.payload), is_multi=is_multi)
    except (KeyError, RecursionError, TypeError, ValueError):
        return _BAD_GATEWAY


def _read(result: Any, *, is_multi: bool) -> UrlResponse:
    """The response that a function describes. Raises KeyError, TypeError and ValueError."""
    if not isinstance(result, dict):
        raise TypeError("the result is no object")
    status = status_code(result["statusCode"])
    given = result.get("multiValueHeaders" if is_multi else "headers") or {}
    if not isinstance(given, dict):
        raise TypeError("the headers are no object")
    headers: list[tuple[str, str]] = []
    for name, value in given.items():
        values = value if is_multi else [value]
        if not isinstance(values, list):
            raise TypeError("the values of a header are no list")
        if is_sendable_header(name):
            headers += [(name, header_value(each)) for each in values]
    text = result.get("body") or ""
    if not isinstance(text, str):
        raise TypeError("the body is no text")
    is_encoded = result.get("isBase64Encoded") is True
    body = base64.b64decode(text, validate=True) if is_encoded else text.encode()
    return UrlResponse(status, headers, body)
