"""The rules of APIs."""

import re

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Draft
from lambent.control.apis.tags import check_tags
from lambent.control.apis.v2.texts import check_lengths, is_http
from lambent.control.apis.v2.websockets import check_expression
from lambent.model.document import Body

HTTP_SELECTION = "$request.method $request.path"
_LENGTHS = {
    "Name": (1, 128),
    "Description": (0, 1024),
    "Version": (1, 64),
    "RouteSelectionExpression": (1, 512),
}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN = re.compile(r"\*|https?://(?:\*|[^\s/*]+)|[a-z][a-z0-9+.-]*://[^\s/*]+")


def check_api(draft: Draft) -> Body:
    """The body of an API. Raises `ApiError`."""
    body = dict(draft.body)
    check_lengths(body, _LENGTHS)
    check_tags(body.get("Tags") or {})
    if is_http(body):
        expression = body.setdefault("RouteSelectionExpression", HTTP_SELECTION)
        if expression.replace("${", "$").replace("}", "") != HTTP_SELECTION:
            raise bad_request(
                "RouteSelectionExpression of HTTP APIs must be ${request.method} ${request.path}"
            )
        if body.get("DisableSchemaValidation"):
            raise bad_request("DisableSchemaValidation is not supported on protocolType HTTP")
        if not body.get("CorsConfiguration"):
            body.pop("CorsConfiguration", None)
        else:
            check_cors(body["CorsConfiguration"])
        return body
    if "CorsConfiguration" in body:
        raise bad_request("CorsConfiguration is not supported on protocolType WEBSOCKET")
    if not body.get("RouteSelectionExpression"):
        raise bad_request("RouteSelectionExpression is a required parameter for WEBSOCKET APIs")
    check_expression(body, "RouteSelectionExpression")
    return body


def check_cors(cors: Body) -> None:
    """Raise `BadRequestException` for a CORS configuration that browsers would not understand."""
    for method in cors.get("AllowMethods") or ():
        if method not in _METHODS:
            raise bad_request(f"Invalid method in AllowMethods: {method[:64]!r}")
    for member in ("AllowHeaders", "ExposeHeaders"):
        for header in cors.get(member) or ():
            if _TOKEN.fullmatch(header) is None:
                raise bad_request(f"Invalid header in {member}: {header[:100]!r}")
    for origin in cors.get("AllowOrigins") or ():
        if _ORIGIN.fullmatch(origin) is None:
            raise bad_request(
                f"Invalid format for origin: {origin[:100]!r}. Enter a URL without a path that"
                " starts with http:// or https://, or an asterisk."
            )
    if cors.get("AllowCredentials") and "*" in (cors.get("AllowOrigins") or ()):
        raise bad_request(
            "Cors configuration is invalid: AllowCredentials cannot be used with AllowOrigins '*'"
        )
