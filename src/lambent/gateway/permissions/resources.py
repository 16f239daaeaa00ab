"""From a request's parameters to the resources it is about. Each reads names with the parser that
the operation itself uses."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.control import policies
from lambent.gateway.permissions.asked import Asked, Target, function_target
from lambent.model.arn import Arn
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.identity import IdentityKey
from lambent.model.layer import (
    parse_layer_name,
    parse_layer_version,
    parse_layer_version_arn,
    require_layer_version_arn,
)
from lambent.model.names import parse_function_name
from lambent.model.resources import (
    CodeSigningKey,
    IdentityName,
    MappingKey,
    parse_code_signing_arn,
    parse_log_group,
    parse_role_arn,
    parse_tagged,
)

Find = Callable[[Asked], Awaitable[Sequence[Target]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A kind of resource that operations are about."""

    types: tuple[str, ...]
    """AWS's names of the types; none if the request is about no resource in particular."""
    find: Find
    """Returns the resources of a request. Raises `ApiError` for names that are none."""


async def _nothing(asked: Asked) -> Sequence[Target]:
    return [Target("*", asked.scope.account)]


async def _function(asked: Asked) -> Sequence[Target]:
    key = asked.function.key
    return [Target(key.arn, key.account)]


async def _qualified(asked: Asked) -> Sequence[Target]:
    return [function_target(asked.function)]


async def _with_policy(asked: Asked) -> Sequence[Target]:
    arn = asked.params["ResourceArn"]
    if ":function:" not in arn:
        raise invalid_parameter(
            f"cannot attach a policy to {arn}: only functions, versions and aliases have policies."
        )
    return [function_target(parse_function_name(arn, asked.scope))]


async def _granted(asked: Asked) -> Sequence[Target]:
    """The function, once for each grant of the policy that it is to have."""
    [target] = await _with_policy(asked)
    return _each_grant(target, policies.parse(asked.params["Policy"])["Statement"])


async def _revoked(asked: Asked) -> Sequence[Target]:
    """The function, once for each grant of the policy that it has."""
    [target] = await _with_policy(asked)
    reference = parse_function_name(asked.params["ResourceArn"], asked.scope)
    return _each_grant(target, await asked.lookups.statements(reference))


def _each_grant(target: Target, statements: Sequence[Mapping[str, Any]]) -> Sequence[Target]:
    """The target for each principal and authorisation of a URL that statements name."""
    found = {}
    for statement in statements:
        auth_type = granted_auth_type(statement)
        for principal in granted_principals(statement):
            context = {"lambda:principal": spellings(principal)}
            if auth_type is not None:
                context["lambda:functionurlauthtype"] = (auth_type,)
            found[principal, auth_type] = target._replace(context=context)
    # A policy that grants nobody anything takes away what was granted.
    return list(found.values()) or [target]


def granted_principals(statement: Mapping[str, Any]) -> Sequence[str]:
    """Whom a statement of a function's policy names."""
    element = statement.get("Principal", "*")
    values = element.values() if isinstance(element, Mapping) else [element]
    return [one for value in values for one in ([value] if isinstance(value, str) else value)]


def granted_auth_type(statement: Mapping[str, Any]) -> str | None:
    """Through which URLs a statement lets somebody call: of this authorisation."""
    equals = statement.get("Condition", {}).get("StringEquals", {})
    value = equals.get("lambda:FunctionUrlAuthType")
    return value if isinstance(value, str) else None


def spellings(principal: str) -> tuple[str, ...]:
    """All that a principal in a policy may be called: accounts have two names."""
    account = principal.removeprefix("arn:aws:iam::").removesuffix(":root")
    if len(account) == 12 and account.isdecimal():
        return account, f"arn:aws:iam::{account}:root"
    return (principal,)


async def _layer(asked: Asked) -> Sequence[Target]:
    key = parse_layer_name(asked.params["LayerName"], asked.scope)
    return [Target(key.arn, key.account)]


async def _layer_version(asked: Asked) -> Sequence[Target]:
    params = asked.params
    key, number = parse_layer_version(params["LayerName"], params["VersionNumber"], asked.scope)
    return [Target(f"{key.arn}:{number}", key.account)]


async def _layer_version_by_arn(asked: Asked) -> Sequence[Target]:
    key, number = require_layer_version_arn(asked.params["Arn"])
    return [Target(f"{key.arn}:{number}", key.account)]


async def _new_layers(asked: Asked) -> Sequence[Target]:
    """The layers that a function is to have and has not yet."""
    arns = asked.params.get("Layers") or ()
    if not arns:
        return []
    present = await asked.lookups.layers_of(asked.function.key)
    found = []
    for arn in arns:
        parsed = parse_layer_version_arn(arn)
        if parsed is None:
            raise invalid_parameter(f"Layer version {arn} does not exist.")
        if arn not in present:
            found.append(Target(arn, parsed[0].account))
    return found


