"""Methods as operations of an OpenAPI document."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

_PREFIX = "x-amazon-apigateway-"
_API_KEY, _IAM = "api_key", "sigv4"
_PLACES = {"querystring": "query", "header": "header", "path": "path"}
_AUTHORIZER_TEXTS = (
    *("authorizerUri", "authorizerCredentials", "authorizerResultTtlInSeconds"),
    *("identitySource", "identityValidationExpression", "providerARNs"),
)
_NOT_EXPORTED = ("integrationResponses", "cacheNamespace", "cacheKeyParameters")

Body = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a deployment contains, and how it is written."""

    api: Body
    paths: Mapping[str, str]
    """Of resources, by id."""
    methods: Mapping[str, Body]
    models: Mapping[str, Body]
    authorizers: Mapping[str, Body]
    validators: Mapping[str, Body]
    gateway_responses: Mapping[str, Body]
    is_2: bool
    """Whether the document is one of Swagger 2.0."""
    extensions: frozenset[str]

    @classmethod
    def of(
        cls, snapshot: Sequence[Sequence[Any]], *, is_2: bool, extensions: frozenset[str]
    ) -> "Exported":
        """What a deployment's snapshot contains."""
        found: dict[str, dict[str, Body]] = {}
        for kind, id, body in snapshot:
            found.setdefault(kind, {})[id] = body
        return cls(
            api=next(iter(found["api"].values())),
            paths={id: body["path"] for id, body in found["resource"].items()},
            methods=found.get("method", {}),
            models=found.get("model", {}),
            authorizers=found.get("authorizer", {}),
            validators=found.get("request_validator", {}),
            gateway_responses=found.get("gateway_response", {}),
            is_2=is_2,
            extensions=extensions,
        )

    def has(self, extension: str) -> bool:
        """Whether an extension was asked for."""
        return bool(self.extensions & {extension, "apigateway"})

    def security_schemes(self) -> dict[str, Any]:
        """The security schemes that methods name."""
        schemes: dict[str, Any] = {}
        used = {method.get("authorizerId") for method in self.methods.values()}
        for id, authorizer in sorted(self.authorizers.items()):
            if id in used:
                schemes[authorizer["name"]] = self._scheme_of(authorizer)
        if any(method.get("apiKeyRequired") for method in self.methods.values()):
            schemes[_API_KEY] = {"type": "apiKey", "name": "x-api-key", "in": "header"}
        if any(method["authorizationType"] == "AWS_IAM" for method in self.methods.values()):
            scheme = {"type": "apiKey", "name": "Authorization", "in": "header"}
            if self.has("authorizers"):
                scheme[_PREFIX + "authtype"] = "awsSigv4"
            schemes[_IAM] = scheme
        return schemes

    def _scheme_of(self, authorizer: Body) -> dict[str, Any]:
        source = authorizer.get("identitySource", "").rpartition(".")[2]
        is_header = authorizer.get("identitySource", "").startswith("method.request.header.")
        scheme = {
            "type": "apiKey",
            "name": source if is_header and authorizer["type"] != "REQUEST" else "Unused",
            "in": "header",
        }
        if self.has("authorizers"):
            scheme[_PREFIX + "authtype"] = authorizer["authType"]
            scheme[_PREFIX + "authorizer"] = {
                "type": authorizer["type"].lower(),
                **{name: authorizer[name] for name in _AUTHORIZER_TEXTS if name in authorizer},
            }
        return scheme


