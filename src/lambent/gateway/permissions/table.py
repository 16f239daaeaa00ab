"""What each operation needs permission for: the one place that says so.

docs/reference/permissions.md is written from it. An operation that is not here is refused.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

import dataclasses
from collections.abc import Mapping, Sequence

from lambent.gateway.permissions import keys as k
from lambent.gateway.permissions import resources as r


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """One permission that an operation needs."""

    action: str
    """`lambda:GetFunction`."""
    resource: r.Resource
    keys: tuple[k.Key, ...] = ()
    only_with: str | None = None
    """Needed if the request has this member."""
    shows: str | None = None
    """Needed to see this member of the answer; the rest is answered without."""


Needs = tuple[Need, ...]

_OF_FUNCTIONS = (
    *("CreateAlias", "DeleteAlias", "GetAlias", "ListAliases", "UpdateAlias"),
    *("DeleteFunctionCodeSigningConfig", "GetFunctionCodeSigningConfig"),
    *("DeleteFunctionConcurrency", "GetFunctionConcurrency", "PutFunctionConcurrency"),
    *("GetFunctionRecursionConfig", "PutFunctionRecursionConfig"),
    *("ListFunctionEventInvokeConfigs", "ListFunctionUrlConfigs"),
    *("ListProvisionedConcurrencyConfigs", "ListVersionsByFunction"),
    *("PublishVersion", "UpdateFunctionCode"),
)
_OF_VERSIONS = (
    *("DeleteFunction", "GetFunctionConfiguration", "GetPolicy"),
    *("DeleteFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig"),
    *("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"),
    *("DeleteProvisionedConcurrencyConfig", "GetProvisionedConcurrencyConfig"),
    *("PutProvisionedConcurrencyConfig",),
    *("GetFunctionScalingConfig", "PutFunctionScalingConfig"),
    *("GetRuntimeManagementConfig", "PutRuntimeManagementConfig"),
)
_OF_URLS = (
    *("CreateFunctionUrlConfig", "DeleteFunctionUrlConfig", "GetFunctionUrlConfig"),
    *("UpdateFunctionUrlConfig",),
)
_OF_LAYER_VERSIONS = (
    *("AddLayerVersionPermission", "DeleteLayerVersion", "GetLayerVersion"),
    *("GetLayerVersionPolicy", "RemoveLayerVersionPermission"),
)
_OF_CODE_SIGNING = (
    *("DeleteCodeSigningConfig", "GetCodeSigningConfig", "ListFunctionsByCodeSigningConfig"),
    *("UpdateCodeSigningConfig",),
)
_OF_ACCOUNTS = (
    *("GetAccountSettings", "ListCodeSigningConfigs", "ListEventSourceMappings"),
    *("ListFunctions", "ListLayers"),
)
_INVOKE = (Need("lambda:InvokeFunction", r.QUALIFIED),)


def _each(
    service: str, names: Sequence[str], resource: r.Resource, *keys: k.Key
) -> dict[str, Needs]:
    """Operations that need the permission of their own name and no other."""
    return {name: (Need(f"{service}:{name}", resource, keys),) for name in names}


_LAMBDA: Mapping[str, Needs] = {
    **_each("lambda", _OF_FUNCTIONS, r.FUNCTION),
    **_each("lambda", _OF_VERSIONS, r.QUALIFIED),
    **_each("lambda", _OF_URLS, r.QUALIFIED, k.URL_AUTH_TYPE, k.FUNCTION_ARN),
    **_each("lambda", _OF_LAYER_VERSIONS, r.LAYER_VERSION),
    **_each("lambda", _OF_CODE_SIGNING, r.CODE_SIGNING),
    **_each("lambda", _OF_ACCOUNTS, r.NOTHING),
    **_each("lambda", ("ListLayerVersions", "PublishLayerVersion"), r.LAYER),
    **_each("lambda", ("ListTags",), r.TAGGED),
    **_each("lambda", ("TagResource",), r.TAGGED, *k.TAGS),
    **_each("lambda", ("UntagResource",), r.TAGGED, k.TAG_KEYS),
    **_each("lambda", ("AddPermission",), r.QUALIFIED, *k.GRANTED),
    **_each("lambda", ("RemovePermission",), r.QUALIFIED, *k.REVOKED),
    **_each(
        "lambda",
        ("DeleteEventSourceMapping", "GetEventSourceMapping"),
        r.MAPPING,
        k.MAPPED_FUNCTION,
    ),
    "Invoke": _INVOKE,
    "InvokeAsync": _INVOKE,
    "InvokeWithResponseStream": _INVOKE,
    "GetFunction": (
        Need("lambda:GetFunction", r.QUALIFIED),
        Need("lambda:ListTags", r.FUNCTION, shows="Tags"),
    ),
    "GetLayerVersionByArn": (Need("lambda:GetLayerVersion", r.LAYER_VERSION_BY_ARN),),
    "CreateFunction": (
        Need("lambda:CreateFunction", r.FUNCTION, (*k.CONFIGURED, k.CODE_SIGNING, *k.TAGS)),
        Need("iam:PassRole", r.PASSED_ROLE, k.PASSED),
        Need("lambda:GetLayerVersion", r.NEW_LAYERS, only_with="Layers"),
        Need("lambda:TagResource", r.FUNCTION, k.TAGS, only_with="Tags"),
    ),
    "UpdateFunctionConfiguration": (
        Need("lambda:UpdateFunctionConfiguration", r.FUNCTION, k.CONFIGURED),
        Need("iam:PassRole", r.PASSED_ROLE, k.PASSED, only_with="Role"),
        Need("lambda:GetLayerVersion", r.NEW_LAYERS, only_with="Layers"),
    ),
    "CreateEventSourceMapping": (
        Need("lambda:CreateEventSourceMapping", r.NOTHING, (k.FUNCTION_ARN, *k.TAGS)),
        Need("lambda:TagResource", r.NEW_MAPPING, k.TAGS, only_with="Tags"),
    ),
    # For the function that it calls, and for the one that it is to call.
    "UpdateEventSourceMapping": (
        Need("lambda:UpdateEventSourceMapping", r.MAPPING, (k.MAPPED_FUNCTION,)),
        Need(
            *("lambda:UpdateEventSourceMapping", r.MAPPING, (k.FUNCTION_ARN,)),
            only_with="FunctionName",
        ),
    ),
    "CreateCodeSigningConfig": (
        Need("lambda:CreateCodeSigningConfig", r.NOTHING, k.TAGS),
        Need("lambda:TagResource", r.NEW_CODE_SIGNING, k.TAGS, only_with="Tags"),
    ),
    "PutFunctionCodeSigningConfig": (
        Need("lambda:PutFunctionCodeSigningConfig", r.FUNCTION, (k.CODE_SIGNING,)),
        Need("lambda:PutFunctionCodeSigningConfig", r.CODE_SIGNING, (k.CODE_SIGNING,)),
    ),
    "PutResourcePolicy": (
        Need("lambda:PutResourcePolicy", r.GRANTED, (k.PRINCIPAL,)),
        Need("lambda:AddPermission", r.GRANTED, (k.PRINCIPAL, k.AUTH_TYPE)),
        Need("lambda:RemovePermission", r.REVOKED, (k.PRINCIPAL, k.AUTH_TYPE)),
    ),
    "GetResourcePolicy": (
        Need("lambda:GetResourcePolicy", r.WITH_POLICY),
        Need("lambda:GetPolicy", r.WITH_POLICY),
    ),
    "DeleteResourcePolicy": (
        Need("lambda:DeleteResourcePolicy", r.REVOKED, (k.PRINCIPAL,)),
        Need("lambda:RemovePermission", r.REVOKED, (k.PRINCIPAL, k.AUTH_TYPE)),
    ),
}

_OF_USERS = (
    *("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey"),
    *("DeleteUser", "GetUser", "ListAttachedUserPolicies", "ListUserTags"),
    *("DeleteUserPolicy", "GetUserPolicy", "ListUserPolicies", "PutUserPolicy"),
)
_OF_ROLES = (
    *("DeleteRole", "GetRole", "ListAttachedRolePolicies", "ListInstanceProfilesForRole"),
    *("DeleteRolePolicy", "GetRolePolicy", "ListRolePolicies", "PutRolePolicy"),
    *("ListRoleTags", "UpdateAssumeRolePolicy"),
)

_IAM: Mapping[str, Needs] = {
    **_each("iam", _OF_USERS, r.USER),
    **_each("iam", _OF_ROLES, r.ROLE),
    **_each("iam", ("ListRoles", "ListUsers"), r.NOTHING),
    **_each("iam", ("TagUser",), r.USER, *k.TAGS),
    **_each("iam", ("TagRole",), r.ROLE, *k.TAGS),
    **_each("iam", ("UntagUser",), r.USER, k.TAG_KEYS),
    **_each("iam", ("UntagRole",), r.ROLE, k.TAG_KEYS),
    "CreateUser": (
        Need("iam:CreateUser", r.NEW_USER, k.TAGS),
        Need("iam:TagUser", r.NEW_USER, k.TAGS, only_with="Tags"),
    ),
    "CreateRole": (
        Need("iam:CreateRole", r.NEW_ROLE, k.TAGS),
        Need("iam:TagRole", r.NEW_ROLE, k.TAGS, only_with="Tags"),
    ),
}

_LOGS: Mapping[str, Needs] = {
    **_each("logs", ("DescribeLogGroups",), r.LOG_GROUPS),
    **_each("logs", ("DescribeLogStreams", "FilterLogEvents"), r.LOG_GROUP),
    **_each("logs", ("GetLogEvents",), r.LOG_STREAM),
}

_STS: Mapping[str, Needs] = {
    **_each("sts", ("AssumeRole",), r.ASSUMED_ROLE, *k.ASSUMED),
    "GetCallerIdentity": (),
    "GetSessionToken": (),
}

PERMISSIONS: Mapping[str, Mapping[str, Needs]] = {
    "lambda": _LAMBDA,
    "iam": _IAM,
    "logs": _LOGS,
    "sts": _STS,
}
"""By service and operation. An operation without any need is everybody's."""