async def _mapping(asked: Asked) -> Sequence[Target]:
    return [Target(MappingKey(asked.scope, asked.params["UUID"]).arn, asked.scope.account)]


async def _new_mapping(asked: Asked) -> Sequence[Target]:
    return [Target(MappingKey(asked.scope, "*").arn, asked.scope.account)]


async def _code_signing(asked: Asked) -> Sequence[Target]:
    arn = asked.params["CodeSigningConfigArn"]
    key = parse_code_signing_arn(arn)
    if key is None:
        raise not_found(f"The Lambda code signing configuration {arn} can not be found.")
    return [Target(key.arn, key.scope.account)]


async def _new_code_signing(asked: Asked) -> Sequence[Target]:
    return [Target(CodeSigningKey(asked.scope, "*").arn, asked.scope.account)]


async def _tagged(asked: Asked) -> Sequence[Target]:
    arn = parse_tagged(asked.params["Resource"], asked.scope)
    return [Target(arn, Arn.parse(arn).account)]


async def _passed_role(asked: Asked) -> Sequence[Target]:
    role = parse_role_arn(asked.params["Role"])
    if role is None:
        raise invalid_parameter("The role defined for the function cannot be assumed by Lambda.")
    return [Target(role.arn, asked.scope.account)]


async def _assumed_role(asked: Asked) -> Sequence[Target]:
    role = parse_role_arn(asked.params["RoleArn"])
    if role is None:
        raise ApiError("ValidationError", f"{asked.params['RoleArn']} is invalid")
    return [Target(role.arn, role.account)]


async def _log_groups(asked: Asked) -> Sequence[Target]:
    account, region = asked.scope
    return [Target(f"arn:aws:logs:{region}:{account}:log-group::log-stream:", account, ("*",))]


async def _log_group(asked: Asked) -> Sequence[Target]:
    return [_log_target(asked, "")]


async def _log_stream(asked: Asked) -> Sequence[Target]:
    return [_log_target(asked, asked.params["logStreamName"])]


def _log_target(asked: Asked, stream: str) -> Target:
    """A stream, or all of a group: `log-group:NAME:*` in a policy means both, and so does
    `log-group:NAME`."""
    params = asked.params
    group = parse_log_group(
        params.get("logGroupName"), params.get("logGroupIdentifier"), asked.scope
    )
    return Target(f"{group.arn}:log-stream:{stream}", group.scope.account, (group.arn,))


def _identity(kind: str) -> Find:
    """A user or role by name, with the path it really has."""
    member = f"{kind.title()}Name"

    async def find(asked: Asked) -> Sequence[Target]:
        principal, name = asked.caller.principal, asked.params.get(member)
        account = asked.scope.account
        if name is None:
            # Who asks about nobody in particular asks about themselves.
            return [Target(principal.arn, account)]
        key = IdentityKey(account, "user" if kind == "user" else "role", name)
        found = await asked.lookups.identity(key)
        arn = IdentityName(account, kind, "/", name).arn if found is None else found.arn
        return [Target(arn, account)]

    return find


def _new_identity(kind: str) -> Find:
    member = f"{kind.title()}Name"

    async def find(asked: Asked) -> Sequence[Target]:
        account, params = asked.scope.account, asked.params
        name = IdentityName(account, kind, params.get("Path", "/"), params[member])
        return [Target(name.arn, account)]

    return find


NOTHING = Resource((), _nothing)
FUNCTION = Resource(("function",), _function)
QUALIFIED = Resource(("function", "function alias", "function version"), _qualified)
WITH_POLICY = Resource(("function", "function alias", "function version"), _with_policy)
GRANTED = Resource(("function", "function alias", "function version"), _granted)
REVOKED = Resource(("function", "function alias", "function version"), _revoked)
LAYER = Resource(("layer",), _layer)
LAYER_VERSION = Resource(("layerVersion",), _layer_version)
LAYER_VERSION_BY_ARN = Resource(("layerVersion",), _layer_version_by_arn)
NEW_LAYERS = Resource(("layerVersion",), _new_layers)
MAPPING = Resource(("eventSourceMapping",), _mapping)
NEW_MAPPING = Resource(("eventSourceMapping",), _new_mapping)
CODE_SIGNING = Resource(("code signing config",), _code_signing)
NEW_CODE_SIGNING = Resource(("code signing config",), _new_code_signing)
TAGGED = Resource(("code signing config", "eventSourceMapping", "function"), _tagged)
PASSED_ROLE = Resource(("role",), _passed_role)
ASSUMED_ROLE = Resource(("role",), _assumed_role)
LOG_GROUPS = Resource((), _log_groups)
LOG_GROUP = Resource(("log-group",), _log_group)
LOG_STREAM = Resource(("log-stream",), _log_stream)
USER = Resource(("user",), _identity("user"))
ROLE = Resource(("role",), _identity("role"))
NEW_USER = Resource(("user",), _new_identity("user"))
NEW_ROLE = Resource(("role",), _new_identity("role"))
