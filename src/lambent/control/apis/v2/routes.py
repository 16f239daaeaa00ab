"""The rules of routes and of their responses."""

import re

from lambent.control.apis.errors import bad_request, conflict, unsupported
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v2.texts import check_lengths, is_http
from lambent.model.document import Body
from lambent.model.errors import ApiError

DEFAULT = "$default"
_METHODS = "ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT"
_KEY = re.compile(rf"(?P<method>{_METHODS}) (?P<path>/\S*)")
_VARIABLE = re.compile(r"\{([A-Za-z0-9._:-]+)(\+?)\}")
_LITERAL = re.compile(r"[^{}?#\s]*")
_LENGTHS = {"RouteKey": (1, 1024), "OperationName": (1, 64), "Target": (1, 128)}
_WEBSOCKET_ONLY = (
    *("ModelSelectionExpression", "RequestParameters", "RouteResponseSelectionExpression"),
)
_AUTHORIZERS = {"JWT": "JWT", "CUSTOM": "REQUEST"}
"""The type of authorizer, by authorization type."""
INVALID_AUTHORIZER = (
    "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or"
    " COGNITO_USER_POOLS requires a valid authorizer."
)


def check_route(draft: Draft) -> Body:
    """The body of a route. Raises `ApiError`."""
    body = dict(draft.body)
    check_lengths(body, _LENGTHS)
    if body.get("ApiKeyRequired"):
        raise unsupported("API keys for routes (ApiKeyRequired)")
    if body.get("RequestModels"):
        raise unsupported("models of requests of routes (RequestModels)")
    if body.get("ModelSelectionExpression"):
        raise unsupported("models of routes (ModelSelectionExpression)")
    for parameter in (body.get("RequestParameters") or {}).values():
        if parameter.get("Required"):
            raise unsupported("required parameters of routes (RequestParameters)")
    if draft.before is not None and draft.before.get("ApiGatewayManaged"):
        _check_managed(draft.before, body)
    key = body["RouteKey"]
    if is_http(draft.api):
        check_http_key(key)
        for member in _WEBSOCKET_ONLY:
            if body.get(member):
                raise bad_request(f"{member} is not supported on protocolType HTTP")
    elif body["AuthorizationType"] != "NONE" and key != "$connect":
        raise bad_request("Currently, authorization is restricted to the $connect route only")
    return _check_authorization(draft, body)


def check_http_key(key: str) -> None:
    """Raise `BadRequestException` for what is no route key of an HTTP API."""
    if key == DEFAULT:
        return
    match = _KEY.fullmatch(key)
    if match is None:
        raise bad_request(
            "The provided route key is not formatted properly for HTTP protocol. Format should be"
            ' "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        )
    names = set()
    segments = match["path"][1:].split("/")
    for number, segment in enumerate(segments, 1):
        variable = _VARIABLE.fullmatch(segment)
        if variable is None:
            if _LITERAL.fullmatch(segment) is None:
                raise bad_request(f"The route path {match['path']} has an invalid part: {segment}")
            continue
        if variable[2] and number < len(segments):
            raise bad_request("A greedy path variable must be the last part of a route path")
        if variable[1] in names:
            raise bad_request(f"The route path has the path variable {variable[1]} twice")
        names.add(variable[1])


def _check_managed(before: Body, body: Body) -> None:
    if before["RouteKey"] != body["RouteKey"]:
        raise bad_request("The key of a route that is managed by API Gateway cannot be changed.")


def _check_authorization(draft: Draft, body: dict[str, object]) -> Body:
    wanted = _AUTHORIZERS.get(str(body["AuthorizationType"]))
    if body["AuthorizationType"] == "JWT" and not is_http(draft.api):
        raise bad_request("JWT authorization is not supported on protocolType WEBSOCKET")
    before = draft.before or {}
    if wanted is None:
        _drop(body, before, "AuthorizerId", "an authorizer needs AuthorizationType JWT or CUSTOM")
    else:
        id = str(body.get("AuthorizerId", ""))
        authorizer = draft.tx.documents.get(draft.root, "authorizer", id)
        if authorizer is None or authorizer.body["AuthorizerType"] != wanted:
            raise bad_request(INVALID_AUTHORIZER)
    if body["AuthorizationType"] != "JWT":
        _drop(body, before, "AuthorizationScopes", "scopes need AuthorizationType JWT")
    return body


def _drop(body: dict[str, object], before: Body, member: str, why: str) -> None:
    """Remove a member that went with an authorization type of before, and refuse a new one."""
    if body.get(member) and body[member] != before.get(member):
        raise bad_request(f"Invalid {member} specified: {why}.")
    body.pop(member, None)


def is_taken(_: str, key: str) -> ApiError:
    """The error for a second route with a key."""
    return conflict(f"Route with key {key} already exists for this API")


def check_route_response(draft: Draft) -> Body:
    """Routes of WebSocket APIs may have one response. Raises `ApiError`."""
    if is_http(draft.api):
        raise bad_request("Route responses are not supported on protocolType HTTP")
    if draft.body["RouteResponseKey"] != DEFAULT:
        raise bad_request("The key of a route response must be $default")
    for member in ("ModelSelectionExpression", "ResponseModels"):
        if draft.body.get(member):
            raise unsupported(f"models of responses of routes ({member})")
    return draft.body
