"""What a REST API is that an OpenAPI document describes."""

import dataclasses
import json
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
from lambent.control.apis.v1.importing.integrations import integration_of
from lambent.control.apis.v1.importing.schemas import Schemas
from lambent.control.apis.v1.importing.security import authorization, authorizers
from lambent.control.apis.v1.limits import RESOURCES_MAX

BASE_PATHS = ("ignore", "prepend", "split")
POLICY = PREFIX + "policy"
_VALIDATORS = PREFIX + "request-validators"
_VALIDATOR = PREFIX + "request-validator"
_RESPONSES = PREFIX + "gateway-responses"
_DOCUMENTATION = PREFIX + "documentation"
_ENDPOINT = PREFIX + "endpoint-configuration"
_JSON = "application/json"
_LOCATIONS = {"query": "querystring", "header": "header", "path": "path"}
_PATHS_MAX = 10 * RESOURCES_MAX


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedMethod:
    """A method that a document describes."""

    path: str
    verb: str
    body: Mapping[str, Any]
    """As stored, with names of authorizer and request validator in place of their ids."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """An API that a document describes. What belongs together is not checked yet."""

    api: Mapping[str, Any]
    """Members of CreateRestApi."""
    paths: Sequence[str]
    """Those of resources, also of ones without methods."""
    methods: Sequence[PlannedMethod]
    models: Mapping[str, Mapping[str, Any]]
    authorizers: Mapping[str, Mapping[str, Any]]
    validators: Mapping[str, Mapping[str, Any]]
    gateway_responses: Mapping[str, Mapping[str, Any]]
    documentation: Sequence[Mapping[str, Any]]
    warnings: Sequence[str]


def make_plan(document: Node, base_path: str = "ignore") -> Plan:
    """The API that a document describes. `base_path` says what happens to the base path of its
    paths. Raises `BadRequestException`."""
    if base_path not in BASE_PATHS:
        raise bad_request(f"Invalid basepath specified: it must be one of {', '.join(BASE_PATHS)}")
    openapi = OpenApi(document)
    prefix = _prefix(openapi.base_path, base_path)
    schemas, warnings = Schemas(openapi), list[str]()
    paths = [path for path in mapping_in(document, "paths") if path.startswith("/")]
    if len(paths) > _PATHS_MAX:
        raise bad_request(f"The document has more than {_PATHS_MAX} paths.")
    methods = [
        PlannedMethod(
            _joined(prefix, operation.path),
            operation.method,
            _method(openapi, operation, schemas, warnings),
        )
        for operation in openapi.operations
    ]
    return Plan(
        api=_api(openapi),
        paths=[_joined(prefix, path) for path in paths],
        methods=methods,
        models=schemas.models,
        authorizers=authorizers(openapi),
        validators={
            name: _validator(name, openapi.resolve(given))
            for name, given in mapping_in(document, _VALIDATORS).items()
        },
        gateway_responses={
            kind: _gateway_response(kind, openapi.resolve(given))
            for kind, given in mapping_in(document, _RESPONSES).items()
        },
        documentation=documentation_parts(document),
        warnings=warnings,
    )


def documentation_parts(document: Node) -> list[Mapping[str, Any]]:
    """Members of CreateDocumentationPart: `x-amazon-apigateway-documentation`."""
    parts = mapping_in(document, _DOCUMENTATION).get("documentationParts") or []
    if not isinstance(parts, list):
        raise bad_request("Invalid definition: documentationParts must be a list.")
    found: list[Mapping[str, Any]] = []
    for part in parts:
        if not isinstance(part, Mapping):
            raise bad_request("Invalid definition: a documentation part must be an object.")
        place = mapping_in(part, "location")
        location = {name: text_in(place, name) for name in place}
        if not location.get("type"):
            raise bad_request("Invalid definition: a documentation part has no location.")
        properties = json.dumps(mapping_in(part, "properties"))
        found.append({"location": location, "properties": properties})
    return found


def _api(openapi: OpenApi) -> Mapping[str, Any]:
    root, info = openapi.root, openapi.info
    name = text_in(info, "title")
    if not name:
        raise bad_request("Invalid OpenAPI input.")
    members: dict[str, Any] = {"name": name}
    for member in ("description", "version"):
        if text_in(info, member):
            members[member] = text_in(info, member)
    types = root.get(PREFIX + "binary-media-types") or []
    if not isinstance(types, list) or not all(isinstance(kind, str) for kind in types):
        raise bad_request("Invalid definition: binary media types must be a list of texts.")
    if types:
        members["binaryMediaTypes"] = list(dict.fromkeys(types))
    if text_in(root, PREFIX + "api-key-source"):
        members["apiKeySource"] = str(text_in(root, PREFIX + "api-key-source")).upper()
    size = root.get(PREFIX + "minimum-compression-size")
    if size is not None:
        if isinstance(size, bool) or not isinstance(size, int):
            raise bad_request("Invalid definition: the minimum compression size is no number.")
        members["minimumCompressionSize"] = size
    if POLICY in root:
        members["policy"] = json.dumps(mapping_in(root, POLICY))
    endpoint = _endpoint(openapi)
    if endpoint.get("vpcEndpointIds"):
        members["endpointConfiguration"] = {"vpcEndpointIds": endpoint["vpcEndpointIds"]}
    if isinstance(endpoint.get("disableExecuteApiEndpoint"), bool):
        members["disableExecuteApiEndpoint"] = endpoint["disableExecuteApiEndpoint"]
    return members


def _endpoint(openapi: OpenApi) -> Node:
    """`x-amazon-apigateway-endpoint-configuration`, which 3.0 has in the first server."""
    servers = openapi.root.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    if isinstance(first, Mapping) and _ENDPOINT in first:
        return mapping_in(first, _ENDPOINT)
    return mapping_in(openapi.root, _ENDPOINT)


def _method(
    openapi: OpenApi, operation: Operation, schemas: Schemas, warnings: list[str]
) -> Mapping[str, Any]:
    node = operation.node
    body: dict[str, Any] = {"httpMethod": operation.method, **authorization(openapi, operation)}
    name = text_in(node, "operationId")
    if name:
        body["operationName"] = name
    validator = text_in(node, _VALIDATOR) or text_in(openapi.root, _VALIDATOR)
    if validator:
        body["requestValidatorId"] = validator
    parameters, models = _inputs(openapi, operation, schemas, warnings)
    if parameters:
        body["requestParameters"] = parameters
    if models:
        body["requestModels"] = models
    responses = {
        code: _response(openapi, operation, code, openapi.resolve(given), schemas)
        for code, given in mapping_in(node, "responses").items()
        if code.isdecimal()
    }
    if responses:
        body["methodResponses"] = responses
    integration = integration_of(openapi, operation, warnings)
    if integration is not None:
        body["methodIntegration"] = integration
    return body


def _inputs(
    openapi: OpenApi, operation: Operation, schemas: Schemas, warnings: list[str]
) -> tuple[Mapping[str, bool], Mapping[str, str]]:
    """Parameters of a request, and the models of its body by content type."""
    parameters: dict[str, bool] = {}
    models: dict[str, str] = {}
    for given in (*_listed(operation.path_item), *_listed(operation.node)):
        parameter = openapi.resolve(given)
        place, name = parameter.get("in"), text_in(parameter, "name") or ""
        if place in _LOCATIONS:
            is_required = parameter.get("required") is True
            parameters[f"method.request.{_LOCATIONS[place]}.{name}"] = is_required
        elif place == "body":
            for content_type in _types(openapi, operation, "consumes"):
                model = schemas.name_of(parameter.get("schema"), content_type)
                if model is not None:
                    models[content_type] = model
        else:
            warnings.append(
                f"Parameter '{name[:100]}' in '{str(place)[:20]}' of resource '{operation.path}'"
                f" and method '{operation.method}' is not supported and is ignored"
            )
    if "requestBody" in operation.node:
        body = openapi.resolve(operation.node["requestBody"])
        models |= _content(openapi, body, schemas)
    return parameters, models


def _response(
    openapi: OpenApi, operation: Operation, code: str, given: Node, schemas: Schemas
) -> Mapping[str, Any]:
    body: dict[str, Any] = {"statusCode": code}
    headers = {f"method.response.header.{name}": False for name in mapping_in(given, "headers")}
    if headers:
        body["responseParameters"] = headers
    models = dict(_content(openapi, given, schemas))
    if "schema" in given:
        for content_type in _types(openapi, operation, "produces"):
            model = schemas.name_of(given["schema"], content_type)
            if model is not None:
                models[content_type] = model
    if models:
        body["responseModels"] = models
    return body


def _content(openapi: OpenApi, node: Node, schemas: Schemas) -> Mapping[str, str]:
    """Models by content type, of 3.0."""
    models = {}
    for content_type, media in mapping_in(node, "content").items():
        model = schemas.name_of(openapi.resolve(media).get("schema"), content_type)
        if model is not None:
            models[content_type] = model
    return models


def _types(openapi: OpenApi, operation: Operation, member: str) -> Sequence[str]:
    """`consumes` or `produces`, of 2.0."""
    found = operation.node.get(member, openapi.root.get(member))
    if isinstance(found, list) and found and all(isinstance(kind, str) for kind in found):
        return found
    return [_JSON]


def _listed(node: Node) -> Sequence[Any]:
    found = node.get("parameters")
    return found if isinstance(found, list) else []


def _validator(name: str, given: Node) -> Mapping[str, Any]:
    return {
        "name": name,
        "validateRequestBody": given.get("validateRequestBody") is True,
        "validateRequestParameters": given.get("validateRequestParameters") is True,
    }


def _gateway_response(kind: str, given: Node) -> Mapping[str, Any]:
    body: dict[str, Any] = {"responseType": kind}
    if text_in(given, "statusCode"):
        body["statusCode"] = text_in(given, "statusCode")
    for name in ("responseParameters", "responseTemplates"):
        texts = mapping_in(given, name)
        if not all(isinstance(value, str) for value in texts.values()):
            raise bad_request(f"Invalid definition: {name} of {kind[:50]} must be texts.")
        if texts:
            body[name] = dict(texts)
    return body


def _prefix(path: str, mode: str) -> str:
    if mode == "ignore":
        return ""
    if mode == "prepend":
        return path
    # Split: the first part of the base path is left to a stage or a mapping.
    rest = path.lstrip("/").partition("/")[2]
    return f"/{rest}" if rest else ""


def _joined(prefix: str, path: str) -> str:
    return f"{prefix}{path}".rstrip("/") or "/"
