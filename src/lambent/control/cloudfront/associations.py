"""Which functions may run at the edge.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-functions-restrictions.html
"""

import re
from collections.abc import Iterator

from lambent.control.cloudfront.common import Params, items
from lambent.identity.service_roles import trusts
from lambent.model.arn import AccountId, Arn
from lambent.model.cloudfront.names import (
    FUNCTION,
    LIVE,
    REGION,
    account_root,
    parse_cloudfront_arn,
)
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.identity import IdentityKey
from lambent.model.principal import service
from lambent.model.resources import parse_role_arn
from lambent.store.function_settings import Kind
from lambent.store.store import Transaction

EDGE_SERVICE = "edgelambda.amazonaws.com"
_ARN = re.compile(r"function:([A-Za-z0-9_-]{1,140}):([0-9]{1,20})")
_TIMEOUT_S_MAX = 30
_VIEWER_MEMORY_MB_MAX = 128
_STORAGE_MB = 512
_VIEWER = ("viewer-request", "viewer-response")


def refuse_function(message: str) -> ApiError:
    """400 `InvalidLambdaFunctionAssociation`."""
    return ApiError("InvalidLambdaFunctionAssociation", message)


def check_associations(
    tx: Transaction, account: AccountId, behavior: Params, *, is_strict: bool
) -> None:
    """Raise for functions that cannot run for a cache behavior."""
    lambdas = items(behavior["LambdaFunctionAssociations"])
    functions = items(behavior["FunctionAssociations"])
    events = [each["EventType"] for each in (*lambdas, *functions)]
    if len(set(events)) != len(events):
        raise refuse_function("Each event type of a cache behavior can have one function.")
    if functions and any(each["EventType"] in _VIEWER for each in lambdas):
        raise ApiError(
            "InvalidFunctionAssociation",
            "Lambda functions and CloudFront functions cannot be combined in viewer events.",
        )
    for association in functions:
        _check_own_function(tx, account, association)
    for association in lambdas:
        key, version = parse_edge_function(association["LambdaFunctionARN"])
        if key.account != account:
            raise refuse_function("The function must belong to the account of the distribution.")
        if association.get("IncludeBody") and "response" in association["EventType"]:
            raise refuse_function("IncludeBody is for request events.")
        found = tx.functions.get(key, version)
        if found is None:
            raise refuse_function(
                "The function cannot be found. Function: " + association["LambdaFunctionARN"]
            )
        for reason in _reasons(found, is_viewer=association["EventType"] in _VIEWER):
            raise refuse_function(f"{reason} Function: {found.arn}")
        if tx.settings.get(Kind.PROVISIONED_CONCURRENCY, key, version):
            raise refuse_function(
                f"The function cannot have provisioned concurrency. Function: {found.arn}"
            )
        if is_strict and not _trusts_edge(tx, found):
            raise refuse_function(
                "The function execution role must be assumable with edgelambda.amazonaws.com as"
                " well as lambda.amazonaws.com principals. Update the IAM role and try again."
                f" Role: {found.role}"
            )


def parse_edge_function(text: str) -> tuple[FunctionKey, str]:
    """The function and the version that an ARN names. Raises `InvalidLambdaFunctionAssociation`
    unless it names a numbered version in us-east-1."""
    arn = Arn.try_parse(text)
    match = _ARN.fullmatch(arn.resource) if arn is not None else None
    if arn is None or arn.service != "lambda" or match is None:
        raise refuse_function(
            "The function ARN must reference a specific function version. (The ARN must end with"
            f" the version number.) ARN: {text[:256]}"
        )
    if arn.region != REGION:
        raise refuse_function(f"The function must be in region 'us-east-1'. ARN: {text[:256]}")
    return FunctionKey(arn.account, arn.region, match[1]), match[2]


def _reasons(function: FunctionVersion, *, is_viewer: bool) -> Iterator[str]:
    """Why a function cannot run at the edge."""
    if not (function.runtime or "").startswith(("nodejs", "python")):
        yield "The function runtime must be one of Node.js and Python."
    if function.environment:
        yield "The function cannot have environment variables."
    if function.layers:
        yield "The function cannot have a Layer."
    if function.dead_letter_target:
        yield "The function cannot have a dead letter queue."
    if function.ephemeral_storage_mb > _STORAGE_MB:
        yield "The function cannot have more than 512 MB of ephemeral storage."
    if function.isolates_tenants:
        yield "The function cannot isolate tenants."
    other = function.other
    if (other.get("VpcConfig") or {}).get("SubnetIds"):
        yield "The function cannot be in a VPC."
    if (other.get("TracingConfig") or {}).get("Mode") == "Active":
        yield "The function cannot have active tracing."
    if other.get("KMSKeyArn"):
        yield "The function cannot have a customer managed key."
    if function.timeout_s > _TIMEOUT_S_MAX:
        yield f"The function timeout is larger than {_TIMEOUT_S_MAX} seconds."
    if is_viewer and function.memory_mb > _VIEWER_MEMORY_MB_MAX:
        yield (
            "The function memory size is larger than the maximum allowed for functions that are"
            f" triggered by a CloudFront event: {function.memory_mb} Max allowed:"
            f" {_VIEWER_MEMORY_MB_MAX}."
        )


def _trusts_edge(tx: Transaction, function: FunctionVersion) -> bool:
    name = parse_role_arn(function.role)
    if name is None:
        return False
    role = tx.identities.get(IdentityKey(name.account, "role", name.name))
    return role is not None and trusts(role, service(EDGE_SERVICE))


def _check_own_function(tx: Transaction, account: AccountId, association: Params) -> None:
    named = parse_cloudfront_arn(association["FunctionARN"])
    if named is None or named[:2] != (account, FUNCTION):
        raise ApiError("InvalidFunctionAssociation", "The ARN is not that of a function.")
    if association["EventType"] not in _VIEWER:
        raise ApiError("InvalidFunctionAssociation", "A CloudFront function is for viewer events.")
    found = tx.documents.get(account_root(account), FUNCTION, named[2][:64])
    if found is None or LIVE not in found.body["stages"]:
        raise ApiError(
            "InvalidFunctionAssociation",
            "The function does not exist or is not published. ARN: " + association["FunctionARN"],
        )
