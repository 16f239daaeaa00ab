"""Decisions are about resources, never about how a request spells their names: what is denied is
denied, and what is allowed is allowed, under each name that an operation accepts."""

import asyncio
import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lambent.control.cloudfront.policies import KINDS as EDGE_POLICIES
from lambent.control.events.naming import connection_arn, destination_arn
from lambent.gateway.authorization import Authorization
from lambent.gateway.definitions import AnyService
from lambent.gateway.permissions.asked import Nothing
from lambent.gateway.permissions.needs import Needs
from lambent.gateway.registry import SERVICES
from lambent.gateway.services.cognito_idp.operations import MANAGED as OF_OWNERS
from lambent.gateway.services.cognito_idp.operations import PUBLIC
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.gateway.services.lexv2_models.service import LEXV2_MODELS
from lambent.gateway.services.lexv2_runtime.service import LEXV2_RUNTIME
from lambent.gateway.services.s3.service import S3
from lambent.identity.authorizer import Caller, LoadPolicy
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.model.identity import Identity, IdentityKey, session_principal
from lambent.model.names import FunctionReference
from lambent.model.policy import ResourcePolicy
from lambent.model.principal import Principal, root_of
from tests.authorizers import nothing, strict

HERE = "111111111111"
SCOPE = Scope(HERE, "us-east-1")
USER = Principal(kind="user", account=HERE, arn=f"arn:aws:iam::{HERE}:user/ann", user_id="AIDA1")
PREFIX = f"arn:aws:lambda:us-east-1:{HERE}"
FUNCTION = f"{PREFIX}:function:prod-f"
LAYER = f"{PREFIX}:layer:prod-l"
UUID = "0b1e3c1a-5c8d-4a34-a3a5-5d2a3c1e9f10"
MAPPING = f"{PREFIX}:event-source-mapping:{UUID}"
CONFIG = f"{PREFIX}:code-signing-config:csc-{'a' * 17}"
GROUP = f"arn:aws:logs:us-east-1:{HERE}:log-group:/prod/g"
MANAGED = f"arn:aws:iam::{HERE}:policy/admins/m"
IMAGES = f"arn:aws:ecr:us-east-1:{HERE}:repository/team/i"
BUCKET = "arn:aws:s3:::prod-b"
PARAMETER = f"arn:aws:ssm:us-east-1:{HERE}:parameter/team/p"
SAMPLING_RULE = f"arn:aws:xray:us-east-1:{HERE}:sampling-rule/r"
SIREN = f"arn:aws:cloudwatch:us-east-1:{HERE}:alarm:siren"
SECRET = f"arn:aws:secretsmanager:us-east-1:{HERE}:secret:team/s-AbCdEf"
BOSS = f"arn:aws:iam::{HERE}:user/admins/boss"
ROLE = f"arn:aws:iam::{HERE}:role/admins/power"
BUS = f"arn:aws:events:us-east-1:{HERE}:event-bus/b"
DEFAULT_BUS = f"arn:aws:events:us-east-1:{HERE}:event-bus/default"
RULE = f"arn:aws:events:us-east-1:{HERE}:rule/r"
RULE_ON_BUS = f"arn:aws:events:us-east-1:{HERE}:rule/b/r"
SCHEDULE = f"arn:aws:scheduler:us-east-1:{HERE}:schedule/default/s"
SCHEDULE_IN_GROUP = f"arn:aws:scheduler:us-east-1:{HERE}:schedule/g/s"
SCHEDULES_OF_GROUP = f"arn:aws:scheduler:us-east-1:{HERE}:schedule/g/*"
GROUP_OF_SCHEDULES = f"arn:aws:scheduler:us-east-1:{HERE}:schedule-group/g"
POOL = f"arn:aws:cognito-idp:us-east-1:{HERE}:userpool/us-east-1_p"
BOT = f"arn:aws:lex:us-east-1:{HERE}:bot/BOT0000001"
ANY_BOT = f"arn:aws:lex:us-east-1:{HERE}:bot/*"
BOT_ALIAS = f"arn:aws:lex:us-east-1:{HERE}:bot-alias/BOT0000001/ALIAS00001"
DISTRIBUTION = f"arn:aws:cloudfront::{HERE}:distribution/E1"
EDGE_FUNCTION = f"arn:aws:cloudfront::{HERE}:function/f"
STACK = f"arn:aws:cloudformation:us-east-1:{HERE}:stack/prod-s/{UUID}"
CHANGE_SET = f"arn:aws:cloudformation:us-east-1:{HERE}:changeSet/c/{UUID}"

Params = Mapping[str, Any]
Statement = Mapping[str, Any]


class Known(Nothing):
    """A store with an administrator, a powerful role, a mapping and a function URL."""

    async def identity(self, key: IdentityKey) -> Identity | None:
        if key.name not in ("boss", "power", "team"):
            return None
        return Identity(key=key, id="AIDA2", path="/admins/", created_ms=0)

    async def function_of_mapping(self, scope: Scope, uuid: str) -> str | None:
        return f"{FUNCTION}:$LATEST" if (scope, uuid) == (SCOPE, UUID) else None

    async def url_auth_type(self, reference: FunctionReference) -> str | None:
        return "NONE" if reference.key == FunctionKey(HERE, "us-east-1", "prod-f") else None

    async def statements(self, reference: FunctionReference) -> Sequence[Mapping[str, Any]]:
        principal = {"AWS": f"arn:aws:iam::{'3' * 12}:root"}
        condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
        return [{"Sid": "s", "Principal": principal, "Condition": condition}]

    async def layers_of(self, key: FunctionKey) -> Sequence[str]:
        return [f"{LAYER}:7"]

    async def secret_arn(self, scope: Scope, text: str) -> str | None:
        return SECRET if text in ("team/s", SECRET, SECRET[:-7]) else None

    async def stack_arn(self, scope: Scope, name: str) -> str | None:
        return STACK if (scope, name) == (SCOPE, "prod-s") else None

    async def stack_of_change_set(self, scope: Scope, arn: str) -> str | None:
        return STACK if (scope, arn) == (SCOPE, CHANGE_SET) else None


def runs_at_edge(*arns: str) -> Params:
    """The configuration of a distribution that runs these functions."""
    items = [{"LambdaFunctionARN": arn} for arn in arns]
    return {"DefaultCacheBehavior": {"LambdaFunctionAssociations": {"Items": items}}}


