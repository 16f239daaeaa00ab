"""The events that functions get from WebSocket APIs: connected, message, disconnected.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from websockets.frames import Close

from lambent.kit import quick_json
from lambent.kit.http.messages import Exchange
from lambent.model.arn import AccountId
from lambent.triggers.apis.parameters import Parameters, last_values, parse_query
from lambent.triggers.log_time import log_time

_OF_THE_CONNECTION = frozenset({"connection", "upgrade", "content-length"})
_FORWARDED = frozenset(
    {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}
)
"""Headers of the front: what the client claims does not count."""
JsonObject = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What is known of a client's connection from its first request on."""

    id: str
    """Sixteen characters, the last of them `=`."""
    account: AccountId
    """Of the API."""
    api_id: str
    stage: str
    domain: str
    """The host name that the client used, without port."""
    connected_at: float
    """Epoch seconds."""
    source_ip: str
    user_agent: str
    """Empty if the client did not say."""
    trace_id: str
    authorizer: Mapping[str, Any] | None = None
    """The principal and the context that a function authorized; in every further event."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """What goes to the integration of a route: one event of a connection."""

    connection: Connection
    route_key: str
    kind: str
    """`CONNECT`, `MESSAGE` or `DISCONNECT`."""
    request_id: str
    """Such as `Mc7UVioPPHcEKPA=`."""
    now: float
    """Epoch seconds."""
    message_id: str = ""
    body: str | None = None
    how_it_ended: Close | None = None
    headers: Sequence[tuple[str, str]] = ()
    """As they appear in the event."""
    query: str = ""
    stage_variables: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def parameters(self) -> Parameters:
        """Headers and query of a client that connects; of other events empty."""
        headers = self.headers if self.kind == "CONNECT" else ()
        return Parameters(_by_name(headers), parse_query(self.query), {})

    def context(self) -> JsonObject:
        """`requestContext`, and what templates know as `$context`."""
        connection = self.connection
        context: JsonObject = {"routeKey": self.route_key}
        if self.how_it_ended is not None:
            context["disconnectStatusCode"] = self.how_it_ended.code
        if connection.authorizer is not None:
            context["authorizer"] = dict(connection.authorizer)
        if self.message_id:
            context["messageId"] = self.message_id
        context |= {
            "eventType": self.kind,
            "extendedRequestId": self.request_id,
            "requestTime": log_time(int(self.now)),
            "messageDirection": "IN",
        }
        if self.how_it_ended is not None:
            context["disconnectReason"] = self.how_it_ended.reason
        identity = {"sourceIp": connection.source_ip}
        if connection.user_agent:
            identity = {"userAgent": connection.user_agent, **identity}
        return context | {
            "stage": connection.stage,
            "connectedAt": int(connection.connected_at * 1000),
            "requestTimeEpoch": int(self.now * 1000),
            "identity": identity,
            "requestId": self.request_id,
            "domainName": connection.domain,
            "connectionId": connection.id,
            "apiId": connection.api_id,
        }

    def event(self) -> bytes:
        """The event of a function, as JSON."""
        event: JsonObject = {}
        if self.headers:
            event |= _header_members(self.headers)
        if self.query:
            event |= _query_members(self.query)
        if self.stage_variables:
            event["stageVariables"] = dict(self.stage_variables)
        event["requestContext"] = self.context()
        if self.body is not None:
            event["body"] = self.body
        event["isBase64Encoded"] = False
        return quick_json.encode(event)


def authorizer_event(request: RouteRequest, method_arn: str, exchange: Exchange) -> bytes:
    """The event of the function that authorizes `$connect`."""
    offered = [
        (name, value)
        for name, value in exchange.header_items
        if name.lower() in ("connection", "upgrade")
    ]
    event: JsonObject = {
        "type": "REQUEST",
        "methodArn": method_arn,
        **_header_members([*offered, ("content-length", "0"), *request.headers]),
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        **_query_members(request.query),
        "stageVariables": dict(request.stage_variables),
        "requestContext": request.context(),
    }
    return quick_json.encode(event)


def connect_headers(exchange: Exchange, connection: Connection) -> Sequence[tuple[str, str]]:
    """The headers of the `$connect` event: those of the client, as it spelled them, and those that
    the front adds."""
    _, _, port = exchange.headers.get("host", "").rpartition("]")[2].partition(":")
    lines = [
        (name, value)
        for name, value in exchange.header_items
        if name.lower() not in _OF_THE_CONNECTION and name.lower() not in _FORWARDED
    ]
    return [
        *lines,
        ("X-Amzn-Trace-Id", connection.trace_id),
        ("X-Forwarded-For", connection.source_ip),
        ("X-Forwarded-Port", port or ("443" if exchange.is_secure else "80")),
        ("X-Forwarded-Proto", "https" if exchange.is_secure else "http"),
    ]


def disconnect_headers(connection: Connection) -> Sequence[tuple[str, str]]:
    """The headers of the `$disconnect` event: there is no request with any."""
    return [
        ("Host", connection.domain),
        ("x-api-key", ""),
        ("X-Forwarded-For", ""),
        ("x-restapi", ""),
    ]


def _header_members(lines: Sequence[tuple[str, str]]) -> JsonObject:
    """Of several values of a header, `headers` has the last."""
    several = _by_name(lines)
    return {"headers": last_values(several), "multiValueHeaders": several}


def _by_name(lines: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of each header, under its name as it is spelled first."""
    several: dict[str, list[str]] = {}
    spelled: dict[str, str] = {}
    for name, value in lines:
        several.setdefault(spelled.setdefault(name.lower(), name), []).append(value)
    return several


def _query_members(query: str) -> JsonObject:
    several = parse_query(query)
    if not several:
        return {}
    return {
        "queryStringParameters": last_values(several),
        "multiValueQueryStringParameters": several,
    }
