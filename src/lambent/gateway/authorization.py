"""From an operation and its parameters to what the caller needs permission for.

The action is the operation's name but for a few, the resource follows from the parameters. What
names nothing is about `*`.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.identity.authorizer import Access
from lambent.model.errors import ApiError
from lambent.model.function import Scope
from lambent.model.layer import parse_layer_arn
from lambent.model.names import parse_function_name

Params = Mapping[str, Any]

_ACTIONS = {
    "Invoke": "InvokeFunction",
    "InvokeAsync": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
    "GetLayerVersionByArn": "GetLayerVersion",
}
_FREE = frozenset({"GetCallerIdentity", "AssumeRole"})
"""Everybody may ask who they are; who may assume a role is for the role to say."""


def accesses(service: str, operation: str, params: Params, scope: Scope) -> Sequence[Access]:
    """All that a request needs permission for. Raises `ApiError` for names that are none."""
    if operation in _FREE:
        return []
    if service == "lambda":
        return _lambda(operation, params, scope)
    arn = "*"
    if service == "logs" and "logGroupName" in params:
        arn = f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{params['logGroupName']}"
    for kind in ("User", "Role"):
        if service == "iam" and f"{kind}Name" in params:
            arn = f"arn:aws:iam::{scope.account}:{kind.lower()}/{params[f'{kind}Name']}"
    return [Access(f"{service}:{operation}", arn, scope.account)]


def invoke_access(arn: str, owner: str) -> Access:
    """What an invocation needs permission for."""
    return Access("lambda:InvokeFunction", arn, owner)


def _lambda(operation: str, params: Params, scope: Scope) -> Sequence[Access]:
    action = f"lambda:{_ACTIONS.get(operation, operation)}"
    arn, owner = _resource(operation, params, scope)
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()
    if "EventSourceMapping" in operation and "FunctionName" in params:
        function = parse_function_name(params["FunctionName"], scope)
        context = (("lambda:functionarn", (function.arn,)),)
    needed = [Access(action, arn, owner, context)]
    if "Role" in params:
        needed.append(Access("iam:PassRole", params["Role"], scope.account))
    return needed


def _resource(operation: str, params: Params, scope: Scope) -> tuple[str, str]:
    """The ARN a request is about, and whose it is."""
    if "EventSourceMapping" in operation:
        prefix = f"arn:aws:lambda:{scope.region}:{scope.account}:event-source-mapping"
        return (f"{prefix}:{params['UUID']}" if "UUID" in params else "*"), scope.account
    if "FunctionName" in params:
        reference = parse_function_name(
            params["FunctionName"], scope, qualifier=params.get("Qualifier")
        )
        return reference.arn, reference.key.account
    if "LayerName" in params:
        name = params["LayerName"]
        layer = parse_layer_arn(name) if name.startswith("arn:") else None
        arn = layer.arn if layer else f"arn:aws:lambda:{scope.region}:{scope.account}:layer:{name}"
        if "VersionNumber" in params:
            arn += f":{params['VersionNumber']}"
        return arn, layer.account if layer else scope.account
    for member in ("Arn", "Resource", "ResourceArn", "CodeSigningConfigArn"):
        if member in params:
            return params[member], _owner(params[member])
    return "*", scope.account


def _owner(arn: str) -> str:
    parts = arn.split(":")
    if len(parts) < 6:
        raise ApiError("ValidationException", f"cannot read '{arn[:200]}' as an ARN.")
    return parts[4]
