"""HTTP APIs from OpenAPI documents: what ImportApi and ReimportApi make of one."""

import dataclasses
from collections.abc import Mapping, Sequence
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
from lambent.model.document import Body

_INTEGRATION = {
    "connectionId": "ConnectionId",
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "description": "Description",
    "httpMethod": "IntegrationMethod",
    "integrationSubtype": "IntegrationSubtype",
    "payloadFormatVersion": "PayloadFormatVersion",
    "uri": "IntegrationUri",
}
"""Members of v2 by those of `x-amazon-apigateway-integration`, which are texts."""
_CORS = {
    "allowCredentials": "AllowCredentials",
    "allowHeaders": "AllowHeaders",
    "allowMethods": "AllowMethods",
    "allowOrigins": "AllowOrigins",
    "exposeHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}
_AUTHORIZER = {
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerUri": "AuthorizerUri",
    "identityValidationExpression": "IdentityValidationExpression",
}
_BASE_PATHS = ("ignore", "prepend", "split")


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedRoute:
    """A route that a document describes."""

    given: Body
    """Members of CreateRoute, without Target and AuthorizerId."""
    integration: Body | None
    """Members of CreateIntegration."""
    authorizer: str | None
    """The name of an authorizer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """An API that a document describes. What belongs together is not checked yet."""

    api: Body
    """Members of CreateApi."""
    authorizers: Mapping[str, Body]
    """Members of CreateAuthorizer, by name: those that a route uses."""
    routes: Sequence[PlannedRoute]
    ignored: Sequence[str]
    """What of the document has no meaning for HTTP APIs."""


def make_plan(document: Node, base_path: str) -> Plan:
    """The API that a document describes. `base_path` says what happens to the base path of its
    paths: `ignore`, `prepend` or `split`. Raises `BadRequestException`."""
    if base_path not in _BASE_PATHS:
        raise bad_request(f"Invalid basepath specified: it must be one of {', '.join(_BASE_PATHS)}")
    openapi = OpenApi(document)
    if openapi.is_2:
        raise bad_request("HTTP APIs are imported from OpenAPI 3.0, not from Swagger 2.0")
    prefix = _prefix(openapi.base_path, base_path)
    schemes: dict[str, str] = {}
    routes = []
    for operation in openapi.operations:
        authorization, authorizer = _authorization(openapi, operation)
        if authorizer is not None:
            schemes[authorizer] = authorizer
        given = {"RouteKey": _route_key(operation, prefix), **authorization}
        name = text_in(operation.node, "operationId")
        if name:
            given["OperationName"] = name
        routes.append(PlannedRoute(given, _integration(openapi, operation), authorizer))
    authorizers = {name: _authorizer(openapi, name) for name in schemes}
    return Plan(_api(openapi), authorizers, routes, _ignored(openapi))


def _prefix(path: str, mode: str) -> str:
    if mode == "ignore":
        return ""
    if mode == "prepend":
        return path
    # Split: the first part of the base path is left to a stage or a mapping.
    _, _, rest = path.lstrip("/").partition("/")
    return f"/{rest}" if rest else ""


def _api(openapi: OpenApi) -> Body:
    info = openapi.info
    name = text_in(info, "title")
    if not name:
        raise bad_request("The definition has no info.title, which becomes the name of the API.")
    api: dict[str, Any] = {"Name": name, "ProtocolType": "HTTP"}
    for member, source in (("Version", "version"), ("Description", "description")):
        value = text_in(info, source)
        if value:
            api[member] = value
    cors = mapping_in(openapi.root, PREFIX + "cors")
    if cors:
        api["CorsConfiguration"] = _cors(cors)
    endpoint = mapping_in(openapi.root, PREFIX + "endpoint-configuration")
    if endpoint.get("disableExecuteApiEndpoint") is True:
        api["DisableExecuteApiEndpoint"] = True
    tags = openapi.root.get("tags")
    found = {
        str(tag.get("name", "")): str(tag[PREFIX + "tag-value"])
        for tag in (tags if isinstance(tags, list) else ())
        if isinstance(tag, Mapping) and PREFIX + "tag-value" in tag
    }
    if found:
        api["Tags"] = found
    return api


def _cors(cors: Node) -> Body:
    """The CORS configuration, with the types that the service's model has."""
    shown: dict[str, Any] = {}
    for name, member in _CORS.items():
        value = cors.get(name)
        if value is None:
            continue
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        fits = {
            "allowCredentials": isinstance(value, bool),
            "maxAge": type(value) is int and -1 <= value <= 86_400,
        }.get(name, is_list or isinstance(value, str))
        if not fits:
            raise bad_request(f"Invalid {name} in {PREFIX}cors.")
        shown[member] = [value] if isinstance(value, str) else value
    return shown


def _route_key(operation: Operation, prefix: str) -> str:
    is_default = operation.node.get("isDefaultRoute") is True
    if is_default or operation.path == "/$default":
        return "$default"
    path = prefix + operation.path
    return f"{operation.method} {path}"


def _integration(openapi: OpenApi, operation: Operation) -> Body | None:
    node = operation.node.get(PREFIX + "integration")
    if node is None:
        return None
    node = openapi.resolve(node)
    kind = (text_in(node, "type") or "").upper()
    if kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise bad_request(
            f"Invalid integration type {kind[:50]!r} of {operation.method} {operation.path[:200]}:"
            " HTTP APIs have aws_proxy and http_proxy."
        )
    integration: dict[str, Any] = {"IntegrationType": kind}
    for name, member in _INTEGRATION.items():
        value = text_in(node, name)
        if value is not None:
            integration[member] = value.upper() if name == "httpMethod" else value
    if "tlsConfig" in node:
        integration["TlsConfig"] = node["tlsConfig"]
    timeout = node.get("timeoutInMillis")
    if timeout is not None:
        if type(timeout) is not int or not 50 <= timeout <= 30_000:
            raise bad_request("Timeout should be between 50 ms and 30000 ms")
        integration["TimeoutInMillis"] = timeout
    parameters = mapping_in(node, "requestParameters")
    if parameters:
        integration["RequestParameters"] = _texts(parameters)
    responses = mapping_in(node, "responseParameters")
    if responses:
        integration["ResponseParameters"] = {
            status: _texts(mapping_in(responses, status)) for status in responses
        }
    return integration


def _texts(node: Node) -> Mapping[str, str]:
    return {name: text_in(node, name) or "" for name in node}


def _authorization(openapi: OpenApi, operation: Operation) -> tuple[Body, str | None]:
    """Members of the route, and the name of its authorizer."""
    if mapping_in(operation.node, PREFIX + "auth").get("type") == "AWS_IAM":
        return {"AuthorizationType": "AWS_IAM"}, None
    required = openapi.security_of(operation)
    if not required:
        return {}, None
    if len(required) > 1:
        raise bad_request(
            f"{operation.method} {operation.path[:200]} has several security schemes: a route of"
            " an HTTP API has one authorizer."
        )
    name, scopes = required[0]
    scheme = openapi.resolve(openapi.security_schemes[name])
    if scheme.get(PREFIX + "authtype") == "awsSigv4":
        return {"AuthorizationType": "AWS_IAM"}, None
    authorizer = mapping_in(scheme, PREFIX + "authorizer")
    if not authorizer:
        # Without one, the route would be open to everyone.
        raise bad_request(
            f"The security scheme {name[:100]!r} has no {PREFIX}authorizer: nothing would enforce"
            " it."
        )
    if str(authorizer.get("type", "")).lower() == "jwt":
        members: dict[str, Any] = {"AuthorizationType": "JWT"}
        if scopes:
            members["AuthorizationScopes"] = list(scopes)
        return members, name
    return {"AuthorizationType": "CUSTOM"}, name


def _authorizer(openapi: OpenApi, name: str) -> Body:
    scheme = openapi.resolve(openapi.security_schemes[name])
    node = mapping_in(scheme, PREFIX + "authorizer")
    kind = (text_in(node, "type") or "").upper()
    if kind not in ("JWT", "REQUEST"):
        raise bad_request(f"Invalid type of authorizer {name[:100]!r}: it must be jwt or request.")
    body: dict[str, Any] = {"Name": name, "AuthorizerType": kind}
    for source, member in _AUTHORIZER.items():
        value = text_in(node, source)
        if value is not None:
            body[member] = value
    sources = node.get("identitySource")
    if isinstance(sources, str):
        sources = [part.strip() for part in sources.split(",") if part.strip()]
    if not isinstance(sources, list) or not all(isinstance(part, str) for part in sources):
        sources = []
    body["IdentitySource"] = sources
    ttl = node.get("authorizerResultTtlInSeconds")
    if ttl is not None:
        if type(ttl) is not int or not 0 <= ttl <= 3600:
            raise bad_request(f"Invalid authorizerResultTtlInSeconds of {name[:100]!r}.")
        body["AuthorizerResultTtlInSeconds"] = ttl
    if node.get("enableSimpleResponses") is True:
        body["EnableSimpleResponses"] = True
    configuration = mapping_in(node, "jwtConfiguration")
    if configuration:
        audience = configuration.get("audience")
        is_list = isinstance(audience, list) and all(isinstance(it, str) for it in audience)
        body["JwtConfiguration"] = {
            "Issuer": text_in(configuration, "issuer") or "",
            "Audience": audience if is_list else [],
        }
    return body


def _ignored(openapi: OpenApi) -> Sequence[str]:
    """The parts that HTTP APIs do not have, as AWS lists them in `ImportInfo`."""
    notes = []
    if openapi.schemas:
        notes.append("Ignored the schemas: HTTP APIs have no models")
    for name in ("request-validators", "gateway-responses", "policy", "binary-media-types"):
        if openapi.root.get(PREFIX + name):
            raise bad_request(f"{PREFIX}{name} is not supported for HTTP APIs")
    return notes
