"""The event of a proxy integration: payload format 1.0.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
from collections.abc import Mapping
from typing import Any

from lambent.kit import quick_json
from lambent.triggers.apis.parameters import Parameters, last_values


def make_proxy_event(
    *,
    resource: str,
    path: str,
    method: str,
    parameters: Parameters,
    variables: Mapping[str, str],
    context: Mapping[str, Any],
    body: bytes,
    is_binary: bool,
) -> bytes:
    """The event as JSON. Maps without entries are null."""
    event = {
        **request_members(resource, path, method, parameters, variables, context),
        "body": _body(body, is_binary),
        "isBase64Encoded": bool(body) and is_binary,
    }
    return quick_json.encode(event)


def request_members(
    resource: str,
    path: str,
    method: str,
    parameters: Parameters,
    variables: Mapping[str, str],
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """What events of integrations and of authorizers have in common."""
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": last_values(parameters.headers) or None,
        "multiValueHeaders": parameters.headers or None,
        "queryStringParameters": last_values(parameters.query) or None,
        "multiValueQueryStringParameters": parameters.query or None,
        "pathParameters": parameters.path or None,
        "stageVariables": variables or None,
        "requestContext": context,
    }


def _body(body: bytes, is_binary: bool) -> str | None:
    if not body:
        return None
    return base64.b64encode(body).decode() if is_binary else body.decode("utf-8", "replace")


def event_path(path: str) -> str:
    """`event.path`: slashes at the start count as one."""
    return f"/{path.lstrip('/')}"
