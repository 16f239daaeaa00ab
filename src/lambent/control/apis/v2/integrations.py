"""The rules of integrations and of their responses."""

import re
from collections.abc import Mapping

from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v2.texts import check_lengths, check_pattern, is_http, parsed
from lambent.control.apis.v2.websockets import check_response, check_served, is_service
from lambent.model.document import Body, Document
from lambent.model.function_uris import inner_arn
from lambent.model.parameter_mapping import parse_request_changes, parse_response_changes
from lambent.model.service_integrations import CALLERS_OWN_ROLE, SUBTYPES, parse_parameters
from lambent.store.store import Transaction

_LENGTHS = {
    "Description": (0, 1024),
    "IntegrationUri": (1, 2048),
    "CredentialsArn": (1, 2048),
}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"})
_VARIABLE = r"\$\{stageVariables\.[A-Za-z0-9_]+\}"
_FUNCTION = re.compile(
    rf"arn:aws:lambda:[a-z0-9-]+:[0-9]{{12}}:function:(?:[A-Za-z0-9_:$-]|{_VARIABLE})+"
)
_URL = re.compile(r"https?://[^\s/?#]+[^\s#]*")
ROLE = re.compile(r"arn:aws:iam::[0-9]{12}:role/[\w+=,.@/-]+")


def check_integration(draft: Draft) -> Body:
    """The body of an integration with the defaults of its type. Raises `ApiError`."""
    body = dict(draft.body)
    check_lengths(body, _LENGTHS)
    if body.get("ConnectionType") == "VPC_LINK" or "ConnectionId" in body:
        raise unsupported("VPC links (ConnectionType VPC_LINK and ConnectionId)")
    if "TlsConfig" in body:
        raise unsupported("TlsConfig: certificates are checked against the host of the URI")
    credentials = body.get("CredentialsArn")
    is_own = credentials == CALLERS_OWN_ROLE and is_http(draft.api)
    if credentials is not None and not is_own and ROLE.fullmatch(credentials) is None:
        raise bad_request("Invalid CredentialsArn specified: it is not the ARN of a role")
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
    parsed(parse_request_changes, parameters)
    _check_responses(body)
    if kind == "AWS_PROXY":
        check_function(uri)
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
    _check_responses(body)
    parsed(parse_parameters, subtype, parameters)
    return body


def _check_responses(body: Mapping[str, object]) -> None:
    responses = body.get("ResponseParameters") or {}
    assert isinstance(responses, Mapping)
    parsed(parse_response_changes, responses)


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
    check_served(body)
    if kind in ("HTTP", "HTTP_PROXY"):
        _check_url(body, uri)
    elif kind == "AWS_PROXY" or (kind == "AWS" and not is_service(uri)):
        check_function(uri)
        body["IntegrationMethod"] = "POST"
    body["IntegrationResponseSelectionExpression"] = "${integration.response.statuscode}"
    return body


def check_function(uri: str, what: str = "integration URI") -> None:
    """Raise `BadRequestException` for what is no ARN of a function, alone or in the path of its
    invocation, perhaps with stage variables."""
    if _FUNCTION.fullmatch(inner_arn(uri)) is None:
        raise bad_request(
            f"Invalid {what} specified: it must be the ARN of a Lambda function, alone or as"
            " arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations"
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
