"""What authorizers may be."""

import re
from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.patch_tables import TTL_REFUSAL, TTL_S_MAX
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.model.document import Body
from lambent.model.function_uris import is_invocation

_TYPES = ("TOKEN", "REQUEST", "COGNITO_USER_POOLS")
_POOL = re.compile(
    r"arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:[0-9]{12}:userpool/[\w\-]{1,64}_[0-9a-zA-Z]{1,64}",
    re.ASCII,
)
_TOKEN_SOURCE = re.compile(r"method\.request\.header\.[\w\-]{1,128}", re.ASCII)
_SOURCE = re.compile(
    r"(method\.request\.(header|querystring)|stageVariables|context)\.[\w.\-$]{1,128}", re.ASCII
)
_SOURCES_MAX = 10
_EXPRESSION_LENGTH_MAX = 512


def check_authorizer(draft: Draft) -> Body:
    """The check of authorizers."""
    body = without_unset(draft.body)
    if not body.get("name") or len(body["name"]) > 128:
        raise bad_request("Authorizer name must have between 1 and 128 characters.")
    if body["type"] not in _TYPES:
        raise unsupported(f"authorizers of type {body['type']} in REST APIs")
    if not 0 <= body.get("authorizerResultTtlInSeconds", 0) <= TTL_S_MAX:
        raise bad_request(TTL_REFUSAL)
    if len(body.get("identityValidationExpression", "")) > _EXPRESSION_LENGTH_MAX:
        raise bad_request(
            "The identity validation expression must not have more than"
            f" {_EXPRESSION_LENGTH_MAX} characters."
        )
    if body["type"] == "COGNITO_USER_POOLS":
        _check_pools(body)
    else:
        _check_function(body)
    return body


def _check_pools(body: dict[str, Any]) -> None:
    body.setdefault("authType", "cognito_user_pools")
    body.setdefault("identitySource", "method.request.header.Authorization")
    pools = body.get("providerARNs") or []
    if not pools or not all(_POOL.fullmatch(arn) for arn in pools):
        raise bad_request(
            "Provider ARNs must be the ARNs of user pools, at least one, for authorizers of type"
            " COGNITO_USER_POOLS."
        )
    _check_sources(body, _TOKEN_SOURCE)


def _check_function(body: dict[str, Any]) -> None:
    body.setdefault("authType", "custom")
    uri = body.get("authorizerUri", "")
    if not is_invocation(uri):
        raise bad_request(
            f"Invalid Authorizer URI: {uri[:200]}. Authorizer URI should be a valid API Gateway"
            " ARN that represents a Lambda function invocation."
        )
    if body["type"] == "TOKEN":
        body.setdefault("identitySource", "method.request.header.Authorization")
        _check_sources(body, _TOKEN_SOURCE)
    elif "identitySource" in body:
        _check_sources(body, _SOURCE)
    elif body.get("authorizerResultTtlInSeconds", 300) > 0:
        raise bad_request("Identity source is required unless the result TTL is 0.")


def _check_sources(body: Mapping[str, Any], allowed: re.Pattern[str]) -> None:
    sources = [source.strip() for source in body["identitySource"].split(",")]
    is_one = allowed is _TOKEN_SOURCE
    if len(sources) > (1 if is_one else _SOURCES_MAX) or not all(map(allowed.fullmatch, sources)):
        raise bad_request(f"Invalid identity source specified: {body['identitySource'][:200]}")
