"""HTTP APIs as OpenAPI documents: what ExportApi returns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lambent.control.apis.openapi.document import ANY_METHOD, PREFIX
from lambent.model.document import Body

Snapshot = Sequence[tuple[str, str, Body]]
"""Kind, id and body of all documents of an API."""

_INTEGRATION = {
    "ConnectionType": "connectionType",
    "CredentialsArn": "credentials",
    "Description": "description",
    "IntegrationMethod": "httpMethod",
    "IntegrationSubtype": "integrationSubtype",
    "IntegrationType": "type",
    "IntegrationUri": "uri",
    "PayloadFormatVersion": "payloadFormatVersion",
    "RequestParameters": "requestParameters",
    "ResponseParameters": "responseParameters",
    "TimeoutInMillis": "timeoutInMillis",
}
_AUTHORIZER = {
    "AuthorizerCredentialsArn": "authorizerCredentials",
    "AuthorizerPayloadFormatVersion": "authorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds": "authorizerResultTtlInSeconds",
    "AuthorizerUri": "authorizerUri",
    "EnableSimpleResponses": "enableSimpleResponses",
}
_RESPONSE = {"default": {"description": "Default response"}}


def export(snapshot: Snapshot, *, server: str, with_extensions: bool) -> dict[str, Any]:
    """The document of an API. `server` is the address at which it is reached."""
    by_kind: dict[str, dict[str, Body]] = {}
    for kind, id, body in snapshot:
        by_kind.setdefault(kind, {})[id] = body
    api = next(iter(by_kind["api"].values()))
    document: dict[str, Any] = {
        "openapi": "3.0.1",
        "info": {"title": api["Name"], "version": api.get("Version", "1.0")},
        "servers": [{"url": server}],
        "paths": _paths(by_kind, with_extensions=with_extensions),
    }
    if "Description" in api:
        document["info"]["description"] = api["Description"]
    if api.get("Tags"):
        document["tags"] = [
            {"name": name, PREFIX + "tag-value": value} if with_extensions else {"name": name}
            for name, value in api["Tags"].items()
        ]
    schemes = _schemes(by_kind, with_extensions=with_extensions)
    if schemes:
        document["components"] = {"securitySchemes": schemes}
    if with_extensions:
        if "CorsConfiguration" in api:
            document[PREFIX + "cors"] = {
                name[:1].lower() + name[1:]: value
                for name, value in api["CorsConfiguration"].items()
            }
        document[PREFIX + "importexport-version"] = "1.0"
    return document


def write(document: Mapping[str, Any], output_type: str) -> bytes:
    """A document as JSON or YAML."""
    if output_type == "JSON":
        return json.dumps(document, indent=2).encode()
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True)).encode()


def _paths(by_kind: Mapping[str, Mapping[str, Body]], *, with_extensions: bool) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    integrations = by_kind.get("integration", {})
    authorizers = by_kind.get("authorizer", {})
    for route in by_kind.get("route", {}).values():
        operation: dict[str, Any] = {"responses": _RESPONSE}
        if "OperationName" in route:
            operation["operationId"] = route["OperationName"]
        key = route["RouteKey"]
        if key == "$default":
            path, name = "/$default", ANY_METHOD
            operation["isDefaultRoute"] = True
        else:
            method, _, path = key.partition(" ")
            name = ANY_METHOD if method == "ANY" else method.lower()
        authorizer = authorizers.get(route.get("AuthorizerId", ""))
        if authorizer is not None:
            operation["security"] = [{authorizer["Name"]: route.get("AuthorizationScopes", [])}]
        elif route["AuthorizationType"] == "AWS_IAM" and with_extensions:
            operation[PREFIX + "auth"] = {"type": "AWS_IAM"}
        integration = integrations.get(str(route.get("Target", "")).removeprefix("integrations/"))
        if integration is not None and with_extensions:
            operation[PREFIX + "integration"] = _integration(integration)
        paths.setdefault(path, {})[name] = operation
    return paths


def _integration(integration: Body) -> dict[str, Any]:
    shown = {
        name: integration[member] for member, name in _INTEGRATION.items() if member in integration
    }
    return {**shown, "type": shown["type"].lower()}


def _schemes(by_kind: Mapping[str, Mapping[str, Body]], *, with_extensions: bool) -> dict[str, Any]:
    schemes: dict[str, Any] = {}
    for authorizer in by_kind.get("authorizer", {}).values():
        is_jwt = authorizer["AuthorizerType"] == "JWT"
        scheme: dict[str, Any] = (
            {"type": "oauth2", "flows": {}}
            if is_jwt
            else {"type": "apiKey", "name": "Unused", "in": "header"}
        )
        if with_extensions:
            shown: dict[str, Any] = {"type": "jwt" if is_jwt else "request"}
            if authorizer.get("IdentitySource"):
                shown["identitySource"] = ",".join(authorizer["IdentitySource"])
            if is_jwt:
                configuration = authorizer["JwtConfiguration"]
                shown["jwtConfiguration"] = {
                    "audience": configuration["Audience"],
                    "issuer": configuration["Issuer"],
                }
            for member, name in _AUTHORIZER.items():
                if member in authorizer:
                    shown[name] = authorizer[member]
            scheme[PREFIX + "authorizer"] = shown
        schemes[authorizer["Name"]] = scheme
    return schemes
