"""Integrations of an OpenAPI document: `x-amazon-apigateway-integration`."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.openapi.document import (
    PREFIX,
    Node,
    OpenApi,
    Operation,
    mapping_in,
    text_in,
)

INTEGRATION = PREFIX + "integration"
_TEXTS = ("uri", "credentials", "cacheNamespace", "connectionId")
_CONSTANTS = (
    *("type", "httpMethod", "passthroughBehavior", "contentHandling", "connectionType"),
    "responseTransferMode",
)
"""Members whose values may be written in lower case."""


def integration_of(
    openapi: OpenApi, operation: Operation, warnings: list[str]
) -> dict[str, Any] | None:
    """Members of PutIntegration, `httpMethod` as in responses, and `integrationResponses`; None if
    the operation has no integration."""
    if INTEGRATION not in operation.node:
        return None
    given = openapi.resolve(operation.node[INTEGRATION])
    members: dict[str, Any] = {}
    for name in (*_TEXTS, *_CONSTANTS):
        value = text_in(given, name)
        if value:
            members[name] = value.upper() if name in _CONSTANTS else value
    if "type" not in members:
        raise bad_request(
            f"Invalid integration of {operation.method} {operation.path[:200]}: it has no type."
        )
    timeout = given.get("timeoutInMillis")
    if timeout is not None:
        if isinstance(timeout, bool) or not isinstance(timeout, int):
            raise bad_request("Invalid definition: timeoutInMillis must be a whole number.")
        members["timeoutInMillis"] = timeout
    for name in ("requestTemplates", "requestParameters"):
        texts = _texts(given, name, operation, warnings)
        if texts:
            members[name] = texts
    keys = given.get("cacheKeyParameters") or []
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise bad_request("Invalid definition: cacheKeyParameters must be a list of texts.")
    members["cacheKeyParameters"] = keys
    if "tlsConfig" in given:
        members["tlsConfig"] = dict(mapping_in(given, "tlsConfig"))
    responses = {}
    for pattern, response in mapping_in(given, "responses").items():
        body = _response(pattern, openapi.resolve(response), operation, warnings)
        responses[body["statusCode"]] = body
    if responses:
        members["integrationResponses"] = responses
    return members


def _response(
    pattern: str, given: Node, operation: Operation, warnings: list[str]
) -> dict[str, Any]:
    members: dict[str, Any] = {"statusCode": text_in(given, "statusCode") or "200"}
    if pattern != "default":
        members["selectionPattern"] = pattern
    conversion = text_in(given, "contentHandling")
    if conversion:
        members["contentHandling"] = conversion.upper()
    for name in ("responseParameters", "responseTemplates"):
        texts = _texts(given, name, operation, warnings)
        if texts:
            members[name] = texts
    return members


def _texts(
    given: Node, name: str, operation: Operation, warnings: list[str]
) -> Mapping[str, str | None]:
    """A map of texts. Other values are left out with a warning, in AWS's words."""
    found: dict[str, str | None] = {}
    for key, value in mapping_in(given, name).items():
        if isinstance(value, str) or (value is None and name.endswith("Templates")):
            found[key] = value
            continue
        shown = str(value).lower() if isinstance(value, bool) else str(value)[:100]
        warnings.append(
            f"Invalid format for '{name}'. Expected type string for property '{key}' of resource"
            f" '{operation.path}' and method '{operation.method}' but got '{shown}'"
        )
    return found
