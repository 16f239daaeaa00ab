"""From a request's parameters to the resources of Lambda it is about. Each reads names with the
parser that the operation itself uses."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control import policies
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import Resource
from lambent.identity.authorizer import Access
from lambent.model.arn import Arn
from lambent.model.errors import invalid_parameter, not_found
from lambent.model.function import LATEST
from lambent.model.layer import (
    parse_layer_name,
    parse_layer_version,
    parse_layer_version_arn,
    require_layer_version_arn,
)
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.resources import (
    CodeSigningKey,
    MappingKey,
    parse_code_signing_arn,
    parse_role_arn,
    parse_tagged,
)


def function_of(asked: Asked) -> FunctionReference:
    """The function that `FunctionName` and `Qualifier` mean. Raises `ApiError`."""
    name, qualifier = asked.params["FunctionName"], asked.params.get("Qualifier")
    return parse_function_name(name, asked.scope, qualifier=qualifier, takes_long_names=True)


def function_target(reference: FunctionReference) -> Target:
    """A function, a version or an alias. `$LATEST` is the function itself by another name."""
    key = reference.key
    also = (key.arn,) if reference.qualifier == LATEST else ()
    return Target(reference.arn, key.account, also)


def plain_arn(reference: FunctionReference) -> str:
    """The ARN of a function, a version or an alias, without `$LATEST`."""
    return reference.key.arn if reference.qualifier == LATEST else reference.arn


def invoke_access(reference: FunctionReference) -> Access:
    """What an invocation needs permission for."""
    target = function_target(reference)
    return Access("lambda:InvokeFunction", target.arn, target.owner, (), target.also)


async def _function(asked: Asked) -> Sequence[Target]:
    key = function_of(asked).key
    return [Target(key.arn, key.account)]


async def _qualified(asked: Asked) -> Sequence[Target]:
    return [function_target(function_of(asked))]


async def _with_policy(asked: Asked) -> Sequence[Target]:
    arn = asked.params["ResourceArn"]
    if ":function:" not in arn:
        raise invalid_parameter(
            f"cannot attach a policy to {arn}: only functions, versions and aliases have policies."
        )
    return [function_target(parse_function_name(arn, asked.scope))]


async def _granted(asked: Asked) -> Sequence[Target]:
    """The function, once for each grant of its new policy."""
    [target] = await _with_policy(asked)
    return _each_grant(target, policies.parse(asked.params["Policy"])["Statement"])


async def _revoked(asked: Asked) -> Sequence[Target]:
    """The function, once for each grant of its current policy."""
    [target] = await _with_policy(asked)
    reference = parse_function_name(asked.params["ResourceArn"], asked.scope)
    return _each_grant(target, await asked.lookups.statements(reference))


def _each_grant(target: Target, statements: Sequence[Mapping[str, Any]]) -> Sequence[Target]:
    """The target for each principal and authorization type of a URL that statements name."""
    found = {}
    for statement in statements:
        auth_type = granted_auth_type(statement)
        for principal in granted_principals(statement):
            context = {"lambda:principal": spellings(principal)}
            if auth_type is not None:
                context["lambda:functionurlauthtype"] = (auth_type,)
            found[principal, auth_type] = target._replace(context=context)
    # A policy without grants revokes the grants there were.
    return list(found.values()) or [target]


def granted_principals(statement: Mapping[str, Any]) -> Sequence[str]:
    """The principals that a statement of a function's policy names."""
    element = statement.get("Principal", "*")
    values = element.values() if isinstance(element, Mapping) else [element]
    return [name for value in values for name in ([value] if isinstance(value, str) else value)]


def granted_auth_type(statement: Mapping[str, Any]) -> str | None:
    """The authorization type of the URLs through which a statement allows calls."""
    equals = statement.get("Condition", {}).get("StringEquals", {})
    value = equals.get("lambda:FunctionUrlAuthType")
    return value if isinstance(value, str) else None


def spellings(principal: str) -> tuple[str, ...]:
    """All names of a principal in a policy: accounts have two."""
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
    """The layers that a request adds to a function."""
    arns = asked.params.get("Layers") or ()
    if not arns:
        return []
    present = await asked.lookups.layers_of(function_of(asked).key)
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
