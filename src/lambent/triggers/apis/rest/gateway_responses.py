"""What API Gateway itself responds with: 21 types, each with a status, headers and a template.
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambent.model.document import Body
from lambent.triggers.apis.rest.binary import media_type_of
from lambent.triggers.url_response import is_sendable_header

JSON = "application/json"
_DEFAULT = '{"message":$context.error.messageString}'
_NAME = r"(?:context|stageVariables|method)\.[A-Za-z0-9_.-]*[A-Za-z0-9_]"
_VARIABLE = re.compile(rf"\$(?:\{{({_NAME})\}}|({_NAME}))")
_HEADER = "gatewayresponse.header."


class _Type(NamedTuple):
    status: int
    message: str | None
    error_type: str


_INTERNAL = "InternalServerErrorException"
_BAD_REQUEST = "BadRequestException"
_TYPES = {
    "ACCESS_DENIED": _Type(
        403, "User is not authorized to access this resource", "AccessDeniedException"
    ),
    "API_CONFIGURATION_ERROR": _Type(500, "Internal server error", _INTERNAL),
    "AUTHORIZER_CONFIGURATION_ERROR": _Type(500, None, "AuthorizerConfigurationException"),
    "AUTHORIZER_FAILURE": _Type(500, None, "AuthorizerConfigurationException"),
    "BAD_REQUEST_PARAMETERS": _Type(400, "Bad Request Parameters", _BAD_REQUEST),
    "BAD_REQUEST_BODY": _Type(400, "Invalid request body", _BAD_REQUEST),
    "DEFAULT_5XX": _Type(502, "Internal server error", _INTERNAL),
    "EXPIRED_TOKEN": _Type(
        403, "The security token included in the request is expired", "ExpiredTokenException"
    ),
    "INTEGRATION_FAILURE": _Type(500, "Internal server error", _INTERNAL),
    "INTEGRATION_TIMEOUT": _Type(504, "Endpoint request timed out", _INTERNAL),
    "INVALID_API_KEY": _Type(403, "Forbidden", "ForbiddenException"),
    "INVALID_SIGNATURE": _Type(
        403,
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method. Consult the service documentation for details.",
        "InvalidSignatureException",
    ),
    "MISSING_AUTHENTICATION_TOKEN": _Type(
        403, "Missing Authentication Token", "MissingAuthenticationTokenException"
    ),
    "QUOTA_EXCEEDED": _Type(429, "Limit Exceeded", "LimitExceededException"),
    "REQUEST_TOO_LARGE": _Type(
        413, "HTTP content length exceeded 10485760 bytes.", "RequestTooLargeException"
    ),
    "RESOURCE_NOT_FOUND": _Type(404, "Not Found", "NotFoundException"),
    "THROTTLED": _Type(429, "Too Many Requests", "TooManyRequestsException"),
    "UNAUTHORIZED": _Type(401, "Unauthorized", "UnauthorizedException"),
    "UNSUPPORTED_MEDIA_TYPE": _Type(415, "Unsupported Media Type", _BAD_REQUEST),
    "WAF_FILTERED": _Type(403, "Forbidden", "ForbiddenException"),
}
_SPACED = ("API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "DEFAULT_5XX")
"""As measured in AWS, `messageString` has a leading blank for these, and for BAD_REQUEST_*."""


class GatewayError(Exception):
    """A request ends with a gateway response. The text is for the execution log."""

    def __init__(
        self, type: str, detail: str = "", *, message: str | None = None, validation: str = ""
    ) -> None:
        super().__init__(detail or type)
        self.type = type
        known = _TYPES[type]
        self.message = known.message if message is None else message
        self.status = known.status
        self.error_type = known.error_type
        self.validation = validation
        """`$context.error.validationErrorString`."""

    @property
    def message_string(self) -> str:
        """`$context.error.messageString`: the message as JSON."""
        is_spaced = self.type in _SPACED or self.type.startswith("BAD_REQUEST")
        return f"{' ' if is_spaced else ''}{json.dumps(self.message, ensure_ascii=False)}"

    def context(self) -> Mapping[str, Any]:
        """`$context.error`."""
        is_misnamed = self.type == "AUTHORIZER_CONFIGURATION_ERROR"  # as in AWS
        return {
            "message": self.message or "",
            "messageString": self.message_string,
            "responseType": "API_CONFIGURATION_ERROR" if is_misnamed else self.type,
            "validationErrorString": self.validation,
        }


class GatewayResponse(NamedTuple):
    """A response to a client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


Resolve = Callable[[str], str | None]
"""Finds a value: `context.stage`, `stageVariables.x`, `method.request.header.x`, `'literal'`."""


def gateway_response(
    error: GatewayError, configured: Mapping[str, Body], accept: str | None, resolve: Resolve
) -> GatewayResponse:
    """The response for an error. `configured` are the API's gateway responses by type; what a type
    does not say the `DEFAULT_4XX` or `DEFAULT_5XX` says."""
    family = "DEFAULT_4XX" if error.status < 500 else "DEFAULT_5XX"
    bodies = [configured[name] for name in (error.type, family) if name in configured]
    status = next((int(body["statusCode"]) for body in bodies if body.get("statusCode")), 0)
    templates = next((body["responseTemplates"] for body in bodies if _has_templates(body)), None)
    parameters: Mapping[str, str] = next(
        (body["responseParameters"] for body in bodies if body.get("responseParameters")), {}
    )
    kind, template = _template(error, templates, accept)
    headers = [("x-amzn-ErrorType", error.error_type)]
    for name, source in parameters.items():
        value = resolve(source)
        header = name.removeprefix(_HEADER)
        if name.startswith(_HEADER) and value is not None and _is_sendable(header):
            headers.append((header, value))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", kind))
    body = _VARIABLE.sub(lambda found: resolve(found[1] or found[2]) or "", template)
    return GatewayResponse(status or error.status, headers, body.encode("utf-8", "replace"))


def _is_sendable(name: str) -> bool:
    try:
        return is_sendable_header(name)
    except ValueError:
        return False


def _has_templates(body: Body) -> bool:
    return bool(body.get("responseTemplates"))


def _template(
    error: GatewayError, templates: Mapping[str, str] | None, accept: str | None
) -> tuple[str, str]:
    """The content type and the template for a client."""
    if templates is None:
        if error.type == "ACCESS_DENIED":
            return JSON, _DEFAULT.replace("message", "Message", 1)
        return JSON, _DEFAULT
    wanted = media_type_of(accept)
    kind = wanted if wanted in templates else JSON
    if kind not in templates:
        kind = next(iter(templates))
    return kind, templates[kind] or ""
