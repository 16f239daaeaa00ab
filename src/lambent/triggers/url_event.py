"""From an HTTP request to the event a function gets: payload format 2.0.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

import base64
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from lambent.identity.authorizer import Caller
from lambent.kit import quick_json
from lambent.kit.http.messages import Exchange
from lambent.model.function_url import FunctionUrl
from lambent.triggers.log_time import log_time

_DROPPED = frozenset({"connection", "transfer-encoding", "keep-alive", "te", "upgrade"})
_TEXT_TYPES = ("application/json", "application/xml", "application/javascript")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UrlRequest:
    """A request for a function URL, and what is known around it."""

    exchange: Exchange
    url: FunctionUrl
    path: str
    """What follows the host, still percent-encoded."""
    domain: str
    """The host name of the URL, without port."""
    request_id: str
    trace_id: str
    caller: Caller | None
    """Who signed it, if the URL asks for a signature."""
    note: Callable[[int], None]
    """Counts the response, by its status."""


def make_event(request: UrlRequest, now: float) -> bytes:
    """The event as JSON; `now` is epoch seconds."""
    exchange, caller = request.exchange, request.caller
    return proxy_event(
        exchange,
        path=request.path,
        query=exchange.query,
        headers=exchange.headers,
        context={
            "accountId": caller.scope.account if caller else "anonymous",
            "apiId": request.url.id,
            "domainName": request.domain,
            "domainPrefix": request.url.id,
            "requestId": request.request_id,
            **({} if caller is None else {"authorizer": {"iam": _iam(caller)}}),
        },
        trace_id=request.trace_id,
        now=now,
    )


def proxy_event(
    exchange: Exchange,
    *,
    path: str,
    query: str,
    headers: Mapping[str, str],
    context: Mapping[str, Any],
    trace_id: str,
    now: float,
) -> bytes:
    """An event of payload format 2.0 for a request, as JSON. `path` and `query` are still
    percent-encoded; `context` are the members of `requestContext` that say who is called."""
    shown = _headers(exchange, headers, context["domainName"], trace_id)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": shown,
        "requestContext": {
            **context,
            "http": {
                "method": exchange.method,
                "path": unquote(path),
                "protocol": "HTTP/1.1",
                "sourceIp": exchange.client_address,
                "userAgent": shown.get("user-agent", ""),
            },
            "routeKey": "$default",
            "stage": "$default",
            "time": log_time(int(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    cookies = [cookie.strip() for cookie in headers.get("cookie", "").split(";")]
    if any(cookies):
        event["cookies"] = [cookie for cookie in cookies if cookie]
    if query:
        event["queryStringParameters"] = _parameters(query)
    if exchange.body:
        event["body"], event["isBase64Encoded"] = _body(exchange)
    return quick_json.encode(event)


def _headers(
    exchange: Exchange, headers: Mapping[str, str], domain: str, trace_id: str
) -> dict[str, str]:
    """Lower-case names; what only concerns the connection is left out, what AWS's front adds is
    there, whatever the client claims."""
    host = headers.get("host", "")
    _, _, port = host.rpartition("]")[2].partition(":")
    return {
        **{name: value for name, value in headers.items() if name not in _DROPPED},
        # With its port: a function that redirects or makes links has no other way to know it.
        "host": host or domain,
        "x-amzn-trace-id": trace_id,
        "x-forwarded-for": exchange.client_address,
        "x-forwarded-port": port or ("443" if exchange.is_secure else "80"),
        "x-forwarded-proto": "https" if exchange.is_secure else "http",
    }


def _parameters(query: str) -> dict[str, str]:
    """Decoded; the values of a name that is there several times are joined by commas."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(exchange: Exchange) -> tuple[str, bool]:
    """The body as text, and whether that is base64."""
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_text = kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))
    if is_text:
        try:
            return exchange.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(exchange.body).decode(), True


def _iam(caller: Caller) -> dict[str, Any]:
    return {
        "accessKey": caller.access_key_id,
        "accountId": caller.principal.account,
        "callerId": caller.principal.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.principal.arn,
        "userId": caller.principal.user_id,
    }