def operation_of(exported: Exported, path: str, method: Body) -> dict[str, Any]:
    """One method."""
    operation: dict[str, Any] = {}
    if "operationName" in method:
        operation["operationId"] = method["operationName"]
    parameters = _parameters(exported, path, method)
    models: Mapping[str, str] = method.get("requestModels") or {}
    if exported.is_2:
        if models:
            operation["consumes"] = sorted(models)
            name = models[sorted(models)[0]]
            body = {"in": "body", "name": name, "required": True, "schema": _ref(exported, name)}
            parameters.append(body)
        produced = sorted(
            {
                content_type
                for response in (method.get("methodResponses") or {}).values()
                for content_type in response.get("responseModels") or {}
            }
        )
        if produced:
            operation["produces"] = produced
    elif models:
        operation["requestBody"] = {"content": _content(exported, models), "required": True}
    if parameters:
        operation["parameters"] = parameters
    operation["responses"] = {
        code: _response(exported, response)
        for code, response in sorted((method.get("methodResponses") or {}).items())
    }
    security = _security(exported, method)
    if security:
        operation["security"] = security
    validator = exported.validators.get(method.get("requestValidatorId", ""))
    if validator is not None and "apigateway" in exported.extensions:
        operation[_PREFIX + "request-validator"] = validator["name"]
    if exported.has("integrations") and "methodIntegration" in method:
        operation[_PREFIX + "integration"] = _integration(method["methodIntegration"])
    return operation


def _parameters(exported: Exported, path: str, method: Body) -> list[dict[str, Any]]:
    """Declared parameters, and those of the path, which OpenAPI always needs."""
    declared: dict[str, bool] = dict(method.get("requestParameters") or {})
    for part in path.split("/"):
        if part.startswith("{"):
            declared.setdefault(f"method.request.path.{part.strip('{}').rstrip('+')}", True)
    found = []
    for parameter, is_required in sorted(declared.items()):
        place, _, name = parameter.removeprefix("method.request.").partition(".")
        kind = _PLACES.get(place.removeprefix("multivalue"), "query")
        shape: dict[str, Any] = {"type": "string"}
        found.append(
            {
                "name": name,
                "in": kind,
                "required": kind == "path" or bool(is_required),
                **(shape if exported.is_2 else {"schema": shape}),
            }
        )
    return found


def _response(exported: Exported, response: Body) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": f"{response['statusCode']} response"}
    shape: dict[str, Any] = {"type": "string"}
    headers = {
        name.rpartition("header.")[2]: shape if exported.is_2 else {"schema": shape}
        for name in sorted(response.get("responseParameters") or {})
    }
    if headers:
        shown["headers"] = headers
    models: Mapping[str, str] = response.get("responseModels") or {}
    if models and exported.is_2:
        shown["schema"] = _ref(exported, models[sorted(models)[0]])
    elif models:
        shown["content"] = _content(exported, models)
    return shown


def _content(exported: Exported, models: Mapping[str, str]) -> dict[str, Any]:
    return {
        content_type: {"schema": _ref(exported, name)}
        for content_type, name in sorted(models.items())
    }


def _ref(exported: Exported, model: str) -> dict[str, str]:
    return {"$ref": f"#/{'definitions' if exported.is_2 else 'components/schemas'}/{model}"}


def _security(exported: Exported, method: Body) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    authorizer = exported.authorizers.get(method.get("authorizerId", ""))
    if authorizer is not None:
        found.append({authorizer["name"]: list(method.get("authorizationScopes") or [])})
    if method["authorizationType"] == "AWS_IAM":
        found.append({_IAM: []})
    if method.get("apiKeyRequired"):
        found.append({_API_KEY: []})
    return found


def _integration(integration: Body) -> dict[str, Any]:
    shown = {
        name: value
        for name, value in integration.items()
        if name not in _NOT_EXPORTED and value is not None
    }
    shown["type"] = shown["type"].lower()
    shown["passthroughBehavior"] = shown["passthroughBehavior"].lower()
    responses = {}
    for response in (integration.get("integrationResponses") or {}).values():
        pattern = response.get("selectionPattern") or "default"
        responses[pattern] = {
            name: value
            for name, value in response.items()
            if name != "selectionPattern" and value is not None
        }
    if responses:
        shown["responses"] = responses
    return shown