def meant(name: str) -> tuple[AnyService, str]:
    """The service and the operation of a name; `iam:GetPolicy` where an earlier service has an
    operation of the same name."""
    prefix, _, operation = name.rpartition(":")
    return next(
        (service, operation)
        for service in SERVICES
        if operation in service.permissions and prefix in ("", service.name)
    )


def decision(
    operation: str,
    params: Params,
    *statements: Statement,
    principal: Principal = USER,
    load: LoadPolicy = nothing,
    tags: Mapping[str, str] | None = None,
) -> ApiError | None:
    """Why a user with these statements may not; None if he may."""
    service, operation = meant(operation)
    caller = Caller(
        principal=principal, scope=SCOPE, service=service.signing_name, access_key_id="AKIA"
    )
    authorization = Authorization(strict(*statements, load=load, tags=tags), Known())
    try:
        asyncio.run(authorization.check(caller, service, operation, params))
    except ApiError as error:
        return error
    return None


def allow(action: str = "*", resource: str = "*", **members: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **members}


def deny(action: str = "*", resource: str = "*", **members: Any) -> Statement:
    return {**allow(action, resource, **members), "Effect": "Deny"}


@dataclasses.dataclass(frozen=True)
class Case:
    """How an operation may name one resource."""

    arns: tuple[str, ...]
    """What a policy may call it."""
    spellings: Sequence[Params]


def all_of(**members: Sequence[Any]) -> list[Params]:
    """Each combination of the members' values; None leaves a member out."""
    return [
        {name: value for name, value in zip(members, values, strict=True) if value is not None}
        for values in itertools.product(*members.values())
    ]


def types_of(needs: Needs) -> set[str]:
    """The types of the resources that an operation is about."""
    return {kind for need in needs for kind in need.resource.types}


NAMES = (
    *("prod-f", "function:prod-f", f"{HERE}:prod-f", f"{HERE}:function:prod-f"),
    *(f"us-east-1:{HERE}:function:prod-f", FUNCTION),
    *(f"arn:aws:lambda:{HERE}:prod-f", "us-east-1:prod-f"),
)
LATEST = tuple(f"{name}:$LATEST" for name in NAMES)
WHOLE = Case((FUNCTION,), all_of(FunctionName=[*NAMES, *LATEST]))
QUALIFIED = (
    Case((FUNCTION,), all_of(FunctionName=NAMES)),
    Case(
        (FUNCTION, f"{FUNCTION}:$LATEST"),
        all_of(FunctionName=NAMES, Qualifier=["$LATEST"])
        + all_of(FunctionName=LATEST, Qualifier=[None, "$LATEST"]),
    ),
    Case(
        (f"{FUNCTION}:1",),
        all_of(FunctionName=NAMES, Qualifier=["1"])
        + all_of(FunctionName=[f"{name}:1" for name in NAMES], Qualifier=[None, "1"]),
    ),
)
LAYERS = Case((LAYER,), all_of(LayerName=["prod-l", LAYER]))
LAYER_VERSIONS = Case((f"{LAYER}:1",), all_of(LayerName=["prod-l", LAYER], VersionNumber=[1]))
POLICY = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "lambda:*"}})
WITH_POLICY = (
    Case((FUNCTION,), all_of(ResourceArn=[FUNCTION], Policy=[POLICY])),
    Case(
        (FUNCTION, f"{FUNCTION}:$LATEST"),
        all_of(ResourceArn=[f"{FUNCTION}:$LATEST"], Policy=[POLICY]),
    ),
    Case((f"{FUNCTION}:1",), all_of(ResourceArn=[f"{FUNCTION}:1"], Policy=[POLICY])),
)
TAGGED = tuple(
    Case((arn,), all_of(Resource=[arn], Tags=[{"a": "b"}], TagKeys=[["a"]]))
    for arn in (FUNCTION, MAPPING, CONFIG)
)
CONFIGURED = Case((CONFIG,), all_of(CodeSigningConfigArn=[CONFIG]))
MAPPED = Case((MAPPING,), all_of(UUID=[UUID], FunctionName=[None, "prod-f"]))
GROUPS = Case(
    (GROUP, f"{GROUP}:*"),
    all_of(logGroupName=["/prod/g"], logStreamName=["s"])
    + all_of(logGroupIdentifier=["/prod/g", GROUP, f"{GROUP}:*"], logStreamName=["s"]),
)
STREAM = Case((f"{GROUP}:log-stream:s",), GROUPS.spellings)
TEAM = f"arn:aws:iam::{HERE}:group/admins/team"
USERS = Case((BOSS,), [{"UserName": "boss", "PolicyName": "p", "AccessKeyId": "AKIA"}])
ROLES = Case((ROLE,), [{"RoleName": "power", "PolicyName": "p"}])
NEITHER = Case(("*",), [{}])


def of_pools(operation: str) -> str:
    """The name of an operation of Cognito."""
    earlier = (service for service in SERVICES if service.name != "cognito-idp")
    is_known = any(operation in service.offered for service in earlier)
    return f"cognito-idp:{operation}" if is_known else operation


OF_ALIASES = {
    *("DescribeBotAlias", "UpdateBotAlias", "DeleteBotAlias"),
    *LEXV2_RUNTIME.permissions,
}
WITHOUT_BOT = ("CreateBot", "DeleteImport", "DescribeImport", "DescribeExport", "DeleteExport")
OF_NO_BOT = ("ListBots", "CreateUploadUrl")
TRANSFERS = ("ListImports", "ListExports")
BY_BOT_ARN = ("TagResource", "UntagResource", "ListTagsForResource")
SPECIAL_OF_BOTS = {
    *(*OF_ALIASES, *WITHOUT_BOT, *OF_NO_BOT, *TRANSFERS, *BY_BOT_ARN),
    *("CreateBotAlias", "StartImport", "CreateExport"),
}

