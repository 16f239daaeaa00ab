"""Who may call a method: authorizers, IAM and API keys of an OpenAPI document."""

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

_AUTHORIZER = PREFIX + "authorizer"
_AUTH_TYPE = PREFIX + "authtype"
_AUTH = PREFIX + "auth"
_TEXTS = (
    *("authorizerUri", "authorizerCredentials", "identitySource"),
    "identityValidationExpression",
)


def authorizers(openapi: OpenApi) -> Mapping[str, Mapping[str, Any]]:
    """Members of CreateAuthorizer, by the name of the security scheme."""
    return {
        name: _authorizer(name, openapi.resolve(scheme))
        for name, scheme in openapi.security_schemes.items()
        if _AUTHORIZER in openapi.resolve(scheme)
    }


def authorization(openapi: OpenApi, operation: Operation) -> dict[str, Any]:
    """Members of PutMethod. `authorizerId` is the name of an authorizer."""
    members: dict[str, Any] = {"authorizationType": "NONE", "apiKeyRequired": False}
    for name, scopes in openapi.security_of(operation):
        scheme = openapi.resolve(openapi.security_schemes[name])
        if _AUTHORIZER in scheme:
            is_pool = mapping_in(scheme, _AUTHORIZER).get("type") == "cognito_user_pools"
            members["authorizationType"] = "COGNITO_USER_POOLS" if is_pool else "CUSTOM"
            members["authorizerId"] = name
            if is_pool and scopes:
                members["authorizationScopes"] = list(scopes)
        elif scheme.get(_AUTH_TYPE) == "awsSigv4":
            members["authorizationType"] = "AWS_IAM"
        elif scheme.get("type") == "apiKey":
            members["apiKeyRequired"] = True
        else:
            raise bad_request(
                f"The security scheme {name[:100]!r} has no {_AUTHORIZER}, so nothing would check"
                " requests."
            )
    if _AUTH in operation.node:
        kind = text_in(mapping_in(operation.node, _AUTH), "type")
        members["authorizationType"] = (kind or "NONE").upper()
        members.pop("authorizerId", None)
        members.pop("authorizationScopes", None)
    return members


def _authorizer(name: str, scheme: Node) -> Mapping[str, Any]:
    given = mapping_in(scheme, _AUTHORIZER)
    kind = (text_in(given, "type") or "token").upper()
    members: dict[str, Any] = {"name": name, "type": kind}
    for member in _TEXTS:
        value = text_in(given, member)
        if value:
            members[member] = value
    if "identitySource" not in members and kind != "REQUEST":
        header = text_in(scheme, "name") or "Authorization"
        members["identitySource"] = f"method.request.header.{header}"
    if text_in(scheme, _AUTH_TYPE):
        members["authType"] = text_in(scheme, _AUTH_TYPE)
    ttl = given.get("authorizerResultTtlInSeconds")
    if ttl is not None:
        members["authorizerResultTtlInSeconds"] = _whole(ttl, "authorizerResultTtlInSeconds")
    pools = given.get("providerARNs")
    if pools is not None:
        if not isinstance(pools, list) or not all(isinstance(arn, str) for arn in pools):
            raise bad_request("Invalid definition: providerARNs must be a list of texts.")
        members["providerARNs"] = pools
    return members


def _whole(value: Any, name: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise bad_request(f"Invalid definition: {name} must be a whole number.")
