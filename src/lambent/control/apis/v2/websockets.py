"""The rules of WebSocket APIs that HTTP APIs do not have: expressions, templates, mappings, and
what is not served."""

import re
from collections.abc import Mapping

from lambent.control.apis.errors import bad_request, unsupported
from lambent.kit.linear_regex import PatternError, compile_pattern
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.rest_services import SERVICE_URI
from lambent.model.selection_expressions import parse_selection
from lambent.model.websocket_mapping import (
    REQUEST_SOURCE,
    REQUEST_TARGET,
    RESPONSE_HEADER,
    RESPONSE_HEADERS,
    RESPONSE_SOURCE,
)

_BINARY = "ContentHandlingStrategy: messages are text"
_TEMPLATE_BYTES_MAX = 300 * 1024
_OTHER_SERVICE = re.compile(r"arn:aws[a-z-]*:apigateway:[^:]*:(?!lambda:)")
_INVOCATION_TYPE = "integration.request.header.x-amz-invocation-type"
_INVOCATION_TYPES = ("'Event'", "'RequestResponse'")


def check_expression(body: Body, member: str) -> None:
    """Raise `BadRequestException` for a selection expression that is none."""
    try:
        parse_selection(body.get(member) or "")
    except ValueError as error:
        raise bad_request(f"Invalid {member} specified: {error}.") from None


def is_service(uri: str) -> bool:
    """Whether a URI names a service other than Lambda that integrations call."""
    return SERVICE_URI.fullmatch(uri) is not None


def check_served(body: Body) -> None:
    """Raise `BadRequestException` for an integration that is not served."""
    kind, uri = body["IntegrationType"], body.get("IntegrationUri") or ""
    if kind == "AWS" and is_service(uri):
        if "CredentialsArn" not in body:
            raise bad_request("Integrations with other services than Lambda need a CredentialsArn.")
    elif kind == "AWS" and _OTHER_SERVICE.match(uri) is not None:
        raise unsupported(f"integrations of WebSocket APIs with {uri[:200]}")
    if kind in ("HTTP", "HTTP_PROXY") and body.get("IntegrationMethod") == "ANY":
        raise unsupported("IntegrationMethod ANY: messages have no method")
    # Messages are text already. Chalice converts them to text, which changes nothing.
    if body.get("ContentHandlingStrategy") not in (None, "CONVERT_TO_TEXT"):
        raise unsupported(_BINARY)
    check_expression(body, "TemplateSelectionExpression")
    _check_templates(body.get("RequestTemplates") or {})
    _check_request_mappings(kind, body.get("RequestParameters") or {})
    if body.get("ResponseParameters"):
        raise bad_request(
            "ResponseParameters of a WebSocket API belong to its integration responses."
        )


def _check_request_mappings(kind: str, mappings: Mapping[str, object]) -> None:
    if mappings and kind == "AWS_PROXY":
        raise unsupported("RequestParameters of integrations of type AWS_PROXY. Use AWS")
    for target, source in mappings.items():
        if not isinstance(source, str) or REQUEST_SOURCE.fullmatch(source) is None:
            raise _invalid_mapping(source)
        if REQUEST_TARGET.fullmatch(target) is None:
            raise _invalid_mapping(target)
        is_invocation_type = kind == "AWS" and target.lower() == _INVOCATION_TYPE
        if is_invocation_type and source[0] == "'" and source not in _INVOCATION_TYPES:
            raise bad_request(f"Invalid invocation type: {source[:100]}")


def check_response(body: Body) -> None:
    """Raise `BadRequestException` for a response of an integration that is not served."""
    key = body["IntegrationResponseKey"]
    if len(key) > 1 and key.startswith("/") and key.endswith("/"):
        try:
            compile_pattern(key[1:-1])
        except PatternError as error:
            raise bad_request(f"Invalid IntegrationResponseKey specified: {error}") from None
    for target, source in (body.get("ResponseParameters") or {}).items():
        found = RESPONSE_HEADER.fullmatch(target)
        if found is None:
            raise _invalid_mapping(target)
        if found["name"].lower() not in RESPONSE_HEADERS:
            raise unsupported(
                f"the header {found['name']} in ResponseParameters: messages have no headers, and a"
                " client that connects gets Sec-WebSocket-Protocol and Content-Type only"
            )
        if not isinstance(source, str) or RESPONSE_SOURCE.fullmatch(source) is None:
            raise _invalid_mapping(source)
    if body.get("ContentHandlingStrategy"):
        raise unsupported(_BINARY)
    check_expression(body, "TemplateSelectionExpression")
    _check_templates(body.get("ResponseTemplates") or {})


def _check_templates(templates: Mapping[str, str]) -> None:
    for template in templates.values():
        if len(template.encode(errors="surrogatepass")) > _TEMPLATE_BYTES_MAX:
            raise bad_request("Templates must be smaller than 300 KB")


def _invalid_mapping(text: object) -> ApiError:
    return bad_request(f"Invalid mapping expression specified: {str(text)[:200]}")