CASES: Mapping[str, Sequence[Case]] = {
    **dict.fromkeys(
        sorted(LEXV2_MODELS.permissions.keys() - SPECIAL_OF_BOTS),
        (Case((BOT,), [{"botId": "BOT0000001"}]),),
    ),
    **dict.fromkeys(
        sorted(OF_ALIASES),
        (Case((BOT_ALIAS,), [{"botId": "BOT0000001", "botAliasId": "ALIAS00001"}]),),
    ),
    "CreateBotAlias": (Case((f"{BOT_ALIAS.rpartition('/')[0]}/*",), [{"botId": "BOT0000001"}]),),
    **dict.fromkeys(WITHOUT_BOT, (Case((ANY_BOT,), [{}]),)),
    **dict.fromkeys(OF_NO_BOT, (NEITHER,)),
    **dict.fromkeys((f"lexv2-models:{name}" for name in TRANSFERS), (NEITHER,)),
    **dict.fromkeys(
        (f"lexv2-models:{name}" for name in BY_BOT_ARN),
        tuple(Case((arn,), [{"resourceARN": arn}]) for arn in (BOT, BOT_ALIAS)),
    ),
    "CreateExport": (
        Case(
            (BOT,),
            [{"resourceSpecification": {"botExportSpecification": {"botId": "BOT0000001"}}}],
        ),
    ),
    "StartImport": (
        Case((ANY_BOT,), [{"resourceSpecification": {"botImportSpecification": {}}}]),
        Case(
            (BOT,),
            [{"resourceSpecification": {"botLocaleImportSpecification": {"botId": "BOT0000001"}}}],
        ),
    ),
    **dict.fromkeys(
        (
            *("CreateAlias", "DeleteAlias", "GetAlias", "ListAliases", "UpdateAlias"),
            *("CreateFunction", "UpdateFunctionConfiguration", "UpdateFunctionCode"),
            *("DeleteFunctionCodeSigningConfig", "GetFunctionCodeSigningConfig"),
            *("DeleteFunctionConcurrency", "GetFunctionConcurrency", "PutFunctionConcurrency"),
            *("GetFunctionRecursionConfig", "PutFunctionRecursionConfig", "PublishVersion"),
            *("ListFunctionEventInvokeConfigs", "ListFunctionUrlConfigs"),
            *("ListProvisionedConcurrencyConfigs", "ListVersionsByFunction"),
        ),
        (WHOLE,),
    ),
    **dict.fromkeys(
        (
            *("Invoke", "InvokeAsync", "InvokeWithResponseStream"),
            *("AddPermission", "GetPolicy", "RemovePermission"),
            *("CreateFunctionUrlConfig", "DeleteFunctionUrlConfig", "GetFunctionUrlConfig"),
            *("DeleteFunction", "GetFunction", "GetFunctionConfiguration"),
            *("DeleteFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig"),
            *("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"),
            *("DeleteProvisionedConcurrencyConfig", "GetProvisionedConcurrencyConfig"),
            *("PutProvisionedConcurrencyConfig", "UpdateFunctionUrlConfig"),
            *("GetFunctionScalingConfig", "PutFunctionScalingConfig"),
            *("GetRuntimeManagementConfig", "PutRuntimeManagementConfig"),
        ),
        QUALIFIED,
    ),
    **dict.fromkeys(("ListLayerVersions", "PublishLayerVersion"), (LAYERS,)),
    **dict.fromkeys(
        (
            *("AddLayerVersionPermission", "DeleteLayerVersion", "GetLayerVersion"),
            *("GetLayerVersionPolicy", "RemoveLayerVersionPermission"),
        ),
        (LAYER_VERSIONS,),
    ),
    "GetLayerVersionByArn": (Case((f"{LAYER}:1",), [{"Arn": f"{LAYER}:1"}]),),
    **dict.fromkeys(
        ("PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"), WITH_POLICY
    ),
    **dict.fromkeys(("TagResource", "UntagResource", "ListTags"), TAGGED),
    **dict.fromkeys(
        (
            *("DeleteCodeSigningConfig", "GetCodeSigningConfig", "UpdateCodeSigningConfig"),
            *("ListFunctionsByCodeSigningConfig",),
        ),
        (CONFIGURED,),
    ),
    "PutFunctionCodeSigningConfig": (
        Case(
            (FUNCTION,),
            [{**members, "CodeSigningConfigArn": CONFIG} for members in WHOLE.spellings],
        ),
    ),
    **dict.fromkeys(
        ("DeleteEventSourceMapping", "GetEventSourceMapping", "UpdateEventSourceMapping"), (MAPPED,)
    ),
    **dict.fromkeys(
        (
            *("CreateCodeSigningConfig", "CreateEventSourceMapping", "GetAccountSettings"),
            *("ListCodeSigningConfigs", "ListEventSourceMappings", "ListFunctions", "ListLayers"),
            *("ListUsers", "ListGroups", "ListRoles", "ListPolicies", "ListBuckets"),
            *("ListSecrets", "GetRandomPassword"),
            *("GetMetricData", "GetMetricStatistics", "ListMetrics", "PutMetricData"),
            "DescribeAlarmsForMetric",
            *("ListExports", "ListImports", "ListStacks", "ValidateTemplate"),
            *("CancelResourceRequest", "GetResourceRequestStatus", "ListResourceRequests"),
            *("cloudcontrol:CreateResource", "cloudcontrol:DeleteResource", "ListResources"),
            *("cloudcontrol:GetResource", "cloudcontrol:UpdateResource"),
        ),
        (NEITHER,),
    ),
    "DescribeLogGroups": (
        Case(("*", f"arn:aws:logs:us-east-1:{HERE}:log-group:*"), [{}, {"limit": 1}]),
    ),
    **dict.fromkeys(("DescribeLogStreams", "FilterLogEvents"), (GROUPS,)),
    "GetLogEvents": (GROUPS, STREAM),
    "DescribeMetricFilters": (
        Case((GROUP, f"{GROUP}:*"), [{"logGroupName": "/prod/g"}]),
        Case(("*", f"arn:aws:logs:us-east-1:{HERE}:log-group:*"), [{}]),
    ),
    **dict.fromkeys(
        ("GetLogGroupFields", "PutLogGroupDeletionProtection"),
        (
            Case(
                (GROUP, f"{GROUP}:*"), [{"logGroupIdentifier": each} for each in (GROUP, "/prod/g")]
            ),
        ),
    ),
    **dict.fromkeys(
        ("PutLogEvents", "DeleteLogStream"),
        (Case((f"{GROUP}:log-stream:s",), [{"logGroupName": "/prod/g", "logStreamName": "s"}]),),
    ),
    **dict.fromkeys(
        (
            *("GetQueryResults", "StopQuery", "DescribeQueries", "GetLogRecord", "ListLogGroups"),
            *("TestMetricFilter", "PutQueryDefinition", "DescribeQueryDefinitions"),
            "DeleteQueryDefinition",
        ),
        (NEITHER,),
    ),
    "StartQuery": (
        Case(
            (GROUP, f"{GROUP}:*"),
            [
                {"logGroupName": "/prod/g"},
                {"logGroupNames": ["/prod/g"]},
                {"logGroupIdentifiers": [GROUP, "/prod/g"]},
            ],
        ),
    ),
    "StartLiveTail": (Case((GROUP, f"{GROUP}:*"), [{"logGroupIdentifiers": [GROUP, "/prod/g"]}]),),
    **dict.fromkeys(
        (
            *("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy"),
            *("TagLogGroup", "UntagLogGroup", "ListTagsLogGroup", "PutSubscriptionFilter"),
            *("DeleteSubscriptionFilter", "DescribeSubscriptionFilters", "PutMetricFilter"),
            *("DeleteMetricFilter", "CreateLogStream"),
        ),
        (Case((GROUP, f"{GROUP}:*"), [{"logGroupName": "/prod/g"}]),),
    ),
    **dict.fromkeys(
        ("logs:TagResource", "logs:UntagResource", "ListTagsForResource"),
        (Case((GROUP, f"{GROUP}:*"), [{"resourceArn": GROUP}, {"resourceArn": f"{GROUP}:*"}]),),
    ),
    **dict.fromkeys(
        (
            *("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey"),
            *("DeleteUser", "GetUser", "ListAttachedUserPolicies", "ListUserTags"),
            *("DeleteUserPolicy", "GetUserPolicy", "ListUserPolicies", "PutUserPolicy"),
            *("TagUser", "UntagUser", "AttachUserPolicy", "DetachUserPolicy", "ListGroupsForUser"),
        ),
        (USERS,),
    ),
    **dict.fromkeys(
        (
            *("DeleteRole", "GetRole", "ListAttachedRolePolicies", "ListInstanceProfilesForRole"),
            *("DeleteRolePolicy", "GetRolePolicy", "ListRolePolicies", "PutRolePolicy"),
            *("ListRoleTags", "TagRole", "UntagRole", "UpdateAssumeRolePolicy"),
            *("AttachRolePolicy", "DetachRolePolicy", "UpdateRole", "UpdateRoleDescription"),
        ),
        (ROLES,),
    ),
    **dict.fromkeys(
        (
            *("DeletePolicy", "iam:GetPolicy", "ListEntitiesForPolicy", "ListPolicyTags"),
            *("CreatePolicyVersion", "DeletePolicyVersion", "GetPolicyVersion"),
            *("ListPolicyVersions", "SetDefaultPolicyVersion", "TagPolicy", "UntagPolicy"),
        ),
        (Case((MANAGED,), [{"PolicyArn": MANAGED}]),),
    ),
    **dict.fromkeys(
        (
            *("AddUserToGroup", "DeleteGroup", "GetGroup", "ListAttachedGroupPolicies"),
            *("DeleteGroupPolicy", "GetGroupPolicy", "ListGroupPolicies", "PutGroupPolicy"),
            *("AttachGroupPolicy", "DetachGroupPolicy", "RemoveUserFromGroup"),
        ),
        (Case((TEAM,), [{"GroupName": "team", "PolicyName": "p", "UserName": "boss"}]),),
    ),
    "CreateGroup": (Case((TEAM,), [{"GroupName": "team", "Path": "/admins/"}]),),
    "CreatePolicy": (Case((MANAGED,), [{"PolicyName": "m", "Path": "/admins/"}]),),
    **dict.fromkeys(
        (
            *("CreateRepository", "DeleteRepository", "DescribeRepositories"),
            *("PutImageTagMutability", "PutImageScanningConfiguration", "SetRepositoryPolicy"),
            *("GetRepositoryPolicy", "DeleteRepositoryPolicy", "PutLifecyclePolicy"),
            *("GetLifecyclePolicy", "DeleteLifecyclePolicy"),
        ),
        (Case((IMAGES,), [{"repositoryName": "team/i", "repositoryNames": ["team/i"]}]),),
    ),
    **dict.fromkeys(
        ("ecr:TagResource", "ecr:UntagResource", "ecr:ListTagsForResource"),
        (Case((IMAGES,), [{"resourceArn": IMAGES}]),),
    ),
    **dict.fromkeys(
        ("CreateEventBus", "DeleteEventBus", "DescribeEventBus", "UpdateEventBus"),
        (Case((BUS,), [{"Name": "b"}, {"Name": BUS}]),),
    ),
    **dict.fromkeys(
        (
            *("ListEventBuses", "ListRuleNamesByTarget", "ListRules", "TestEventPattern"),
            *("PutPermission", "events:RemovePermission", "ListConnections"),
            "ListApiDestinations",
        ),
        (NEITHER,),
    ),
    **dict.fromkeys(
        (
            *("DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "PutRule"),
            *("ListTargetsByRule", "PutTargets", "RemoveTargets"),
        ),
        (
            Case((RULE,), all_of(Name=["r"], Rule=["r"], EventBusName=[None, DEFAULT_BUS])),
            Case((RULE_ON_BUS,), all_of(Name=["r"], Rule=["r"], EventBusName=["b", BUS])),
        ),
    ),
    **dict.fromkeys(
        (
            *("CreateConnection", "UpdateConnection", "DeauthorizeConnection"),
            *("DescribeConnection", "events:DeleteConnection"),
        ),
        (Case((connection_arn(Scope(HERE, "us-east-1"), "c"),), [{"Name": "c"}]),),
    ),
    "CreateApiDestination": (
        Case(
            (destination_arn(Scope(HERE, "us-east-1"), "d"),),
            [{"Name": "d", "ConnectionArn": connection_arn(Scope(HERE, "us-east-1"), "c")}],
        ),
    ),
    **dict.fromkeys(
        ("UpdateApiDestination", "DeleteApiDestination", "DescribeApiDestination"),
        (Case((destination_arn(Scope(HERE, "us-east-1"), "d"),), [{"Name": "d"}]),),
    ),
    "PutEvents": (
        Case((BUS,), [{"Entries": [{"EventBusName": name}]} for name in ("b", BUS)]),
        Case((DEFAULT_BUS,), [{"Entries": [{}]}]),
    ),
    **dict.fromkeys(
        ("events:TagResource", "events:UntagResource", "events:ListTagsForResource"),
        tuple(Case((arn,), [{"ResourceARN": arn}]) for arn in (BUS, RULE, RULE_ON_BUS)),
    ),
    **dict.fromkeys(
        ("CreateSchedule", "UpdateSchedule", "GetSchedule", "DeleteSchedule"),
        (
            Case((SCHEDULE,), all_of(Name=["s"], GroupName=[None, "default"])),
            Case((SCHEDULE_IN_GROUP,), [{"Name": "s", "GroupName": "g"}]),
        ),
    ),
    **dict.fromkeys(
        ("CreateScheduleGroup", "GetScheduleGroup", "DeleteScheduleGroup"),
        (Case((GROUP_OF_SCHEDULES,), [{"Name": "g"}]),),
    ),
    **dict.fromkeys(("ListScheduleGroups", "ListSchedules"), (NEITHER,)),
    **dict.fromkeys(
        (
            *("scheduler:TagResource", "scheduler:UntagResource"),
            "scheduler:ListTagsForResource",
        ),
        (Case((GROUP_OF_SCHEDULES,), [{"ResourceArn": GROUP_OF_SCHEDULES}]),),
    ),
    **dict.fromkeys(
        sorted(name for name, needs in S3.permissions.items() if types_of(needs) == {"bucket"}),
        (Case((BUCKET,), [{"Bucket": "prod-b"}]),),
    ),
    **dict.fromkeys(
        (
            *("GetObject", "HeadObject", "PutObject", "DeleteObject", "CopyObject", "UploadPart"),
            *("CreateMultipartUpload", "CompleteMultipartUpload", "AbortMultipartUpload"),
            "ListParts",
        ),
        (Case((f"{BUCKET}/a/k",), [{"Bucket": "prod-b", "Key": "a/k"}]),),
    ),
    "DeleteObjects": (
        Case(
            (f"{BUCKET}/a/k",),
            [{"Bucket": "prod-b", "Delete": {"Objects": [{"Key": "a/k"}]}}],
        ),
    ),
    **dict.fromkeys(
        ("GetDistribution", "GetDistributionConfig", "DeleteDistribution"),
        (Case((DISTRIBUTION,), [{"Id": "E1"}]),),
    ),
    "UpdateDistribution": (
        Case((DISTRIBUTION,), [{"Id": "E1", "DistributionConfig": runs_at_edge()}]),
    ),
    "CreateDistribution": (Case(("*",), [{"DistributionConfig": runs_at_edge()}]),),
    "CreateDistributionWithTags": (
        Case(
            ("*",),
            [
                {
                    "DistributionConfigWithTags": {
                        "DistributionConfig": runs_at_edge(),
                        "Tags": {"Items": [{"Key": "a", "Value": "b"}]},
                    }
                }
            ],
        ),
    ),
    **dict.fromkeys(
        ("CreateInvalidation", "GetInvalidation", "ListInvalidations"),
        (Case((DISTRIBUTION,), [{"DistributionId": "E1"}]),),
    ),
    **dict.fromkeys(
        (
            *("DescribeFunction", "cloudfront:GetFunction", "UpdateFunction"),
            *("PublishFunction", "cloudfront:DeleteFunction", "TestFunction"),
        ),
        (Case((EDGE_FUNCTION,), [{"Name": "f"}]),),
    ),
    **dict.fromkeys(
        ("cloudfront:CreateFunction", "cloudfront:ListFunctions", "ListDistributions"), (NEITHER,)
    ),
    **dict.fromkeys(
        (
            *("cloudfront:TagResource", "cloudfront:UntagResource"),
            "cloudfront:ListTagsForResource",
        ),
        tuple(Case((arn,), [{"Resource": arn}]) for arn in (DISTRIBUTION, EDGE_FUNCTION)),
    ),
    **{
        f"{verb}{kind.noun}{suffix}": (
            Case((f"arn:aws:cloudfront::{HERE}:{kind.name}/i",), [{"Id": "i"}]),
        )
        for kind in EDGE_POLICIES.values()
        for verb, suffix in (("Get", ""), ("Get", "Config"), ("Update", ""), ("Delete", ""))
    },
    **{
        name: (NEITHER,)
        for kind in EDGE_POLICIES.values()
        for name in (f"Create{kind.noun}", f"List{kind.plural}")
    },
    **dict.fromkeys(
        ("PutParameter", "GetParameter", "GetParameterHistory", "DeleteParameter"),
        (Case((PARAMETER,), [{"Name": "/team/p"}, {"Name": PARAMETER}, {"Name": "/team/p:1"}]),),
    ),
    **dict.fromkeys(
        ("GetParameters", "DeleteParameters"),
        (Case((PARAMETER,), [{"Names": ["/team/p"]}, {"Names": [PARAMETER, "/team/p:1"]}]),),
    ),
    "GetParametersByPath": (Case((PARAMETER,), [{"Path": "/team/p"}, {"Path": "/team/p/"}]),),
    "DescribeParameters": (Case((f"arn:aws:ssm:us-east-1:{HERE}:*",), [{}]),),
    **dict.fromkeys(
        ("AddTagsToResource", "RemoveTagsFromResource", "ssm:ListTagsForResource"),
        (Case((PARAMETER,), [{"ResourceType": "Parameter", "ResourceId": "/team/p"}]),),
    ),
    **dict.fromkeys(
        (
            *("GetSecretValue", "PutSecretValue", "UpdateSecret", "DeleteSecret"),
            *("RestoreSecret", "DescribeSecret", "secretsmanager:GetResourcePolicy"),
            *("secretsmanager:TagResource", "secretsmanager:UntagResource"),
        ),
        (
            Case(
                (SECRET,), [{"SecretId": "team/s"}, {"SecretId": SECRET}, {"SecretId": SECRET[:-7]}]
            ),
        ),
    ),
    **dict.fromkeys(
        ("DeleteAlarms", "DescribeAlarms", "EnableAlarmActions", "DisableAlarmActions"),
        (Case((SIREN,), [{"AlarmNames": ["siren"]}]),),
    ),
    **dict.fromkeys(
        ("PutMetricAlarm", "PutCompositeAlarm", "SetAlarmState", "DescribeAlarmHistory"),
        (Case((SIREN,), [{"AlarmName": "siren"}]),),
    ),
    **dict.fromkeys(
        tuple(
            f"cloudwatch:{name}" for name in ("TagResource", "UntagResource", "ListTagsForResource")
        ),
        (Case((SIREN,), [{"ResourceARN": SIREN}]),),
    ),
    **dict.fromkeys(
        (
            *("PutTraceSegments", "PutTelemetryRecords", "GetTraceSummaries", "BatchGetTraces"),
            *("GetTraceGraph", "GetServiceGraph", "GetSamplingRules", "GetSamplingTargets"),
        ),
        (NEITHER,),
    ),
    "CreateSamplingRule": (Case((SAMPLING_RULE,), [{"SamplingRule": {"RuleName": "r"}}]),),
    "UpdateSamplingRule": (
        Case(
            (SAMPLING_RULE,),
            all_of(SamplingRuleUpdate=[{"RuleName": "r"}, {"RuleARN": SAMPLING_RULE}]),
        ),
    ),
    "DeleteSamplingRule": (
        Case((SAMPLING_RULE,), [{"RuleName": "r"}, {"RuleARN": SAMPLING_RULE}]),
    ),
    "CreateSecret": (Case((f"{SECRET[:-6]}??????",), [{"Name": "team/s"}]),),
    "CreateUser": (Case((BOSS,), [{"UserName": "boss", "Path": "/admins/"}]),),
    "CreateRole": (Case((ROLE,), [{"RoleName": "power", "Path": "/admins/"}]),),
    "AssumeRole": (Case((ROLE,), [{"RoleArn": ROLE}]),),
    **dict.fromkeys(
        (
            *("CancelUpdateStack", "ContinueUpdateRollback", "CreateChangeSet", "CreateStack"),
            *("DeleteStack", "DescribeStackEvents", "DescribeStackResource", "DescribeStacks"),
            *("DescribeEvents", "SignalResource", "DescribeStackResources", "GetStackPolicy"),
            *("GetTemplate", "GetTemplateSummary"),
            *("ListChangeSets", "ListStackResources", "RollbackStack", "SetStackPolicy"),
            *("UpdateStack", "UpdateTerminationProtection"),
        ),
        (Case((STACK,), all_of(StackName=["prod-s", STACK])),),
    ),
    **dict.fromkeys(
        ("DeleteChangeSet", "DescribeChangeSet", "ExecuteChangeSet"),
        (
            Case((STACK,), all_of(StackName=["prod-s", STACK, None], ChangeSetName=[CHANGE_SET])),
            Case((STACK,), all_of(StackName=["prod-s", STACK], ChangeSetName=["c"])),
        ),
    ),
    **dict.fromkeys(map(of_pools, OF_OWNERS), (Case((POOL,), [{"UserPoolId": "us-east-1_p"}]),)),
    **dict.fromkeys(("CreateUserPool", "ListUserPools", "DescribeUserPoolDomain"), (NEITHER,)),
    **dict.fromkeys(
        map(of_pools, ("TagResource", "UntagResource", "ListTagsForResource")),
        (Case((POOL,), [{"ResourceArn": POOL}]),),
    ),
    # Of users: they are not signed.
    **dict.fromkeys(map(of_pools, PUBLIC), ()),
    # For everybody, as in AWS: no policy says who may ask who they are.
    "GetCallerIdentity": (),
    "GetSessionToken": (),
}
EXTRA = {
    "AddPermission": {"Principal": "s3.amazonaws.com"},
    "RemovePermission": {"StatementId": "s"},
    "CreateFunction": {"Role": ROLE},
    "AssumeRole": {"RoleSessionName": "now"},
    "AttachUserPolicy": {"PolicyArn": MANAGED},
    "AttachRolePolicy": {"PolicyArn": MANAGED},
    "DetachUserPolicy": {"PolicyArn": MANAGED},
    "DetachRolePolicy": {"PolicyArn": MANAGED},
    "AttachGroupPolicy": {"PolicyArn": MANAGED},
    "DetachGroupPolicy": {"PolicyArn": MANAGED},
    "PutGroupPolicy": {"PolicyDocument": "{}"},
    "SignalResource": {"LogicalResourceId": "A", "UniqueId": "1", "Status": "SUCCESS"},
    "PutMetricData": {"Namespace": "n"},
    "PutTargets": {"Targets": [{"Id": "1", "Arn": FUNCTION}]},
    "CreateSchedule": {"Target": {"RoleArn": ROLE}},
    "UpdateSchedule": {"Target": {"RoleArn": ROLE}},
    "CopyObject": {"CopySource": "/other/k%2F"},
}
"""What a request has besides."""


async def trusting(arn: str) -> ResourcePolicy:
    """Every role trusts the account."""
    trust = {"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": "sts:AssumeRole"}
    return ResourcePolicy(trust=[trust] if arn == ROLE else [])


BESIDE = {
    "PutFunctionCodeSigningConfig": CONFIG,
    "CreateApiDestination": connection_arn(Scope(HERE, "us-east-1"), "c"),
}
"""Another resource that the same permission of an operation is about."""


def test_every_operation_has_its_cases() -> None:
    """Each operation that is offered has the spellings of its resource here; those of API Gateway,
    whose resources are paths, are in `test_permissions_by_path.py`."""
    for service in SERVICES:
        assert set(service.permissions) == service.offered, service.name
    found: set[str] = set()
    seen: set[str] = set()
    for service in SERVICES:
        names = {f"{service.name}:{name}" if name in seen else name for name in service.offered}
        found |= set() if service.name.startswith("apigateway") else names
        seen |= service.offered
    assert set(CASES) == found


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(name for name, cases in CASES.items() if cases))
def test_what_is_denied_is_denied_in_every_spelling(operation: str) -> None:
    """And what is allowed on the resource alone is allowed in every spelling, nothing else is."""
    service, name = meant(operation)
    action = service.permissions[name][0].action
    for case in CASES[operation]:
        for spelling, arn in itertools.product(case.spellings, case.arns):
            params = {**EXTRA.get(operation, {}), **spelling}
            context = f"{params} {arn}"
            refused = decision(operation, params, allow(), deny(action, arn), load=trusting)
            assert refused is not None, context
            assert refused.code == "AccessDeniedException", context
            assert "explicit deny" in refused.message, context
            others = {"Effect": "Allow", "NotAction": action, "Resource": "*"}
            statements = [allow(action, arn), others]
            if operation in BESIDE:
                statements.append(allow(action, BESIDE[operation]))
            assert decision(operation, params, *statements, load=trusting) is None, context
            if arn != "*":
                beside = [allow(action, f"{arn}x"), others]
                assert decision(operation, params, *beside, load=trusting) is not None, context


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        *(
            (name, {member: arn.replace("arn:aws:", f"arn:{partition}:"), **rest})
            for partition in ("aws-x", "aws-cn", "AWS")
            for name, member, arn, rest in (
                ("TagResource", "Resource", FUNCTION, {"Tags": {"a": "b"}}),
                ("ListTags", "Resource", CONFIG, {}),
                ("PutResourcePolicy", "ResourceArn", FUNCTION, {"Policy": POLICY}),
                ("GetResourcePolicy", "ResourceArn", FUNCTION, {}),
                ("DeleteResourcePolicy", "ResourceArn", FUNCTION, {}),
                ("GetFunction", "FunctionName", FUNCTION, {}),
                ("GetLayerVersionByArn", "Arn", f"{LAYER}:1", {}),
                ("GetLayerVersion", "LayerName", LAYER, {"VersionNumber": 1}),
                ("GetCodeSigningConfig", "CodeSigningConfigArn", CONFIG, {}),
                ("FilterLogEvents", "logGroupIdentifier", GROUP, {}),
                ("AssumeRole", "RoleArn", ROLE, {"RoleSessionName": "now"}),
                ("CreateFunction", "Role", ROLE, {"FunctionName": "f"}),
            )
        ),
        ("GetLayerVersionByArn", {"Arn": f"{LAYER}:01"}),
        ("CreateFunction", {"FunctionName": "f", "Role": ROLE, "Layers": [f"{LAYER}:01"]}),
        ("AssumeRole", {"RoleArn": f"arn:aws:iam::{HERE}:role/power", "RoleSessionName": "now"}),
        ("AssumeRole", {"RoleArn": "nonsense", "RoleSessionName": "now"}),
    ],
)
def test_what_is_no_name_is_refused(operation: str, params: Params) -> None:
    """Another partition, a version with a leading zero, a role without its path: no caller gets
    through with them, whatever they may do."""
    assert decision(operation, params, allow(), load=trusting) is not None


