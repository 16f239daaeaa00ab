"""What each operation of Lambda needs permission for.

docs/reference/permissions.md is written from it.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

from collections.abc import Mapping

from lambent.gateway.permissions.needs import NOTHING, TAG_KEYS, TAGS, Need, Needs, each
from lambent.gateway.services.lambda_.permissions import keys as k
from lambent.gateway.services.lambda_.permissions import resources as r

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


PERMISSIONS: Mapping[str, Needs] = {
    **each("lambda", _OF_FUNCTIONS, r.FUNCTION),
    **each("lambda", _OF_VERSIONS, r.QUALIFIED),
    **each("lambda", _OF_URLS, r.QUALIFIED, k.URL_AUTH_TYPE, k.FUNCTION_ARN),
    **each("lambda", _OF_LAYER_VERSIONS, r.LAYER_VERSION),
    **each("lambda", _OF_CODE_SIGNING, r.CODE_SIGNING),
    **each("lambda", _OF_ACCOUNTS, NOTHING),
    **each("lambda", ("ListLayerVersions", "PublishLayerVersion"), r.LAYER),
    **each("lambda", ("ListTags",), r.TAGGED),
    **each("lambda", ("TagResource",), r.TAGGED, *TAGS),
    **each("lambda", ("UntagResource",), r.TAGGED, TAG_KEYS),
    **each("lambda", ("AddPermission",), r.QUALIFIED, *k.GRANTED),
    **each("lambda", ("RemovePermission",), r.QUALIFIED, *k.REVOKED),
    **each(
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
        Need("lambda:CreateFunction", r.FUNCTION, (*k.CONFIGURED, k.CODE_SIGNING, *TAGS)),
        Need("iam:PassRole", r.PASSED_ROLE, k.PASSED),
        Need("lambda:GetLayerVersion", r.NEW_LAYERS, only_with="Layers"),
        Need("lambda:TagResource", r.FUNCTION, TAGS, only_with="Tags"),
    ),
    "UpdateFunctionConfiguration": (
        Need("lambda:UpdateFunctionConfiguration", r.FUNCTION, k.CONFIGURED),
        Need("iam:PassRole", r.PASSED_ROLE, k.PASSED, only_with="Role"),
        Need("lambda:GetLayerVersion", r.NEW_LAYERS, only_with="Layers"),
    ),
    "CreateEventSourceMapping": (
        Need("lambda:CreateEventSourceMapping", NOTHING, (k.FUNCTION_ARN, *TAGS)),
        Need("lambda:TagResource", r.NEW_MAPPING, TAGS, only_with="Tags"),
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
        Need("lambda:CreateCodeSigningConfig", NOTHING, TAGS),
        Need("lambda:TagResource", r.NEW_CODE_SIGNING, TAGS, only_with="Tags"),
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
