"""Types of resources, made on a real platform as stacks make them."""

import json
import urllib.request
from typing import Any

import pytest

from lambent.model.errors import ApiError
from lambent.stacks.resources.resource_type import Made
from tests.platforms import ACCOUNT, PYTHON, Platform
from tests.resources import Stack

pytestmark = pytest.mark.anyio

TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
POLICY = {
    "PolicyName": "logs",
    "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
    },
}
FILTERS = {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}
LIFECYCLE = {
    "rulePriority": 1,
    "selection": {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 365,
    },
    "action": {"type": "expire"},
}
SOURCE = "import os\ndef handler(event, context): return os.environ.get('WORD', 'none')"
DEFINITION = {
    "openapi": "3.0.1",
    "info": {"title": "orders", "version": "1"},
    "paths": {
        "/orders": {
            "get": {
                "responses": {},
                "x-amazon-apigateway-integration": {
                    "type": "MOCK",
                    "requestTemplates": {"application/json": '{"statusCode": 200}'},
                    "responses": {"default": {"statusCode": "200"}},
                },
            }
        }
    },
}


def fetch(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        body: bytes = response.read()
    return body.decode()


async def make_function(stack: Stack) -> Made:
    role = await stack.make(
        "Role", "AWS::IAM::Role", AssumeRolePolicyDocument=TRUST, Policies=[POLICY]
    )
    return await stack.make(
        "Function",
        "AWS::Lambda::Function",
        Code={"ZipFile": SOURCE},
        Handler="index.handler",
        Runtime=PYTHON,
        Role=role.attributes["Arn"],
        Timeout="10",
        Environment={"Variables": {"WORD": "first"}},
        Tags=[{"Key": "kind", "Value": "test"}],
    )


async def test_an_http_api_with_its_function(platform: Platform) -> None:
    """Roles, functions, versions, aliases, permissions and an API: made, made again after a stop,
    changed, and deleted."""
    stack = Stack(platform.client)
    function = await make_function(stack)
    arn = function.attributes["Arn"]
    version = await stack.make("Version", "AWS::Lambda::Version", FunctionName=arn)
    assert version.attributes["Version"] == "1"
    alias = await stack.make(
        "Alias",
        "AWS::Lambda::Alias",
        FunctionName=function.physical_id,
        FunctionVersion=version.attributes["Version"],
        Name="live",
    )
    assert alias.physical_id == f"{arn}:live"
    await stack.make(
        "Permission",
        "AWS::Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName=arn,
        Principal="apigateway.amazonaws.com",
    )
    api = await stack.make("Api", "AWS::ApiGatewayV2::Api", Name="words", ProtocolType="HTTP")
    of_api = {"ApiId": api.physical_id}
    integration = await stack.make(
        "Integration",
        "AWS::ApiGatewayV2::Integration",
        **of_api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=arn,
        PayloadFormatVersion="2.0",
    )
    await stack.make(
        "Route",
        "AWS::ApiGatewayV2::Route",
        **of_api,
        RouteKey="GET /word",
        Target=f"integrations/{integration.physical_id}",
    )
    await stack.make(
        "Stage", "AWS::ApiGatewayV2::Stage", **of_api, StageName="$default", AutoDeploy="true"
    )
    for id, _, made, _ in list(stack.made):
        assert (await stack.again(id)).physical_id == made.physical_id, id
    url = f"{platform.endpoint}/_lambent/api/{api.physical_id}/word"
    assert fetch(url) == "first"
    await stack.change("Function", Environment={"Variables": {"WORD": "second"}}, Tags=[])
    assert fetch(url) == "second"
    await stack.change("Function", Code={"ZipFile": SOURCE.replace("none", "third")})
    await stack.change("Alias", Description="live")
    await stack.change("Role", Policies=[], Description="none")
    await stack.change("Stage", StageVariables={"a": "b"})
    listed = platform.client("iam").list_role_policies(RoleName=stack.made[0][2].physical_id)
    assert listed["PolicyNames"] == []
    await stack.remove()
    for id, found, made, properties in stack.made:
        if id != "Permission":
            assert await found.read(stack.step(id), made, properties) is None, id


async def test_more_of_functions(platform: Platform) -> None:
    """URLs, mappings, layers and permissions of layers, and configurations: made, made again after
    a stop, changed, and deleted."""
    stack = Stack(platform.client)
    function = await make_function(stack)
    arn = function.attributes["Arn"]
    await stack.make(
        "Url", "AWS::Lambda::Url", TargetFunctionArn=arn, AuthType="NONE", Cors={"MaxAge": "5"}
    )
    await stack.change("Url", Cors=None)
    await stack.make(
        "Invoke",
        "AWS::Lambda::EventInvokeConfig",
        FunctionName=function.physical_id,
        Qualifier="$LATEST",
        MaximumRetryAttempts="1",
    )
    await stack.change("Invoke", MaximumRetryAttempts=0)
    await stack.make(
        "Mapping",
        "AWS::Lambda::EventSourceMapping",
        FunctionName=function.physical_id,
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:types",
        BatchSize=5,
        Enabled="false",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    await stack.change("Mapping", BatchSize=6, FilterCriteria=FILTERS)
    await stack.change("Mapping", FilterCriteria=None)
    await stack.make(
        "Signing",
        "AWS::Lambda::CodeSigningConfig",
        AllowedPublishers={
            "SigningProfileVersionArns": [
                f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/p/abcdefghij"
            ]
        },
    )
    await stack.change("Signing", Description="d")
    for id, _, made, _ in list(stack.made):
        if id != "Signing":
            assert (await stack.again(id)).physical_id == made.physical_id, id
    await stack.remove()


async def test_a_quick_api_and_the_policy_of_a_function(platform: Platform) -> None:
    """What a quick create makes is changed; a policy replaces nothing that is not its own."""
    stack = Stack(platform.client)
    function = await make_function(stack)
    arn = function.attributes["Arn"]
    api = await stack.make(
        "Api", "AWS::ApiGatewayV2::Api", Name="quick", ProtocolType="HTTP", Target=arn
    )
    await stack.make(
        "Overrides",
        "AWS::ApiGatewayV2::ApiGatewayManagedOverrides",
        ApiId=api.physical_id,
        Integration={"TimeoutInMillis": "5000", "PayloadFormatVersion": "1.0"},
        Stage={"StageVariables": {"a": "b"}, "DefaultRouteSettings": {"ThrottlingRateLimit": "9"}},
    )
    await stack.change("Overrides", Route={"OperationName": "all"}, Integration=None)
    apis = platform.client("apigatewayv2")
    (integration,) = apis.get_integrations(ApiId=api.physical_id)["Items"]
    assert (integration["TimeoutInMillis"], integration["PayloadFormatVersion"]) == (5000, "1.0")
    (route,) = apis.get_routes(ApiId=api.physical_id)["Items"]
    assert route["OperationName"] == "all"
    (stage,) = apis.get_stages(ApiId=api.physical_id)["Items"]
    assert stage["StageVariables"] == {"a": "b"}
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 9
    plain = await stack.make("Plain", "AWS::ApiGatewayV2::Api", Name="p", ProtocolType="HTTP")
    with pytest.raises(ApiError, match="no route that its quick create has made"):
        await stack.make(
            "Wrong",
            "AWS::ApiGatewayV2::ApiGatewayManagedOverrides",
            ApiId=plain.physical_id,
            Route={"OperationName": "all"},
        )

    def policy(sid: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
        statement |= {"Sid": sid, "Action": "lambda:InvokeFunction", "Resource": arn}
        return {"Version": "2012-10-17", "Statement": [statement]}

    kind = "AWS::Lambda::ResourcePolicy"
    await stack.make("Policy", kind, ResourceArn=arn, PolicyDocument=policy("one"))
    with pytest.raises(ApiError, match="already exists"):
        await stack.make("Other", kind, ResourceArn=arn, PolicyDocument=policy("other"))
    await stack.change("Policy", PolicyDocument=policy("two"))
    found = platform.client("lambda").get_policy(FunctionName=arn)["Policy"]
    assert [each["Sid"] for each in json.loads(found)["Statement"]] == ["two"]
    for id, _, made, _ in list(stack.made):
        assert (await stack.again(id)).physical_id == made.physical_id, id
    await stack.remove()


async def test_sampling_rules(platform: Platform) -> None:
    """Clients of X-Ray are served the rules of stacks."""
    stack = Stack(platform.client)
    rule = {
        **{"FixedRate": "0.5", "HTTPMethod": "GET", "Host": "*", "Priority": 7, "ReservoirSize": 1},
        **{"ResourceARN": "*", "ServiceName": "*", "ServiceType": "*", "URLPath": "/stack/*"},
    }
    kind = "AWS::XRay::SamplingRule"
    made = await stack.make("Rule", kind, SamplingRule={**rule, "RuleName": "stacked"})
    assert made.attributes["RuleARN"].endswith("sampling-rule/stacked")
    await stack.make("Unnamed", kind, SamplingRule={**rule, "Version": "1"})
    await stack.change("Rule", SamplingRule={**rule, "RuleName": "stacked", "FixedRate": 0.25})
    xray = platform.client("xray")

    def rates() -> dict[str, float]:
        records = xray.get_sampling_rules()["SamplingRuleRecords"]
        rules = [each["SamplingRule"] for each in records]
        return {each["RuleName"]: each["FixedRate"] for each in rules if each["Priority"] == 7}

    found = rates()
    assert found.pop("stacked") == 0.25
    assert list(found.values()) == [0.5]
    with pytest.raises(ApiError, match="exists already"):
        await stack.make("Other", kind, SamplingRule={**rule, "RuleName": "stacked"})
    for id, _, each, _ in list(stack.made):
        assert (await stack.again(id)).physical_id == each.physical_id, id
    await stack.remove()
    assert rates() == {}


async def test_log_groups(platform: Platform) -> None:
    """With retention and tags: made, made again after a stop, changed, and deleted."""
    stack = Stack(platform.client)
    group = await stack.make(
        "Group",
        "AWS::Logs::LogGroup",
        LogGroupName="/types/group",
        RetentionInDays="7",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    logs = platform.client("logs")

    def shown() -> dict[str, Any]:
        (found,) = logs.describe_log_groups(logGroupNamePrefix="/types/group")["logGroups"]
        tags = logs.list_tags_for_resource(resourceArn=found["logGroupArn"])["tags"]
        return {"days": found.get("retentionInDays"), "tags": tags}

    team = {"team": "a"}
    assert shown() == {"days": 7, "tags": {**team, "a": "b"}}
    assert (await stack.again("Group")).physical_id == group.physical_id
    await stack.change("Group", RetentionInDays=30, Tags=[{"Key": "c", "Value": "d"}])
    assert shown() == {"days": 30, "tags": {**team, "c": "d"}}
    await stack.change("Group", RetentionInDays=None)
    assert shown()["days"] is None
    with pytest.raises(ApiError, match="already exists"):
        await stack.make("Other", "AWS::Logs::LogGroup", LogGroupName="/types/group")
    await stack.remove()


async def test_alarms(platform: Platform) -> None:
    """On a metric and on other alarms, with tags: made, made again, changed, and deleted."""
    stack = Stack(platform.client)
    metric = await stack.make(
        "Metric",
        "AWS::CloudWatch::Alarm",
        Namespace="Types",
        MetricName="Errors",
        Dimensions=[{"Name": "Shop", "Value": "north"}],
        Statistic="Sum",
        Period="60",
        EvaluationPeriods="2",
        Threshold="3.5",
        ComparisonOperator="GreaterThanThreshold",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    rule = f'ALARM("{metric.physical_id}")'
    both = await stack.make("Both", "AWS::CloudWatch::CompositeAlarm", AlarmRule=rule)
    client = platform.client("cloudwatch")

    def shown() -> dict[str, Any]:
        (found,) = client.describe_alarms(AlarmNames=[metric.physical_id])["MetricAlarms"]
        assert found["AlarmArn"] == metric.attributes["Arn"]
        return dict(found)

    assert (shown()["Threshold"], shown()["EvaluationPeriods"]) == (3.5, 2)
    assert (await stack.again("Metric")).physical_id == metric.physical_id
    await stack.change("Metric", Threshold=5, AlarmDescription="more")
    assert (shown()["Threshold"], shown()["AlarmDescription"]) == (5.0, "more")
    await stack.change("Metric", AlarmDescription=None, Tags=[{"Key": "c", "Value": "d"}])
    assert shown().get("AlarmDescription", "") == ""
    tags = client.list_tags_for_resource(ResourceARN=metric.attributes["Arn"])["Tags"]
    assert {"Key": "c", "Value": "d"} in tags
    assert {"Key": "a", "Value": "b"} not in tags
    found = client.describe_alarms(AlarmNames=[both.physical_id], AlarmTypes=["CompositeAlarm"])
    assert found["CompositeAlarms"][0]["AlarmRule"] == rule
    with pytest.raises(ApiError, match="already exists"):
        await stack.make(
            "Other",
            "AWS::CloudWatch::CompositeAlarm",
            AlarmName=both.physical_id,
            AlarmRule="TRUE",
        )
    await stack.remove()
    types = ["MetricAlarm", "CompositeAlarm"]
    names = [metric.physical_id, both.physical_id]
    left = client.describe_alarms(AlarmNames=names, AlarmTypes=types)
    assert left["MetricAlarms"] == left["CompositeAlarms"] == []


async def test_streams_filters_and_queries_of_logs(platform: Platform) -> None:
    """Log streams, metric filters and saved queries: made, changed, deleted."""
    stack = Stack(platform.client)
    await stack.make("Group", "AWS::Logs::LogGroup", LogGroupName="/types/logs")
    await stack.make("Stream", "AWS::Logs::LogStream", LogGroupName="/types/logs")
    latency = {
        "MetricName": "Latency",
        "MetricNamespace": "types",
        "MetricValue": "$.latency",
        "Dimensions": [{"Key": "Path", "Value": "$.path"}],
    }
    await stack.make(
        "Filter",
        "AWS::Logs::MetricFilter",
        LogGroupName="/types/logs",
        FilterPattern="{ $.latency = * }",
        MetricTransformations=[latency],
    )
    query = await stack.make(
        "Query",
        "AWS::Logs::QueryDefinition",
        Name="types/errors",
        QueryString="filter @message like /ERROR/",
        LogGroupNames=["/types/logs"],
    )
    assert query.attributes["QueryDefinitionId"] == query.physical_id
    logs = platform.client("logs")
    assert len(logs.describe_log_streams(logGroupName="/types/logs")["logStreams"]) == 1

    def metric_filter() -> Any:
        (found,) = logs.describe_metric_filters(logGroupName="/types/logs")["metricFilters"]
        return found

    assert metric_filter()["metricTransformations"] == [
        {
            "metricName": "Latency",
            "metricNamespace": "types",
            "metricValue": "$.latency",
            "dimensions": {"Path": "$.path"},
        }
    ]
    await stack.change("Filter", FilterPattern="{ $.latency > 10 }")
    assert metric_filter()["filterPattern"] == "{ $.latency > 10 }"
    await stack.change("Query", QueryString="limit 1", LogGroupNames=None)
    (saved,) = logs.describe_query_definitions(queryDefinitionNamePrefix="types/")[
        "queryDefinitions"
    ]
    assert (saved["queryString"], saved["logGroupNames"]) == ("limit 1", [])
    await stack.change("Group", DeletionProtectionEnabled=True)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/types/logs")["logGroups"]
    assert group["deletionProtectionEnabled"] is True
    await stack.change("Group", DeletionProtectionEnabled=None)
    await stack.remove()
    found = logs.describe_query_definitions(queryDefinitionNamePrefix="types/")
    assert found["queryDefinitions"] == []
    assert logs.describe_log_groups(logGroupNamePrefix="/types/logs")["logGroups"] == []


async def test_identities(platform: Platform) -> None:
    """Policies of roles and users, and keys: made, made again after a stop, changed, deleted."""
    stack = Stack(platform.client)
    role = await stack.make("Role", "AWS::IAM::Role", AssumeRolePolicyDocument=TRUST)
    user = await stack.make("User", "AWS::IAM::User")
    document = POLICY["PolicyDocument"]
    other = {**TRUST, "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}
    await stack.make(
        "Inline",
        "AWS::IAM::Policy",
        PolicyName="inline",
        PolicyDocument=document,
        Roles=[role.physical_id],
        Users=[user.physical_id],
    )
    await stack.make(
        "Own",
        "AWS::IAM::RolePolicy",
        RoleName=role.physical_id,
        PolicyName="own",
        PolicyDocument=document,
    )
    team = await stack.make("Team", "AWS::IAM::Group", Policies=[POLICY])
    guests = await stack.make("Guests", "AWS::IAM::Group")
    await stack.make(
        "GroupPolicy",
        "AWS::IAM::GroupPolicy",
        GroupName=team.physical_id,
        PolicyName="more",
        PolicyDocument=document,
    )
    member = await stack.make("Member", "AWS::IAM::User", Groups=[team.physical_id])
    await stack.make(
        "Addition",
        "AWS::IAM::UserToGroupAddition",
        GroupName=guests.physical_id,
        Users=[user.physical_id, member.physical_id],
    )
    managed = await stack.make(
        "Managed",
        "AWS::IAM::ManagedPolicy",
        PolicyDocument=document,
        Roles=[role.physical_id],
        Groups=[guests.physical_id],
    )
    iam = platform.client("iam")
    await stack.change("Member", Groups=[])
    await stack.change("Addition", Users=[member.physical_id])
    groups = iam.list_groups_for_user(UserName=member.physical_id)["Groups"]
    assert [group["GroupName"] for group in groups] == [guests.physical_id]
    assert iam.list_groups_for_user(UserName=user.physical_id)["Groups"] == []
    policies = iam.list_attached_group_policies(GroupName=guests.physical_id)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in policies] == [managed.physical_id]
    await stack.change("Managed", Groups=[])
    attached = iam.list_attached_role_policies(RoleName=role.physical_id)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [managed.physical_id]
    for _ in range(3):
        await stack.change("Managed", PolicyDocument=other)
        await stack.change("Managed", PolicyDocument=document)
    await stack.change("Managed", Roles=[], Users=[user.physical_id])
    await stack.change("Inline", PolicyDocument=other, Users=[])
    assert iam.list_role_policies(RoleName=role.physical_id)["PolicyNames"] == ["inline", "own"]
    assert iam.list_user_policies(UserName=user.physical_id)["PolicyNames"] == []
    for id, _, made, _ in list(stack.made):
        assert (await stack.again(id)).physical_id == made.physical_id, id
    key = await stack.make("Key", "AWS::IAM::AccessKey", UserName=user.physical_id)
    assert key.attributes["SecretAccessKey"]
    inactive = await stack.change("Key", Status="Inactive")
    assert inactive.attributes == key.attributes
    repository = await stack.make(
        "Repository",
        "AWS::ECR::Repository",
        ImageTagMutability="IMMUTABLE",
        LifecyclePolicy={"LifecyclePolicyText": json.dumps({"rules": [LIFECYCLE]})},
    )
    assert repository.attributes["RepositoryUri"].endswith(repository.physical_id)
    await stack.change("Repository", LifecyclePolicy=None, ImageTagMutability=None)
    await stack.remove()


async def test_parts_of_apis(platform: Platform) -> None:
    """Authorizers, models, responses, domain names and their mappings."""
    stack = Stack(platform.client)
    socket = await stack.make(
        "Socket",
        "AWS::ApiGatewayV2::Api",
        Name="socket",
        ProtocolType="WEBSOCKET",
        RouteSelectionExpression="$request.body.action",
    )
    of_socket = {"ApiId": socket.physical_id}
    integration = await stack.make(
        "Integration", "AWS::ApiGatewayV2::Integration", **of_socket, IntegrationType="MOCK"
    )
    route = await stack.make(
        "Route",
        "AWS::ApiGatewayV2::Route",
        **of_socket,
        RouteKey="$default",
        Target=f"integrations/{integration.physical_id}",
    )
    await stack.make(
        "RouteResponse",
        "AWS::ApiGatewayV2::RouteResponse",
        **of_socket,
        RouteId=route.physical_id,
        RouteResponseKey="$default",
    )
    await stack.make(
        "IntegrationResponse",
        "AWS::ApiGatewayV2::IntegrationResponse",
        **of_socket,
        IntegrationId=integration.physical_id,
        IntegrationResponseKey="$default",
    )
    await stack.make(
        "Model", "AWS::ApiGatewayV2::Model", **of_socket, Name="m", Schema={"type": "object"}
    )
    deployment = await stack.make("Deployment", "AWS::ApiGatewayV2::Deployment", **of_socket)
    stage = await stack.make(
        "Stage",
        "AWS::ApiGatewayV2::Stage",
        **of_socket,
        StageName="v1",
        DeploymentId=deployment.physical_id,
    )
    domain = await stack.make(
        "Domain",
        "AWS::ApiGatewayV2::DomainName",
        DomainName="types.example.com",
        DomainNameConfigurations=[{"EndpointType": "REGIONAL", "CertificateArn": "arn:c"}],
    )
    assert domain.attributes["RegionalDomainName"]
    mapped = {"DomainName": domain.physical_id}
    await stack.make(
        "Mapping",
        "AWS::ApiGatewayV2::ApiMapping",
        **of_socket,
        **mapped,
        Stage=stage.physical_id,
        ApiMappingKey="socket",
    )
    http = await stack.make(
        "Http", "AWS::ApiGatewayV2::Api", Body={**DEFINITION, "paths": {}}, Description="d"
    )
    assert platform.client("apigatewayv2").get_api(ApiId=http.physical_id)["Name"] == "orders"
    await stack.make(
        "Authorizer",
        "AWS::ApiGatewayV2::Authorizer",
        ApiId=http.physical_id,
        AuthorizerType="JWT",
        Name="jwt",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Audience": ["a"], "Issuer": "https://issuer.example.com"},
    )
    rest = await stack.make("Rest", "AWS::ApiGateway::RestApi", Name="rest")
    of_rest = {"RestApiId": rest.physical_id}
    await stack.make(
        "RestAuthorizer",
        "AWS::ApiGateway::Authorizer",
        **of_rest,
        Name="lambda",
        Type="TOKEN",
        IdentitySource="method.request.header.Authorization",
        AuthorizerUri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f/invocations",
    )
    await stack.make(
        "Account", "AWS::ApiGateway::Account", CloudWatchRoleArn=f"arn:aws:iam::{ACCOUNT}:role/r"
    )
    await stack.make(
        "Part",
        "AWS::ApiGateway::DocumentationPart",
        **of_rest,
        Location={"Type": "API"},
        Properties='{"description": "d"}',
    )
    await stack.make(
        "Documented",
        "AWS::ApiGateway::DocumentationVersion",
        **of_rest,
        DocumentationVersion="1",
    )
    await stack.change("RestAuthorizer", AuthorizerResultTtlInSeconds=0)
    await stack.change("Http", Description=None)
    await stack.change("Authorizer", Name="other")
    for id, _, made, _ in list(stack.made):
        # A definition that is imported again would replace the authorizer.
        if id not in ("Deployment", "Http", "Part"):
            assert (await stack.again(id)).physical_id == made.physical_id, id
    await stack.remove()


async def test_rest_apis(platform: Platform) -> None:
    """Of parts and of a definition, with keys and plans: made, made again after a stop, changed,
    and deleted."""
    stack = Stack(platform.client)
    api = await stack.make(
        "Api",
        "AWS::ApiGateway::RestApi",
        Name="rest",
        EndpointConfiguration={"Types": ["REGIONAL"]},
    )
    of_api = {"RestApiId": api.physical_id}
    resource = await stack.make(
        "Resource",
        "AWS::ApiGateway::Resource",
        **of_api,
        ParentId=api.attributes["RootResourceId"],
        PathPart="word",
    )
    await stack.make("Validator", "AWS::ApiGateway::RequestValidator", **of_api, Name="none")
    await stack.make("Model", "AWS::ApiGateway::Model", **of_api, Schema={"type": "object"})
    await stack.make(
        "Response",
        "AWS::ApiGateway::GatewayResponse",
        **of_api,
        ResponseType="DEFAULT_4XX",
        ResponseTemplates={"application/json": "{}"},
    )
    await stack.make(
        "Method",
        "AWS::ApiGateway::Method",
        **of_api,
        ResourceId=resource.physical_id,
        HttpMethod="GET",
        MethodResponses=[{"StatusCode": "200"}],
        Integration={
            "Type": "MOCK",
            "RequestTemplates": {"application/json": '{"statusCode": 200}'},
            "IntegrationResponses": [
                {"StatusCode": "200", "ResponseTemplates": {"application/json": "first"}}
            ],
        },
    )
    deployment = await stack.make("Deployment", "AWS::ApiGateway::Deployment", **of_api)
    await stack.make(
        "Stage",
        "AWS::ApiGateway::Stage",
        **of_api,
        StageName="v1",
        DeploymentId=deployment.physical_id,
        Variables={"a": "1", "b": "2"},
        MethodSettings=[{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 50}],
        TracingEnabled=True,
    )
    await stack.make(
        "Plan",
        "AWS::ApiGateway::UsagePlan",
        UsagePlanName="plan",
        ApiStages=[{"ApiId": api.physical_id, "Stage": "v1"}],
        Throttle={"RateLimit": 10, "BurstLimit": 5},
    )
    await stack.make("Key", "AWS::ApiGateway::ApiKey", Enabled="true")
    key, plan = stack.made[-1][2].physical_id, stack.made[-2][2].physical_id
    await stack.make(
        "PlanKey", "AWS::ApiGateway::UsagePlanKey", KeyId=key, KeyType="API_KEY", UsagePlanId=plan
    )
    for id, _, made, _ in list(stack.made):
        if id != "Deployment":
            assert (await stack.again(id)).physical_id == made.physical_id, id
    client = platform.client("apigateway")
    stage = client.get_stage(restApiId=api.physical_id, stageName="v1")
    assert stage["methodSettings"]["*/*"]["throttlingRateLimit"] == 50
    url = f"{platform.endpoint}/_lambent/api/{api.physical_id}/v1/word"
    assert fetch(url) == "first"
    await stack.change("Stage", Variables={"b": "3", "c": "4"}, MethodSettings=[], Description="d")
    stage = client.get_stage(restApiId=api.physical_id, stageName="v1")
    assert stage["variables"] == {"b": "3", "c": "4"}
    assert stage["methodSettings"]["*/*"]["throttlingRateLimit"] == 10_000
    await stack.change("Plan", ApiStages=[], Quota={"Limit": 9, "Period": "DAY"}, Throttle=None)
    changed = client.get_usage_plan(usagePlanId=plan)
    assert (changed.get("apiStages", []), changed["quota"]["limit"]) == ([], 9)
    await stack.change("Plan", ApiStages=[{"ApiId": api.physical_id, "Stage": "v1"}])
    await stack.change("Method", ApiKeyRequired=True)
    await stack.change("Model", Description="any")
    await stack.change("Api", Description="changed", BinaryMediaTypes=["image/png"])
    await stack.change("Api", BinaryMediaTypes=[])
    await stack.change("Key", Enabled=False)
    imported = await stack.make(
        "Imported", "AWS::ApiGateway::RestApi", Body=DEFINITION, Description="from a definition"
    )
    shown = client.get_rest_api(restApiId=imported.physical_id)
    assert (shown["name"], shown["description"]) == ("orders", "from a definition")
    paths = client.get_resources(restApiId=imported.physical_id)["items"]
    assert {path["path"] for path in paths} == {"/", "/orders"}
    other = json.loads(json.dumps(DEFINITION).replace("/orders", "/others"))
    await stack.change("Imported", Body=other)
    paths = client.get_resources(restApiId=imported.physical_id)["items"]
    assert {path["path"] for path in paths} == {"/", "/others"}
    await stack.remove()
    for id, found, made, properties in stack.made:
        assert await found.read(stack.step(id), made, properties) is None, id
