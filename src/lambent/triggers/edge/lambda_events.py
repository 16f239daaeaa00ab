"""Events of Lambda@Edge.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
"""

import base64
import http
import json
from typing import Any

from lambent.triggers.edge.distribution import Distribution, Origin
from lambent.triggers.edge.messages import EdgeRequest, HeaderItems

BODY_BYTES_MAX = {"viewer-request": 40 * 1024, "origin-request": 1024 * 1024}
"""What functions get of a body, and may replace it by."""
_DISALLOWED = frozenset(
    {
        *("connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "trailer", "upgrade", "x-accel-buffering", "x-accel-charset"),
        *("x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth", "x-amzn-cf-billing"),
        *("x-amzn-cf-id", "x-amzn-cf-xff", "x-amzn-errortype", "x-amzn-fle-profile"),
        *("x-amzn-header-count", "x-amzn-header-order", "x-amzn-lambda-integration-tag"),
        *("x-amzn-requestid", "x-cache", "x-forwarded-proto", "x-real-ip"),
    }
)
Described = dict[str, list[dict[str, str]]]


def is_disallowed(name: str) -> bool:
    """Whether functions neither see nor set a header, by its name in lower case."""
    return name in _DISALLOWED or name.startswith(("x-amz-cf-", "x-edge-"))


def describe_headers(headers: HeaderItems) -> Described:
    """Headers as events have them."""
    found: Described = {}
    for name, value in headers:
        low = name.lower()
        if not is_disallowed(low):
            found.setdefault(low, []).append({"key": name, "value": value})
    return found


def describe_request(request: EdgeRequest, headers: HeaderItems, query: str) -> dict[str, Any]:
    """A request with these headers and query strings."""
    return {
        "clientIp": request.client_ip,
        "headers": describe_headers(headers),
        "method": request.method,
        "querystring": query,
        "uri": request.uri,
    }


def describe_body(body: bytes, event_type: str) -> dict[str, Any]:
    """The body of a request, as far as functions get it."""
    most = BODY_BYTES_MAX[event_type]
    return {
        "inputTruncated": len(body) > most,
        "action": "read-only",
        "encoding": "base64",
        "data": base64.b64encode(body[:most]).decode(),
    }


def describe_origin(origin: Origin, *, is_secure: bool) -> dict[str, Any]:
    """Where a request goes."""
    headers: Described = {}
    for name, value in origin.headers:
        headers.setdefault(name.lower(), []).append({"key": name, "value": value})
    common = {"customHeaders": headers, "domainName": origin.domain, "path": origin.path}
    if origin.is_bucket:
        has_identity = origin.has_identity or origin.signs != "never"
        method = "origin-access-identity" if has_identity else "none"
        region = origin.domain.partition(".s3.")[2].partition(".")[0]
        return {"s3": {**common, "authMethod": method, "region": region if "-" in region else ""}}
    protocol = origin.protocol.removesuffix("-only")
    if protocol == "match-viewer":
        protocol = "https" if is_secure else "http"
    return {
        "custom": {
            **common,
            "keepaliveTimeout": 5,
            "port": origin.https_port if protocol == "https" else origin.http_port,
            "protocol": protocol,
            "readTimeout": int(origin.read_s),
            "sslProtocols": ["TLSv1.2"],
        }
    }


def describe_response(status: int, headers: HeaderItems) -> dict[str, Any]:
    """A response."""
    try:
        reason = http.HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    return {
        "headers": describe_headers(headers),
        "status": str(status),
        "statusDescription": reason,
    }


def make_event(
    distribution: Distribution, event_type: str, request_id: str, **described: Any
) -> bytes:
    """The event with a `request`, and perhaps a `response`."""
    config = {
        "distributionDomainName": distribution.domain,
        "distributionId": distribution.id,
        "eventType": event_type,
        "requestId": request_id,
    }
    event = {"Records": [{"cf": {"config": config, **described}}]}
    return json.dumps(event, separators=(",", ":")).encode()