def only_if(operation: str, key: str, value: str, *, operator: str = "StringEquals") -> Statement:
    """A denial of what a request would do under a condition."""
    return deny(f"*:{operation}", Condition={operator: {key: value}})


CONDITIONS = [
    ("CreateEventSourceMapping", {"FunctionName": name}, "lambda:FunctionArn", FUNCTION)
    for name in (*NAMES, *LATEST)
]
CONDITIONS += [
    (name, {"UUID": UUID}, "lambda:FunctionArn", FUNCTION)
    for name in ("GetEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping")
]
URL = {"FunctionName": "prod-f"}
ACCOUNT = f"arn:aws:iam::{'3' * 12}:root"
VPC = {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
TAGS = [{"Key": "team", "Value": "x"}]
CONDITIONS += [
    ("UpdateEventSourceMapping", {"UUID": "other", **URL}, "lambda:FunctionArn", FUNCTION),
    ("CreateFunctionUrlConfig", {**URL, "AuthType": "NONE"}, "lambda:FunctionUrlAuthType", "NONE"),
    ("DeleteFunctionUrlConfig", URL, "lambda:FunctionUrlAuthType", "NONE"),
    ("UpdateFunctionUrlConfig", URL, "lambda:FunctionUrlAuthType", "NONE"),
    (
        *("UpdateFunctionUrlConfig", {**URL, "AuthType": "AWS_IAM"}),
        *("lambda:FunctionUrlAuthType", "AWS_IAM"),
    ),
    ("GetFunctionUrlConfig", {"FunctionName": LATEST[0]}, "lambda:FunctionArn", FUNCTION),
    ("AddPermission", {**URL, "Principal": "3" * 12}, "lambda:Principal", ACCOUNT),
    ("AddPermission", {**URL, "Principal": ACCOUNT}, "lambda:Principal", "3" * 12),
    ("AddPermission", {**URL, "Principal": "*"}, "lambda:Principal", "*"),
    (
        *("AddPermission", {**URL, "Principal": "*", "FunctionUrlAuthType": "NONE"}),
        *("lambda:FunctionUrlAuthType", "NONE"),
    ),
    ("RemovePermission", {**URL, "StatementId": "s"}, "lambda:Principal", "3" * 12),
    ("RemovePermission", {**URL, "StatementId": "s"}, "lambda:FunctionUrlAuthType", "NONE"),
    ("DeleteResourcePolicy", {"ResourceArn": FUNCTION}, "lambda:Principal", "3" * 12),
    (
        "UpdateFunctionConfiguration",
        {**URL, "Layers": [f"{LAYER}:7"]},
        "lambda:Layer",
        f"{LAYER}:7",
    ),
    ("UpdateFunctionConfiguration", {**URL, **VPC}, "lambda:SubnetIds", "subnet-1"),
    ("UpdateFunctionConfiguration", {**URL, **VPC}, "lambda:SecurityGroupIds", "sg-1"),
    (
        *("CreateFunction", {**URL, "Role": ROLE, "CodeSigningConfigArn": CONFIG}),
        *("lambda:CodeSigningConfigArn", CONFIG),
    ),
    (
        *("PutFunctionCodeSigningConfig", {**URL, "CodeSigningConfigArn": CONFIG}),
        *("lambda:CodeSigningConfigArn", CONFIG),
    ),
    ("TagResource", {"Resource": FUNCTION, "Tags": {"Team": "x"}}, "aws:RequestTag/team", "x"),
    ("TagResource", {"Resource": FUNCTION, "Tags": {"team": "x"}}, "aws:TagKeys", "team"),
    ("UntagResource", {"Resource": FUNCTION, "TagKeys": ["a", "team"]}, "aws:TagKeys", "team"),
    ("CreateFunction", {**URL, "Role": ROLE, "Tags": {"a": "b"}}, "aws:RequestTag/a", "b"),
    ("CreateUser", {"UserName": "u", "Tags": TAGS}, "aws:RequestTag/team", "x"),
    ("TagRole", {"RoleName": "power", "Tags": TAGS}, "aws:TagKeys", "team"),
    ("AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "now"}, "sts:RoleSessionName", "now"),
    (
        *("AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "now", "ExternalId": "ours"}),
        *("sts:ExternalId", "ours"),
    ),
]


@pytest.mark.parametrize(("operation", "params", "key", "value"), CONDITIONS)
def test_denials_under_conditions(operation: str, params: Params, key: str, value: str) -> None:
    """The keys that AWS lists have the values of the request or of what it is about."""
    assert decision(operation, params, allow(), load=trusting) is None
    refused = decision(operation, params, allow(), only_if(operation, key, value), load=trusting)
    assert refused is not None
    assert "explicit deny" in refused.message
    other = only_if(operation, key, "other")
    assert decision(operation, params, allow(), other, load=trusting) is None


def test_a_policy_as_a_whole_grants_like_permissions_one_by_one() -> None:
    """A caller who may not grant a permission may not replace the policy by one that does."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction"}
    named = {**statement, "Principal": {"AWS": ["3" * 12, "arn:aws:iam::444444444444:user/u"]}}

    def put(*statements: Statement, principal: str) -> ApiError | None:
        params = {"ResourceArn": FUNCTION, "Policy": json.dumps({"Statement": statements})}
        return decision(
            "PutResourcePolicy",
            params,
            allow(),
            only_if("AddPermission", "lambda:Principal", principal),
        )

    assert put(statement, principal="*") is not None
    assert put(named, principal="*") is None
    assert put(named, principal=ACCOUNT) is not None
    assert put({**statement, "Principal": {"AWS": "*"}}, principal="*") is not None
    revoking = only_if("RemovePermission", "lambda:Principal", ACCOUNT)
    for operation in ("PutResourcePolicy", "DeleteResourcePolicy"):
        params = {"ResourceArn": FUNCTION, "Policy": POLICY}
        assert decision(operation, params, allow(), revoking) is not None
    nobody = json.dumps({"Statement": {**statement, "Principal": {"AWS": []}}})
    params = {"ResourceArn": FUNCTION, "Policy": nobody}
    denied = deny("lambda:PutResourcePolicy", FUNCTION)
    assert decision("PutResourcePolicy", params, allow(), denied) is not None
    params = {"ResourceArn": FUNCTION, "Policy": POLICY}
    for action in ("PutResourcePolicy", "AddPermission", "RemovePermission"):
        assert decision("PutResourcePolicy", params, allow(), deny(f"lambda:{action}")) is not None
    for action in ("GetResourcePolicy", "GetPolicy"):
        assert decision("GetResourcePolicy", params, allow(), deny(f"lambda:{action}")) is not None
    for action in ("DeleteResourcePolicy", "RemovePermission"):
        refused = decision("DeleteResourcePolicy", params, allow(), deny(f"lambda:{action}"))
        assert refused is not None


def test_what_comes_with_a_function() -> None:
    """Its role must be passed, its tags set and its layers read by a caller who may; layers that it
    has already were allowed before."""
    params = {"FunctionName": "f", "Role": ROLE, "Tags": {"a": "b"}, "Layers": [f"{LAYER}:1"]}
    assert decision("CreateFunction", params, allow()) is None
    for statement in (
        deny("iam:PassRole", ROLE),
        only_if("PassRole", "iam:PassedToService", "lambda.amazonaws.com"),
        only_if("PassRole", "iam:AssociatedResourceArn", f"{PREFIX}:function:f"),
        deny("lambda:TagResource", f"{PREFIX}:function:f"),
        deny("lambda:GetLayerVersion", f"{LAYER}:1"),
    ):
        assert decision("CreateFunction", params, allow(), statement) is not None
    denied = deny("lambda:GetLayerVersion")
    present = {"FunctionName": "f", "Layers": [f"{LAYER}:7"]}
    assert decision("UpdateFunctionConfiguration", present, allow(), denied) is None
    plain = {"FunctionName": "f"}
    others = (deny("iam:PassRole"), deny("lambda:TagResource"), denied)
    assert decision("UpdateFunctionConfiguration", plain, allow(), *others) is None


def test_a_mapping_is_allowed_for_both_functions() -> None:
    """For the one it calls and the one it is to call."""
    other = {"ArnEquals": {"lambda:FunctionArn": f"{PREFIX}:function:other"}}
    both = {"ArnEquals": {"lambda:FunctionArn": [FUNCTION, f"{PREFIX}:function:other"]}}
    params = {"UUID": UUID, "FunctionName": "other"}
    assert decision("UpdateEventSourceMapping", params, allow(Condition=other)) is not None
    assert decision("UpdateEventSourceMapping", params, allow(Condition=both)) is None


def test_tags_of_resources_and_of_the_caller() -> None:
    """Who is of a team may do what is tagged with it."""

    async def tagged(arn: str) -> ResourcePolicy:
        return ResourcePolicy(tags={"Team": "blue"})

    same = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    for team, is_allowed in (("blue", True), ("red", False)):
        for operation, params in (
            ("GetFunction", {"FunctionName": "f"}),
            ("DeleteEventSourceMapping", {"UUID": UUID}),
            ("GetUser", {"UserName": "boss"}),
        ):
            found = decision(
                *(operation, params, allow(Condition=same)), load=tagged, tags={"team": team}
            )
            assert (found is None) == is_allowed
    iam = {"StringEquals": {"iam:ResourceTag/Team": "blue"}}
    assert decision("GetUser", {"UserName": "boss"}, allow(Condition=iam), load=tagged) is None
    assert decision("GetFunction", {"FunctionName": "f"}, allow(Condition=iam), load=tagged)


def test_tags_are_shown_to_callers_that_may_list_them() -> None:
    """GetFunction answers everybody else without them, and says why."""
    caller = Caller(principal=USER, scope=SCOPE, service="lambda", access_key_id="AKIA")
    params = {"FunctionName": "prod-f"}

    def hidden(*statements: Statement) -> Mapping[str, ApiError]:
        authorization = Authorization(strict(*statements), Known())
        return asyncio.run(authorization.check(caller, LAMBDA, "GetFunction", params))

    assert hidden(allow()) == {}
    for statements in ([allow("lambda:GetFunction")], [allow(), deny("lambda:ListTags", FUNCTION)]):
        found = hidden(*statements)
        assert "lambda:ListTags on resource" in found["Tags"].message


def test_no_user_name_means_the_caller() -> None:
    """IAM's operations without a name are about the caller."""
    own = allow("iam:*", "arn:aws:iam::*:user/${aws:username}")
    assert decision("CreateAccessKey", {}, own) is None
    assert decision("CreateAccessKey", {"UserName": "ann"}, own) is None
    assert decision("CreateAccessKey", {"UserName": "boss"}, own) is not None
    session = session_principal(ROLE, "boss", role_id="AROA1")
    assert decision("CreateAccessKey", {}, own, principal=session) is not None


def test_sessions_without_a_second_factor_reach_no_identities() -> None:
    """The credentials of GetSessionToken are for everything but IAM, as in AWS."""
    for principal in (USER, root_of(HERE)):
        session = dataclasses.replace(principal, session_key="AKIA")
        assert decision("ListFunctions", {}, allow(), principal=session) is None
        refused = decision("ListUsers", {}, allow(), principal=session)
        assert refused is not None
        assert refused.code == "AccessDenied"
