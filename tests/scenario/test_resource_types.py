"""Types of resources, made on a real platform as stacks make them."""

import json
import urllib.request

import pytest

from lambent.stacks.resources.resource_type import Made
from tests.platforms import PYTHON, Platform
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
    await stack.change("Role", Policies=[])
    await stack.change("Stage", StageVariables={"a": "b"})
    listed = platform.client("iam").list_role_policies(RoleName=stack.made[0][2].physical_id)
    assert listed["PolicyNames"] == []
    await stack.remove()
    for id, found, made, properties in stack.made:
        if id != "Permission":
            assert await found.read(stack.step(id), made, properties) is None, id


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
