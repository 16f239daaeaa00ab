"""The rules of authorizers."""

import re

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v2.integrations import ROLE, check_function
from lambent.control.apis.v2.texts import check_lengths, check_pattern, is_http, parsed
from lambent.model.document import Body
from lambent.model.selections import IDENTITY_SOURCES, parse_selection

_LENGTHS = {
    "Name": (1, 128),
    "AuthorizerUri": (1, 2048),
    "IdentityValidationExpression": (0, 1024),
}
_NAME = r"[^\s,]+"
_WEBSOCKET_SOURCE = re.compile(
    rf"route\.request\.(?:header|querystring)\.{_NAME}|(?:context|stageVariables)\.{_NAME}"
)
_TOKEN_SOURCE = re.compile(rf"\$request\.(?:header|querystring)\.{_NAME}")
_ISSUER = re.compile(r"https?://[^\s/?#]+(?:/[^\s?#]*)?")


def check_authorizer(draft: Draft) -> Body:
    """The body of an authorizer. Raises `ApiError`."""
    body = dict(draft.body)
    check_lengths(body, _LENGTHS)
    credentials = body.get("AuthorizerCredentialsArn")
    if credentials is not None and ROLE.fullmatch(credentials) is None:
        raise bad_request("Invalid AuthorizerCredentialsArn specified: it is not the ARN of a role")
    if body["AuthorizerType"] == "JWT":
        _check_jwt(draft, body)
    else:
        _check_request(draft, body)
    return body


def _check_jwt(draft: Draft, body: Body) -> None:
    if not is_http(draft.api):
        raise bad_request("JWT authorizers are not supported on protocolType WEBSOCKET")
    for member in (
        *("AuthorizerUri", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses"),
        *("AuthorizerCredentialsArn", "AuthorizerResultTtlInSeconds"),
    ):
        if member in body:
            raise bad_request(f"{member} is not supported for JWT authorizers")
    sources = body.get("IdentitySource") or []
    if len(sources) != 1:
        raise bad_request("JWT authorizers need exactly one IdentitySource")
    check_pattern("IdentitySource", sources[0], _TOKEN_SOURCE, "is no header or query string")
    configuration = body.get("JwtConfiguration") or {}
    if not configuration.get("Audience"):
        raise bad_request("JwtConfiguration needs an Audience with at least one entry")
    check_pattern("Issuer", configuration.get("Issuer", ""), _ISSUER, "is no URL of an issuer")


def _check_request(draft: Draft, body: Body) -> None:
    if "JwtConfiguration" in body:
        raise bad_request("JwtConfiguration is not supported for REQUEST authorizers")
    check_function(body.get("AuthorizerUri", ""), "Authorizer URI")
    sources = body.get("IdentitySource") or []
    for source in sources:
        if is_http(draft.api):
            parsed(parse_selection, source, IDENTITY_SOURCES)
        else:
            check_pattern("IdentitySource", source, _WEBSOCKET_SOURCE, "is no identity source")
    version = body.get("AuthorizerPayloadFormatVersion")
    ttl = body.get("AuthorizerResultTtlInSeconds")
    if not is_http(draft.api):
        if version is not None or body.get("EnableSimpleResponses") or ttl:
            raise bad_request(
                "AuthorizerPayloadFormatVersion, EnableSimpleResponses and"
                " AuthorizerResultTtlInSeconds are not supported on protocolType WEBSOCKET"
            )
        return
    if version not in ("1.0", "2.0"):
        raise bad_request(
            "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer: it must"
            " be 1.0 or 2.0"
        )
    if body.get("EnableSimpleResponses") and version != "2.0":
        raise bad_request("EnableSimpleResponses needs AuthorizerPayloadFormatVersion 2.0")
    if ttl and not sources:
        raise bad_request("Authorizers with a cache need at least one IdentitySource")
