"""Terraform's provider for AWS, as far as its calls go: a function behind an API, with a queue.

The provider itself is no package of a distribution, of PyPI or of npm, so the test makes its calls.
The comments name its functions (`internal/service/…` of hashicorp/terraform-provider-aws). What the
provider reads must be what was configured, or else a second plan has differences."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, PYTHON, wait_active, wait_for, zip_of

from .tools import Platform

NAME = "terraformed"
TAGS = {"team": "blue"}
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{NAME}"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{NAME}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }
    ],
}
INLINE = {
    "Version": "2012-10-17",
    "Statement": [{"Action": ["sqs:*"], "Effect": "Allow", "Resource": "*"}],
}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
FILTER = json.dumps({"body": {"kind": ["order"]}})
QUEUE = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "60",
}
CODE = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'made'}\n"

Client = Callable[[str], Any]


@pytest.fixture
def client(platform: Platform) -> Client:
    return platform.client


def read_role(client: Client) -> dict[str, Any]:
    """iam/role.go: resourceRoleRead; role_policy.go, role_policy_attachment.go."""
    iam, named = client("iam"), {"RoleName": NAME}
    role = iam.get_role(**named)["Role"]
    (inline,) = iam.list_role_policies(**named)["PolicyNames"]
    policy = iam.get_role_policy(**named, PolicyName=inline)["PolicyDocument"]
    attached = iam.list_attached_role_policies(**named)["AttachedPolicies"]
    return {
        "arn": role["Arn"],
        "assume_role_policy": _document(role["AssumeRolePolicyDocument"]),
        "description": role.get("Description", ""),
        "max_session_duration": role["MaxSessionDuration"],
        "path": role["Path"],
        "permissions_boundary": role.get("PermissionsBoundary"),
        "tags": {tag["Key"]: tag["Value"] for tag in role["Tags"]},
        "inline_policy": (inline, _document(policy)),
        "managed_policy_arns": [each["PolicyArn"] for each in attached],
    }


def _document(found: Any) -> Any:
    """boto3 has decoded it, or not."""
    return json.loads(unquote(found)) if isinstance(found, str) else found


def read_log_group(client: Client) -> dict[str, Any]:
    """logs/group.go: findLogGroupByName; tags_gen.go."""
    logs, name = client("logs"), f"/aws/lambda/{NAME}"
    listed = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    (group,) = [group for group in listed if group["logGroupName"] == name]
    arn = group["arn"].removesuffix(":*")
    return {
        "arn": arn,
        "log_group_class": group["logGroupClass"],
        "retention_in_days": group["retentionInDays"],
        "kms_key_id": group.get("kmsKeyId"),
        "tags": logs.list_tags_for_resource(resourceArn=arn)["tags"],
    }


def read_function(client: Client) -> dict[str, Any]:
    """lambda/function.go: resourceFunctionRead, findLatestFunctionVersionByName."""
    lambdas, named = client("lambda"), {"FunctionName": NAME}
    found = lambdas.get_function(**named)
    function = found["Configuration"]
    pages = lambdas.get_paginator("list_versions_by_function").paginate(**named, MaxItems=10_000)
    latest = [version for page in pages for version in page["Versions"]][-1]
    signing = lambdas.get_function_code_signing_config(**named)
    return {
        "architectures": function["Architectures"],
        "arn": function["FunctionArn"],
        "dead_letter_config": function.get("DeadLetterConfig"),
        "description": function["Description"],
        "environment": function["Environment"],
        "ephemeral_storage": function["EphemeralStorage"],
        "file_system_config": function.get("FileSystemConfigs"),
        "handler": function["Handler"],
        "image_uri": found["Code"].get("ImageUri"),
        "kms_key_arn": function.get("KMSKeyArn"),
        "layers": function.get("Layers"),
        "logging_config": function["LoggingConfig"],
        "memory_size": function["MemorySize"],
        "package_type": function["PackageType"],
        "reserved_concurrent_executions": found["Concurrency"]["ReservedConcurrentExecutions"],
        "role": function["Role"],
        "runtime": function["Runtime"],
        "snap_start": function["SnapStart"],
        "timeout": function["Timeout"],
        "tracing_config": function["TracingConfig"],
        "vpc_config": function.get("VpcConfig"),
        "version": latest["Version"],
        "qualified_arn": latest["FunctionArn"],
        "code_signing_config_arn": signing.get("CodeSigningConfigArn"),
        "tags": lambdas.list_tags(Resource=function["FunctionArn"])["Tags"],
        "tags of GetFunction": found["Tags"],
    }


def read_url(client: Client) -> dict[str, Any]:
    """lambda/function_url.go: resourceFunctionURLRead."""
    found = client("lambda").get_function_url_config(FunctionName=NAME)
    assert found["FunctionUrl"].startswith("http")
    return {
        "authorization_type": found["AuthType"],
        "cors": found.get("Cors"),
        "function_arn": found["FunctionArn"],
        "invoke_mode": found["InvokeMode"],
    }


def read_permission(client: Client) -> dict[str, Any]:
    """lambda/permission.go: findPolicyStatement."""
    policy = json.loads(client("lambda").get_policy(FunctionName=NAME)["Policy"])
    (statement,) = [each for each in policy["Statement"] if each["Sid"] == "api"]
    return {
        "action": statement["Action"],
        "principal": statement["Principal"],
        "function": statement["Resource"],
        "source_arn": statement["Condition"]["ArnLike"]["AWS:SourceArn"].rpartition(":")[0],
    }


def read_queue(client: Client) -> dict[str, Any]:
    """sqs/queue.go: resourceQueueRead; tags_gen.go."""
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {
        "attributes": {name: found.get(name) for name in QUEUE},
        "arn": found["QueueArn"],
        "tags": sqs.list_queue_tags(QueueUrl=url)["Tags"],
    }


def read_mapping(client: Client) -> dict[str, Any]:
    """lambda/event_source_mapping.go: resourceEventSourceMappingRead."""
    lambdas = client("lambda")
    (listed,) = lambdas.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
    found = lambdas.get_event_source_mapping(UUID=listed["UUID"])
    return {
        "batch_size": found["BatchSize"],
        "enabled": found["State"],
        "event_source_arn": found["EventSourceArn"],
        "filter_criteria": found["FilterCriteria"],
        "function_arn": found["FunctionArn"],
        "function_response_types": found["FunctionResponseTypes"],
        "maximum_batching_window_in_seconds": found["MaximumBatchingWindowInSeconds"],
        "scaling_config": found["ScalingConfig"],
        "tags": lambdas.list_tags(Resource=found["EventSourceMappingArn"])["Tags"],
    }


def read_api(client: Client) -> dict[str, Any]:
    """apigatewayv2/api.go, integration.go, route.go, stage.go: …Read."""
    apis = client("apigatewayv2")
    (api,) = [api for api in apis.get_apis()["Items"] if api["Name"] == NAME]
    named = {"ApiId": api["ApiId"]}
    (integration,) = apis.get_integrations(**named)["Items"]
    (route,) = apis.get_routes(**named)["Items"]
    api = apis.get_api(**named)
    integration = apis.get_integration(**named, IntegrationId=integration["IntegrationId"])
    route = apis.get_route(**named, RouteId=route["RouteId"])
    stage = apis.get_stage(**named, StageName="$default")
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    return {
        "api_key_selection_expression": api["ApiKeySelectionExpression"],
        "cors_configuration": api.get("CorsConfiguration"),
        "disable_execute_api_endpoint": api["DisableExecuteApiEndpoint"],
        "ip_address_type": api["IpAddressType"],
        "protocol_type": api["ProtocolType"],
        "route_selection_expression": api["RouteSelectionExpression"],
        "tags": api["Tags"],
        "connection_type": integration["ConnectionType"],
        "integration_method": integration["IntegrationMethod"],
        "integration_type": integration["IntegrationType"],
        "integration_uri": integration["IntegrationUri"],
        "payload_format_version": integration["PayloadFormatVersion"],
        "timeout_milliseconds": integration["TimeoutInMillis"],
        "api_key_required": route["ApiKeyRequired"],
        "authorization_type": route["AuthorizationType"],
        "route_key": route["RouteKey"],
        "auto_deploy": stage["AutoDeploy"],
        "throttling_burst_limit": stage["DefaultRouteSettings"].get("ThrottlingBurstLimit"),
        "stage_variables": stage["StageVariables"],
        "stage_tags": stage["Tags"],
    }


READERS = (
    *(read_role, read_log_group, read_function, read_url, read_permission),
    *(read_queue, read_mapping, read_api),
)
CONFIGURED: dict[Any, dict[str, Any]] = {
    read_role: {
        "arn": ROLE_ARN,
        "assume_role_policy": TRUST,
        "description": "",
        "max_session_duration": 3600,
        "path": "/",
        "permissions_boundary": None,
        "tags": TAGS,
        "inline_policy": ("queue", INLINE),
        "managed_policy_arns": [BASIC],
    },
    read_log_group: {
        "arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/{NAME}",
        "log_group_class": "STANDARD",
        "retention_in_days": 7,
        "kms_key_id": None,
        "tags": TAGS,
    },
    read_function: {
        "architectures": ["x86_64"],
        "arn": ARN,
        "dead_letter_config": None,
        "description": "",
        "environment": {"Variables": {"WHO": "you"}},
        "ephemeral_storage": {"Size": 512},
        "file_system_config": None,
        "handler": "app.handler",
        "image_uri": None,
        "kms_key_arn": None,
        "layers": None,
        "logging_config": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"},
        "memory_size": 256,
        "package_type": "Zip",
        "reserved_concurrent_executions": 5,
        "role": ROLE_ARN,
        "runtime": PYTHON,
        "snap_start": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "timeout": 30,
        "tracing_config": {"Mode": "PassThrough"},
        "vpc_config": None,
        "version": "1",
        "qualified_arn": f"{ARN}:1",
        "code_signing_config_arn": None,
        "tags": TAGS,
        "tags of GetFunction": TAGS,
    },
    read_url: {
        "authorization_type": "NONE",
        "cors": {"AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": 60},
        "function_arn": ARN,
        "invoke_mode": "BUFFERED",
    },
    read_permission: {
        "action": "lambda:InvokeFunction",
        "principal": {"Service": "apigateway.amazonaws.com"},
        "function": ARN,
        "source_arn": f"arn:aws:execute-api:us-east-1:{ACCOUNT}",
    },
    read_queue: {
        "attributes": QUEUE,
        "arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{NAME}",
        "tags": TAGS,
    },
    read_mapping: {
        "batch_size": 5,
        "enabled": "Enabled",
        "event_source_arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{NAME}",
        "filter_criteria": {"Filters": [{"Pattern": FILTER}]},
        "function_arn": ARN,
        "function_response_types": ["ReportBatchItemFailures"],
        "maximum_batching_window_in_seconds": 0,
        "scaling_config": {"MaximumConcurrency": 2},
        "tags": TAGS,
    },
    read_api: {
        "api_key_selection_expression": "$request.header.x-api-key",
        "cors_configuration": None,
        "disable_execute_api_endpoint": False,
        "ip_address_type": "ipv4",
        "protocol_type": "HTTP",
        "route_selection_expression": "$request.method $request.path",
        "tags": TAGS,
        "connection_type": "INTERNET",
        "integration_method": "POST",
        "integration_type": "AWS_PROXY",
        "integration_uri": ARN,
        "payload_format_version": "2.0",
        "timeout_milliseconds": 30000,
        "api_key_required": False,
        "authorization_type": "NONE",
        "route_key": "GET /made",
        "auto_deploy": True,
        "throttling_burst_limit": None,
        "stage_variables": {},
        "stage_tags": TAGS,
    },
}
"""What each must read: what `apply` has set, and the provider's own defaults."""


