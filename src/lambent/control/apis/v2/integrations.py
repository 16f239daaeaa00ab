"""The rules of integrations and of their responses."""

import re
from collections.abc import Mapping

from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v2.expressions import (
    check_request_parameters,
    check_response_parameters,
    check_service_parameters,
)
from lambent.control.apis.v2.texts import check_lengths, check_pattern, is_http
from lambent.control.apis.v2.websockets import check_response, check_served
from lambent.model.document import Body, Document
from lambent.model.service_integrations import SUBTYPES
from lambent.store.store import Transaction

_LENGTHS = {
    "Description": (0, 1024),
    "IntegrationUri": (1, 2048),
    "CredentialsArn": (1, 2048),
    "TemplateSelectionExpression": (0, 512),
}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"})
_VARIABLE = r"\$\{stageVariables\.[A-Za-z0-9_]+\}"
_FUNCTION = rf"arn:aws:lambda:[a-z0-9-]+:[0-9]{{12}}:function:(?:[A-Za-z0-9_:$-]|{_VARIABLE})+"
FUNCTION_URI = re.compile(
    rf"(?:arn:aws:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/)?(?P<arn>{_FUNCTION})"
    r"(?:/invocations)?"
)
"""A function as integrations and authorizers name it: its ARN, alone or in a path."""
_SERVICE_URI = re.compile(r"arn:aws:apigateway:[a-z0-9-]+:[a-z0-9.-]+:(?:path|action)/.+")
_URL = re.compile(r"https?://[^\s/?#]+[^\s#]*")
_ROLE = re.compile(r"arn:aws:iam::[0-9]{12}:role/[\w+=,.@/-]+")
_TEMPLATE_BYTES_MAX = 300 * 1024


def check_integration(draft: Draft) -> Body:
    """The body of an integration with the defaults of its type. Raises `ApiError`."""
    body = dict(draft.body)
    check_lengths(body, _LENGTHS)
    if body.get("ConnectionType") == "VPC_LINK" or "ConnectionId" in body:
        raise unsupported("VPC links (ConnectionType VPC_LINK and ConnectionId)")
    if "TlsConfig" in body:
        raise unsupported("TlsConfig: certificates are checked against the host of the URI")
    credentials = body.get("CredentialsArn")
    if credentials is not None and _ROLE.fullmatch(credentials) is None:
        raise unsupported("a CredentialsArn that is not the ARN of a role")
    body.setdefault("ConnectionType", "INTERNET")
    if is_http(draft.api):
        return _check_of_http_api(body)
    return _check_of_websocket_api(body)


def _check_of_http_api(body: dict[str, object]) -> Body:
    kind, uri = str(body["IntegrationType"]), str(body.get("IntegrationUri", ""))
    for member in (
        *("ContentHandlingStrategy", "PassthroughBehavior", "RequestTemplates"),
        "TemplateSelectionExpression",
    ):
        if member in body:
            raise bad_request(f"{member} is not supported on protocolType HTTP")
    version = body.setdefault("PayloadFormatVersion", "1.0")
    if version not in ("1.0", "2.0"):
        raise bad_request("PayloadFormatVersion must be one of [1.0, 2.0]")
    body.setdefault("TimeoutInMillis", 30_000)
    parameters = body.get("RequestParameters") or {}
    assert isinstance(parameters, Mapping)
    subtype = body.get("IntegrationSubtype")
    if kind == "AWS_PROXY" and subtype is not None:
        return _check_of_service(body, str(subtype), parameters)
    if subtype is not None:
        raise bad_request("IntegrationSubtype is only supported for AWS_PROXY integrations")
    check_request_parameters(parameters)
    responses = body.get("ResponseParameters") or {}
    assert isinstance(responses, Mapping)
    check_response_parameters(responses)
    if kind == "AWS_PROXY":
        _check_function(uri)
        body["IntegrationMethod"] = "POST"
    elif kind == "HTTP_PROXY":
        _check_url(body, uri)
        if version != "1.0":
            raise bad_request("PayloadFormatVersion must be 1.0 for HTTP_PROXY integrations")
    else:
        raise bad_request(f"Integration type {kind} is not supported on protocolType HTTP")
    return body


