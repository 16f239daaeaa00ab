"""The claims of a user's tokens, and what a PreTokenGeneration function changes about them.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.cognito import schema
from lambent.control.cognito.pool import Client
from lambent.control.cognito.schema import VERIFIED
from lambent.control.cognito.triggers import Triggers, metadata, texts, unrecognizable
from lambent.control.cognito.users import event_attributes
from lambent.store.pool_users import PoolUser

SCOPE = "aws.cognito.signin.user.admin"
"""Lets an access token read and change its own user."""
_FIXED = frozenset(
    {
        *("acr", "amr", "at_hash", "auth_time", "azp", "event_id", "exp", "iat", "iss", "jti"),
        *("nbf", "nonce", "origin_jti", "sub", "token_use", "version", "client_id", "aud"),
        *("identities", "device_key", "username"),
    }
)
"""Claims that no function changes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a user, the most important first, and their roles."""

    names: Sequence[str] = ()
    roles: Sequence[str] = ()
    preferred_role: str | None = None


@dataclasses.dataclass(slots=True)
class Claims:
    """The claims that differ between users, before those of the token itself are added."""

    id: dict[str, Any]
    access: dict[str, Any]


async def claims_of(
    triggers: Triggers,
    client: Client,
    user: PoolUser,
    groups: Groups,
    source: str,
    client_metadata: Mapping[str, str] | None,
) -> Claims:
    """The claims of a user. `source` is `TokenGeneration_Authentication` or the like. Raises
    `ApiError`."""
    scopes = [SCOPE]
    config = client.pool.body["LambdaConfig"].get("PreTokenGenerationConfig") or {}
    version = config.get("LambdaVersion", "V1_0")[1]
    request: dict[str, Any] = {
        "userAttributes": event_attributes(user),
        "groupConfiguration": {
            "groupsToOverride": list(groups.names),
            "iamRolesToOverride": list(groups.roles),
            "preferredRole": groups.preferred_role,
        },
        **metadata(client_metadata),
    }
    if version != "1":
        request["scopes"] = list(scopes)
    member = "claimsOverrideDetails" if version == "1" else "claimsAndScopeOverrideDetails"
    answer = await triggers.ask(
        client.pool,
        "PreTokenGeneration",
        source,
        user.document["username"],
        request,
        client=client,
        version=version,
        blank={member: None},
    )
    details = (answer or {}).get(member) or {}
    if not isinstance(details, Mapping):
        raise unrecognizable()
    groups = _overridden(groups, details.get("groupOverrideDetails"))
    made = Claims(_id_claims(client, user, groups), _access_claims(client, user, groups))
    if version == "1":
        _change(made.id, details, are_texts=True)
    else:
        _change(made.id, details.get("idTokenGeneration"), are_texts=False)
        access = details.get("accessTokenGeneration")
        _change(made.access, access, are_texts=False)
        scopes = _changed_scopes(scopes, access)
    made.access["scope"] = " ".join(scopes)
    return made


def _id_claims(client: Client, user: PoolUser, groups: Groups) -> dict[str, Any]:
    attributes = schema.readable(client.body, user.document["attributes"])
    claims: dict[str, Any] = {
        name: value == "true" if name in VERIFIED.values() else value
        for name, value in attributes.items()
        if not name.startswith("dev:")
    }
    claims["cognito:username"] = user.document["username"]
    if groups.names:
        claims["cognito:groups"] = list(groups.names)
    if groups.roles:
        claims["cognito:roles"] = list(groups.roles)
    if groups.preferred_role:
        claims["cognito:preferred_role"] = groups.preferred_role
    return claims


def _access_claims(client: Client, user: PoolUser, groups: Groups) -> dict[str, Any]:
    document = user.document
    claims = {"sub": document["attributes"]["sub"], "username": document["username"]}
    return {**claims, **({"cognito:groups": list(groups.names)} if groups.names else {})}


def _overridden(groups: Groups, details: object) -> Groups:
    """The groups as the function wants them. Raises `InvalidLambdaResponseException`."""
    if details is None:
        return groups
    if not isinstance(details, Mapping):
        raise unrecognizable()
    names, roles = details.get("groupsToOverride"), details.get("iamRolesToOverride")
    preferred = details.get("preferredRole")
    if preferred is not None and not isinstance(preferred, str):
        raise unrecognizable()
    return Groups(
        groups.names if names is None else _names(names),
        groups.roles if roles is None else _names(roles),
        groups.preferred_role if preferred is None else preferred,
    )


def _change(claims: dict[str, Any], details: object, *, are_texts: bool) -> None:
    """Add, replace and suppress claims. Raises `InvalidLambdaResponseException`."""
    if details is None:
        return
    if not isinstance(details, Mapping):
        raise unrecognizable()
    added = details.get("claimsToAddOrOverride") or {}
    if not isinstance(added, Mapping):
        raise unrecognizable()
    for name, value in (texts(added) if are_texts else added).items():
        if name not in _FIXED and not name.startswith("cognito:"):
            claims[name] = value
    for name in _names(details.get("claimsToSuppress") or ()):
        if name not in _FIXED:
            claims.pop(name, None)


def _changed_scopes(scopes: Sequence[str], details: object) -> list[str]:
    if not isinstance(details, Mapping):
        return list(scopes)
    added = _names(details.get("scopesToAdd") or ())
    removed = _names(details.get("scopesToSuppress") or ())
    kept = [scope for scope in (*scopes, *added) if scope not in removed and " " not in scope]
    return list(dict.fromkeys(kept))


def _names(value: object) -> Sequence[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise unrecognizable()
    return value