def apply(client: Client) -> str:
    """Create everything, in the order of dependencies; returns the id of the API."""
    iam, lambdas, logs = client("iam"), client("lambda"), client("logs")
    tag_list = [{"Key": name, "Value": value} for name, value in TAGS.items()]
    # iam/role.go: resourceRoleCreate; the attachments are resources of their own.
    iam.create_role(
        RoleName=NAME,
        AssumeRolePolicyDocument=json.dumps(TRUST),
        MaxSessionDuration=3600,
        Path="/",
        Tags=tag_list,
    )
    iam.put_role_policy(RoleName=NAME, PolicyName="queue", PolicyDocument=json.dumps(INLINE))
    iam.attach_role_policy(RoleName=NAME, PolicyArn=BASIC)
    # logs/group.go: resourceGroupCreate.
    group = {"logGroupName": f"/aws/lambda/{NAME}"}
    logs.create_log_group(**group, logGroupClass="STANDARD", tags=TAGS)
    logs.put_retention_policy(**group, retentionInDays=7)
    # lambda/function.go: resourceFunctionCreate, with `publish`.
    lambdas.create_function(
        Architectures=["x86_64"],
        Code={"ZipFile": zip_of({"app.py": CODE})},
        Description="",
        Environment={"Variables": {"WHO": "you"}},
        FunctionName=NAME,
        Handler="app.handler",
        MemorySize=256,
        PackageType="Zip",
        Publish=True,
        Role=ROLE_ARN,
        Runtime=PYTHON,
        Tags=TAGS,
        Timeout=30,
    )
    wait_active(lambdas, NAME)
    lambdas.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=5)
    # lambda/function_url.go: resourceFunctionURLCreate, and its two permissions.
    cors = CONFIGURED[read_url]["cors"]
    lambdas.create_function_url_config(
        FunctionName=NAME, AuthType="NONE", Cors=cors, InvokeMode="BUFFERED"
    )
    lambdas.add_permission(
        FunctionName=NAME,
        StatementId="FunctionURLAllowPublicAccess",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    # sqs/queue.go: resourceQueueCreate. The provider sends the attributes that have a value.
    queue = client("sqs").create_queue(QueueName=NAME, Attributes=QUEUE, tags=TAGS)["QueueUrl"]
    assert len(queue.split("/")) == 5  # queueNameFromURL asks for that.
    # lambda/event_source_mapping.go: resourceEventSourceMappingCreate.
    mapping = lambdas.create_event_source_mapping(
        BatchSize=5,
        Enabled=True,
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{NAME}",
        FilterCriteria={"Filters": [{"Pattern": FILTER}]},
        FunctionName=ARN,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 2},
        Tags=TAGS,
    )
    wait_for(
        lambda: lambdas.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Enabled",
        "the mapping is enabled",
    )
    # apigatewayv2/api.go, integration.go, route.go, stage.go: …Create.
    apis = client("apigatewayv2")
    api = apis.create_api(
        Name=NAME,
        ProtocolType="HTTP",
        ApiKeySelectionExpression="$request.header.x-api-key",
        RouteSelectionExpression="$request.method $request.path",
        Tags=TAGS,
    )["ApiId"]
    integration = apis.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        ConnectionType="INTERNET",
        IntegrationMethod="POST",
        IntegrationUri=ARN,
        PayloadFormatVersion="2.0",
        TimeoutInMillis=30000,
    )["IntegrationId"]
    apis.create_route(
        ApiId=api,
        RouteKey="GET /made",
        ApiKeyRequired=False,
        AuthorizationType="NONE",
        Target=f"integrations/{integration}",
    )
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True, Tags=TAGS)
    # lambda/permission.go: resourcePermissionCreate.
    lambdas.add_permission(
        FunctionName=NAME,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api}/*/*",
    )
    return str(api)


def missing(call: Callable[..., Any], **params: Any) -> str:
    """The code with which a call says that something does not exist."""
    with pytest.raises(ClientError) as raised:
        call(**params)
    return str(raised.value.response["Error"]["Code"])


def destroy(client: Client, api: str) -> Iterator[str]:
    """Delete everything, dependents first; yields how reading each says that it is gone."""
    lambdas, iam, apis = client("lambda"), client("iam"), client("apigatewayv2")
    lambdas.remove_permission(FunctionName=NAME, StatementId="api")
    (route,) = apis.get_routes(ApiId=api)["Items"]
    (integration,) = apis.get_integrations(ApiId=api)["Items"]
    apis.delete_stage(ApiId=api, StageName="$default")
    apis.delete_route(ApiId=api, RouteId=route["RouteId"])
    apis.delete_integration(ApiId=api, IntegrationId=integration["IntegrationId"])
    apis.delete_api(ApiId=api)
    yield missing(apis.get_api, ApiId=api)
    # lambda/event_source_mapping.go: waitEventSourceMappingDeleted.
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
    uuid = mapping["UUID"]
    lambdas.delete_event_source_mapping(UUID=uuid)

    def is_gone() -> bool:
        try:
            state = lambdas.get_event_source_mapping(UUID=uuid)["State"]
        except lambdas.exceptions.ResourceNotFoundException:
            return True
        assert state == "Deleting"
        return False

    wait_for(is_gone, "the mapping is deleted")
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    yield missing(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])
    # lambda/function_url.go: resourceFunctionURLDelete.
    lambdas.delete_function_url_config(FunctionName=NAME)
    yield missing(lambdas.get_function_url_config, FunctionName=NAME)
    lambdas.delete_function(FunctionName=NAME)
    yield missing(lambdas.get_function, FunctionName=NAME)
    client("logs").delete_log_group(logGroupName=f"/aws/lambda/{NAME}")
    # iam/role.go: deleteRole.
    assert iam.list_instance_profiles_for_role(RoleName=NAME)["InstanceProfiles"] == []
    iam.delete_role_policy(RoleName=NAME, PolicyName="queue")
    iam.detach_role_policy(RoleName=NAME, PolicyArn=BASIC)
    iam.delete_role(RoleName=NAME)
    yield missing(iam.get_role, RoleName=NAME)


def test_what_is_applied_is_read_again(platform: Platform, client: Client) -> None:
    """The second plan is clean, the API works, and everything can be destroyed."""
    api = apply(client)
    for read in READERS:
        assert read(client) == CONFIGURED[read], read.__name__
    assert platform.client("lambda").get_function(FunctionName=f"{NAME}:1")
    assert list(destroy(client, api)) == [
        "NotFoundException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ResourceNotFoundException",
        "ResourceNotFoundException",
        "NoSuchEntity",
    ]