def _check_of_service(body: dict[str, object], name: str, parameters: Mapping[str, str]) -> Body:
    subtype = SUBTYPES.get(name)
    if subtype is None:
        raise bad_request(f"Invalid IntegrationSubtype specified: {name[:128]!r}")
    if "IntegrationUri" in body:
        raise bad_request("IntegrationUri is not supported for integrations with a subtype")
    if "CredentialsArn" not in body:
        raise bad_request("CredentialsArn is required for integrations with a subtype")
    if body["PayloadFormatVersion"] != "1.0":
        raise bad_request("PayloadFormatVersion must be 1.0 for integrations with a subtype")
    responses = body.get("ResponseParameters") or {}
    assert isinstance(responses, Mapping)
    check_response_parameters(responses)
    check_service_parameters(subtype, parameters)
    return body


def _check_of_websocket_api(body: dict[str, object]) -> Body:
    kind, uri = str(body["IntegrationType"]), str(body.get("IntegrationUri", ""))
    if "IntegrationSubtype" in body:
        raise bad_request("IntegrationSubtype is not supported on protocolType WEBSOCKET")
    if body.setdefault("PayloadFormatVersion", "1.0") != "1.0":
        raise bad_request("PayloadFormatVersion must be 1.0 on protocolType WEBSOCKET")
    timeout = body.setdefault("TimeoutInMillis", 29_000)
    if not isinstance(timeout, int) or timeout > 29_000:
        raise bad_request("Timeout should be between 50 ms and 29000 ms")
    body.setdefault("PassthroughBehavior", "WHEN_NO_MATCH")
    templates = body.get("RequestTemplates") or {}
    assert isinstance(templates, Mapping)
    for template in templates.values():
        if len(template.encode()) > _TEMPLATE_BYTES_MAX:
            raise bad_request("Templates must be smaller than 300 KB")
    if kind == "AWS_PROXY":
        _check_function(uri)
        body["IntegrationMethod"] = "POST"
    elif kind == "AWS":
        if FUNCTION_URI.fullmatch(uri) is None and _SERVICE_URI.fullmatch(uri) is None:
            raise bad_request("AWS ARN for integration must contain path or action")
        body.setdefault("IntegrationMethod", "POST")
    elif kind in ("HTTP", "HTTP_PROXY"):
        _check_url(body, uri)
    check_served(body)
    body["IntegrationResponseSelectionExpression"] = "${integration.response.statuscode}"
    return body


def _check_function(uri: str) -> None:
    if FUNCTION_URI.fullmatch(uri) is None:
        raise bad_request(
            "Invalid integration URI specified: integrations of type 'AWS_PROXY' name the ARN of a"
            " Lambda function."
        )


def _check_url(body: Mapping[str, object], uri: str) -> None:
    check_pattern("HTTP endpoint for URI", uri, _URL, "is no http:// or https:// URL")
    method = body.get("IntegrationMethod")
    if not method:
        raise bad_request("Enumeration value for HttpMethod must be non-empty")
    if method not in _METHODS:
        raise bad_request(f"Invalid HTTP method specified: {str(method)[:64]!r}")


def check_not_managed(_: Transaction, document: Document) -> None:
    """Raise `BadRequestException` for an integration that belongs to a quick create."""
    if document.body.get("ApiGatewayManaged"):
        raise bad_request("An integration that is managed by API Gateway cannot be deleted.")


def check_integration_response(draft: Draft) -> Body:
    """Responses of integrations are for WebSocket APIs. Raises `ApiError`."""
    if is_http(draft.api):
        raise bad_request("Integration responses are not supported on protocolType HTTP")
    check_response(draft.body)
    return draft.body
