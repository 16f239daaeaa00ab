"""The control plane of HTTP and WebSocket APIs, as boto3 and the AWS CLI use it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from .conftest import ACCOUNT, Platform

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
AUTHORIZER_URI = (
    f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


@pytest.fixture(scope="module")
def v2(platform: Platform) -> Any:
    """A client of apigatewayv2."""
    return platform.client("apigatewayv2")


@pytest.fixture
def api(v2: Any) -> Any:
    """The id of an HTTP API without anything in it."""
    id = v2.create_api(Name="n", ProtocolType="HTTP")["ApiId"]
    yield id
    v2.delete_api(ApiId=id)


@pytest.fixture
def websocket(v2: Any) -> Any:
    """The id of a WebSocket API without anything in it."""
    id = v2.create_api(
        Name="w", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    yield id
    v2.delete_api(ApiId=id)


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """The code and the message of the error of a call."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """Output members alone."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def route_to_function(v2: Any, api: str, key: str) -> tuple[str, str]:
    """A route with an integration; returns the ids of both."""
    integration = v2.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=FUNCTION,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    route = v2.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integration}")
    return route["RouteId"], integration


def test_an_api_lives(v2: Any, platform: Platform) -> None:
    """Create with defaults, get, list, update, CORS, delete."""
    made = plain(v2.create_api(Name="first", ProtocolType="HTTP", Tags={"a": "b"}))
    id, created = made["ApiId"], made.pop("CreatedDate")
    port = platform.endpoint.rpartition(":")[2]
    assert made == {
        "ApiEndpoint": f"http://{id}.execute-api.us-east-1.localhost:{port}",
        "ApiId": id,
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "Name": "first",
        "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$request.method $request.path",
        "Tags": {"a": "b"},
    }
    assert created.year >= 2026
    assert plain(v2.get_api(ApiId=id)) == {**made, "CreatedDate": created}
    listed = v2.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": 1})
    assert id in [item["ApiId"] for page in listed for item in page["Items"]]
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 5}
    changed = v2.update_api(ApiId=id, Name="second", Description="d", CorsConfiguration=cors)
    assert (changed["Name"], changed["CorsConfiguration"]) == ("second", cors)
    v2.delete_cors_configuration(ApiId=id)
    assert "CorsConfiguration" not in v2.get_api(ApiId=id)
    assert "Description" not in v2.update_api(ApiId=id, Description="")
    v2.delete_api(ApiId=id)
    assert refused(lambda: v2.get_api(ApiId=id)) == (
        "NotFoundException",
        f"Unable to find API by ID {id}",
    )


def test_routes_and_integrations(v2: Any, api: str) -> None:
    """What refers to what, and that nothing in use is deleted."""
    route, integration = route_to_function(v2, api, "GET /pets/{id}")
    shown = plain(v2.get_integration(ApiId=api, IntegrationId=integration))
    assert shown == {
        "ConnectionType": "INTERNET",
        "IntegrationId": integration,
        "IntegrationMethod": "POST",
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": FUNCTION,
        "PayloadFormatVersion": "2.0",
        "TimeoutInMillis": 30000,
    }
    assert plain(v2.get_route(ApiId=api, RouteId=route)) == {
        "ApiKeyRequired": False,
        "AuthorizationType": "NONE",
        "RouteId": route,
        "RouteKey": "GET /pets/{id}",
        "Target": f"integrations/{integration}",
    }
    assert refused(lambda: v2.create_route(ApiId=api, RouteKey="GET /pets/{id}")) == (
        "ConflictException",
        "Route with key GET /pets/{id} already exists for this API",
    )
    code, text = refused(lambda: v2.delete_integration(ApiId=api, IntegrationId=integration))
    assert code == "ConflictException"
    assert text.endswith(f"referenced by the following Routes with Ids: [{route}]")
    changed = v2.update_integration(
        ApiId=api,
        IntegrationId=integration,
        TimeoutInMillis=1000,
        RequestParameters={"append:header.x": "$request.path", "overwrite:path": "/a"},
    )
    assert changed["TimeoutInMillis"] == 1000
    changed = v2.update_integration(
        ApiId=api, IntegrationId=integration, RequestParameters={"overwrite:path": ""}
    )
    assert changed["RequestParameters"] == {"append:header.x": "$request.path"}
    assert v2.update_route(ApiId=api, RouteId=route, RouteKey="$default")["RouteKey"] == "$default"
    assert [item["RouteId"] for item in v2.get_routes(ApiId=api)["Items"]] == [route]
    v2.delete_route(ApiId=api, RouteId=route)
    v2.delete_integration(ApiId=api, IntegrationId=integration)
    assert v2.get_integrations(ApiId=api)["Items"] == []


def test_authorizers(v2: Any, api: str) -> None:
    """JWT and REQUEST authorizers, and the routes that use them."""
    jwt = v2.create_authorizer(
        ApiId=api,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Audience": ["a"], "Issuer": "https://issuer.example"},
    )["AuthorizerId"]
    custom = v2.create_authorizer(
        ApiId=api,
        Name="custom",
        AuthorizerType="REQUEST",
        AuthorizerUri=AUTHORIZER_URI,
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        IdentitySource=["$request.header.a"],
    )["AuthorizerId"]
    assert len(v2.get_authorizers(ApiId=api)["Items"]) == 2
    route = v2.create_route(
        ApiId=api,
        RouteKey="GET /a",
        AuthorizationType="JWT",
        AuthorizerId=jwt,
        AuthorizationScopes=["read"],
    )
    assert route["AuthorizationScopes"] == ["read"]
    code, text = refused(
        lambda: v2.create_route(
            ApiId=api, RouteKey="GET /b", AuthorizationType="JWT", AuthorizerId=custom
        )
    )
    assert (code, text[:31]) == ("BadRequestException", "Invalid authorizer ID specified")
    code, text = refused(lambda: v2.delete_authorizer(ApiId=api, AuthorizerId=jwt))
    assert code == "ConflictException"
    assert route["RouteId"] in text
    opened = v2.update_route(ApiId=api, RouteId=route["RouteId"], AuthorizationType="NONE")
    assert "AuthorizerId" not in opened
    assert "AuthorizationScopes" not in opened
    v2.delete_authorizer(ApiId=api, AuthorizerId=jwt)
    changed = v2.update_authorizer(ApiId=api, AuthorizerId=custom, AuthorizerResultTtlInSeconds=60)
    assert changed["AuthorizerResultTtlInSeconds"] == 60


def test_stages_and_deployments(v2: Any, api: str) -> None:
    """A deployment by hand, a stage on it, and what may not be deleted."""
    code, text = refused(lambda: v2.create_deployment(ApiId=api))
    assert (code, text) == (
        "BadRequestException",
        "Unable to deploy API because no routes exist in this API",
    )
    route_to_function(v2, api, "GET /a")
    first = v2.create_deployment(ApiId=api, Description="one")
    assert (first["DeploymentStatus"], first["AutoDeployed"]) == ("DEPLOYED", False)
    stage = v2.create_stage(
        ApiId=api,
        StageName="dev",
        DeploymentId=first["DeploymentId"],
        StageVariables={"a": "1", "b": "2"},
        RouteSettings={"GET /a": {"ThrottlingRateLimit": 1.5, "ThrottlingBurstLimit": 2}},
        Tags={"k": "v"},
    )
    assert stage["DeploymentId"] == first["DeploymentId"]
    assert "AuthorizersCacheRevision" not in stage
    second = v2.create_deployment(ApiId=api, StageName="dev")
    assert v2.get_stage(ApiId=api, StageName="dev")["DeploymentId"] == second["DeploymentId"]
    code, text = refused(
        lambda: v2.delete_deployment(ApiId=api, DeploymentId=second["DeploymentId"])
    )
    assert text == "Active stages pointing to this deployment must be moved or deleted"
    v2.delete_deployment(ApiId=api, DeploymentId=first["DeploymentId"])
    logs = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:a"
    changed = v2.update_stage(
        ApiId=api,
        StageName="dev",
        StageVariables={"a": "", "c": "3"},
        AccessLogSettings={"DestinationArn": logs, "Format": "$context.requestId"},
    )
    assert changed["StageVariables"] == {"b": "2", "c": "3"}
    assert changed["LastUpdatedDate"] >= changed["CreatedDate"]
    v2.delete_access_log_settings(ApiId=api, StageName="dev")
    v2.delete_route_settings(ApiId=api, StageName="dev", RouteKey="GET /a")
    v2.reset_authorizers_cache(ApiId=api, StageName="dev")
    shown = v2.get_stage(ApiId=api, StageName="dev")
    assert "AccessLogSettings" not in shown
    assert shown["RouteSettings"] == {}
    renamed = v2.update_deployment(
        ApiId=api, DeploymentId=second["DeploymentId"], Description="two"
    )
    assert renamed["Description"] == "two"
    v2.delete_stage(ApiId=api, StageName="dev")
    assert v2.get_stages(ApiId=api)["Items"] == []


def test_automatic_deployments(v2: Any, api: str) -> None:
    """Each change makes one, which replaces the one before; what is no change makes none."""
    stage = v2.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    assert "no routes exist" in stage["LastDeploymentStatusMessage"]
    route, _ = route_to_function(v2, api, "GET /a")

    def current() -> str:
        stage = v2.get_stage(ApiId=api, StageName="$default")
        (only,) = v2.get_deployments(ApiId=api)["Items"]
        assert (only["DeploymentId"], only["AutoDeployed"]) == (stage["DeploymentId"], True)
        assert only["DeploymentId"] in stage["LastDeploymentStatusMessage"]
        return str(only["DeploymentId"])

    first = current()
    v2.update_route(ApiId=api, RouteId=route, OperationName="op")
    second = current()
    assert second != first
    v2.update_stage(ApiId=api, StageName="$default", Description="text")
    assert current() == second


def test_quick_create_and_its_update(v2: Any) -> None:
    """A whole API in one call."""
    made = v2.create_api(Name="q", ProtocolType="HTTP", Target=FUNCTION)
    id = made["ApiId"]
    (route,) = v2.get_routes(ApiId=id)["Items"]
    (integration,) = v2.get_integrations(ApiId=id)["Items"]
    (stage,) = v2.get_stages(ApiId=id)["Items"]
    assert (route["RouteKey"], stage["StageName"]) == ("$default", "$default")
    assert (integration["PayloadFormatVersion"], stage["AutoDeploy"]) == ("2.0", True)
    assert all(it["ApiGatewayManaged"] for it in (route, integration, stage))
    assert stage["DeploymentId"]
    code, _ = refused(
        lambda: v2.update_route(ApiId=id, RouteId=route["RouteId"], RouteKey="GET /x")
    )
    assert code == "BadRequestException"
    v2.update_api(ApiId=id, RouteKey="GET /x", Target="https://other.example/p")
    (route,) = v2.get_routes(ApiId=id)["Items"]
    (integration,) = v2.get_integrations(ApiId=id)["Items"]
    assert (route["RouteKey"], integration["IntegrationType"]) == ("GET /x", "HTTP_PROXY")
    v2.delete_api(ApiId=id)


def test_websocket_apis(v2: Any, websocket: str) -> None:
    """Models and responses of routes are theirs alone."""
    assert v2.get_api(ApiId=websocket)["ApiEndpoint"].startswith("ws://")
    integration = v2.create_integration(
        ApiId=websocket,
        IntegrationType="AWS_PROXY",
        IntegrationUri=AUTHORIZER_URI,
    )["IntegrationId"]
    route = v2.create_route(
        ApiId=websocket,
        RouteKey="send",
        Target=f"integrations/{integration}",
        RouteResponseSelectionExpression="$default",
    )["RouteId"]
    named = {"ApiId": websocket, "RouteId": route}
    response = v2.create_route_response(**named, RouteResponseKey="$default")
    id = response["RouteResponseId"]
    assert v2.get_route_response(**named, RouteResponseId=id)["RouteResponseKey"] == "$default"
    assert len(v2.get_route_responses(**named)["Items"]) == 1
    of = {"ApiId": websocket, "IntegrationId": integration}
    reply = v2.create_integration_response(
        **of, IntegrationResponseKey="/2\\d\\d/", ResponseTemplates={"a": "b"}
    )["IntegrationResponseId"]
    changed = v2.update_integration_response(
        **of, IntegrationResponseId=reply, TemplateSelectionExpression="a"
    )
    assert changed["IntegrationResponseKey"] == "/2\\d\\d/"
    assert len(v2.get_integration_responses(**of)["Items"]) == 1
    v2.delete_integration_response(**of, IntegrationResponseId=reply)
    v2.update_route_response(**named, RouteResponseId=id, RouteResponseKey="$default")
    v2.delete_route_response(**named, RouteResponseId=id)
    v2.delete_route(**named)
    assert refused(lambda: v2.get_route_responses(**named))[0] == "NotFoundException"
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    model = v2.create_model(ApiId=websocket, Name="M", Schema=json.dumps(schema))["ModelId"]
    template = v2.get_model_template(ApiId=websocket, ModelId=model)["Value"]
    assert template == '#set($inputRoot = $input.path(\'$\'))\n{\n  "a" : "foo"\n}'
    assert v2.update_model(ApiId=websocket, ModelId=model, Description="d")["Name"] == "M"
    v2.delete_model(ApiId=websocket, ModelId=model)


def test_domain_names_and_mappings(v2: Any, api: str) -> None:
    """A mapping leads to a stage, which then stays."""
    name = f"{api}.example.com"
    made = v2.create_domain_name(
        DomainName=name,
        DomainNameConfigurations=[
            {"CertificateArn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/c"}
        ],
    )
    assert made["DomainNameArn"] == f"arn:aws:apigateway:us-east-1::/domainnames/{name}"
    (configuration,) = made["DomainNameConfigurations"]
    assert configuration["DomainNameStatus"] == "AVAILABLE"
    assert refused(lambda: v2.create_domain_name(DomainName=name))[0] == "ConflictException"
    mapping = {"DomainName": name, "ApiId": api, "Stage": "dev"}
    assert refused(lambda: v2.create_api_mapping(**mapping))[0] == "BadRequestException"
    v2.create_stage(ApiId=api, StageName="dev")
    made = v2.create_api_mapping(**mapping, ApiMappingKey="a/b")
    id = made["ApiMappingId"]
    assert plain(v2.get_api_mapping(DomainName=name, ApiMappingId=id)) == {
        "ApiId": api,
        "ApiMappingId": id,
        "ApiMappingKey": "a/b",
        "Stage": "dev",
    }
    assert refused(lambda: v2.create_api_mapping(**mapping, ApiMappingKey="a/b"))[0] == (
        "ConflictException"
    )
    code, text = refused(lambda: v2.delete_api(ApiId=api))
    assert (code, text) == (
        "BadRequestException",
        f"Deleting API {api} failed. Please remove all API mappings for the API from your custom"
        " domain names.",
    )
    assert refused(lambda: v2.delete_stage(ApiId=api, StageName="dev"))[0] == "BadRequestException"
    changed = v2.update_api_mapping(
        DomainName=name, ApiMappingId=id, ApiId=api, Stage="dev", ApiMappingKey="c"
    )
    assert changed["ApiMappingKey"] == "c"
    assert len(v2.get_api_mappings(DomainName=name)["Items"]) == 1
    updated = v2.update_domain_name(
        DomainName=name, DomainNameConfigurations=[{"CertificateName": "x"}]
    )
    assert (
        updated["DomainNameConfigurations"][0]["ApiGatewayDomainName"]
        == configuration["ApiGatewayDomainName"]
    )
    root = v2.create_api_mapping(**mapping, ApiMappingKey="(none)")
    assert root["ApiMappingKey"] == ""
    code, text = refused(lambda: v2.create_api_mapping(**mapping))
    assert code == "ConflictException"
    assert text.startswith("An empty API mapping key already exists")
    for made in (id, root["ApiMappingId"]):
        v2.delete_api_mapping(DomainName=name, ApiMappingId=made)
    v2.delete_domain_name(DomainName=name)
    assert name not in [it["DomainName"] for it in v2.get_domain_names()["Items"]]


def test_tags(v2: Any, api: str) -> None:
    """Of APIs, stages and domain names."""
    v2.create_stage(ApiId=api, StageName="dev", Tags={"a": "1"})
    for path in (f"/apis/{api}", f"/apis/{api}/stages/dev"):
        arn = f"arn:aws:apigateway:us-east-1::{path}"
        v2.tag_resource(ResourceArn=arn, Tags={"a": "2", "b": "3"})
        v2.untag_resource(ResourceArn=arn, TagKeys=["a"])
        assert v2.get_tags(ResourceArn=arn)["Tags"] == {"b": "3"}
    assert v2.get_api(ApiId=api)["Tags"] == {"b": "3"}
    assert v2.get_stage(ApiId=api, StageName="dev")["Tags"] == {"b": "3"}
    gone = "arn:aws:apigateway:us-east-1::/apis/aaaaaaaaaa"
    assert refused(lambda: v2.get_tags(ResourceArn=gone))[0] == "NotFoundException"
    assert refused(lambda: v2.get_tags(ResourceArn="arn:aws:s3:::b"))[0] == "BadRequestException"


OPENAPI = f"""
openapi: 3.0.1
info: {{title: imported, version: "1.0"}}
tags:
  - {{name: team, x-amazon-apigateway-tag-value: blue}}
paths:
  /$default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      x-amazon-apigateway-integration:
        $ref: '#/components/x-amazon-apigateway-integrations/function'
  /pets/{{id}}:
    get:
      operationId: getPet
      security: [{{jwt: [read]}}]
      x-amazon-apigateway-integration:
        payloadFormatVersion: "1.0"
        type: http_proxy
        httpMethod: get
        uri: https://pets.example/{{id}}
        timeoutInMillis: 1000
components:
  securitySchemes:
    jwt:
      type: oauth2
      flows: {{}}
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: {{audience: [a], issuer: https://issuer.example}}
  x-amazon-apigateway-integrations:
    function:
      payloadFormatVersion: "2.0"
      type: aws_proxy
      httpMethod: POST
      uri: {FUNCTION}
x-amazon-apigateway-cors: {{allowOrigins: ["*"], maxAge: 10}}
"""


def test_openapi_there_and_back(v2: Any) -> None:
    """What is exported can be imported, and is the same API."""
    made = v2.import_api(Body=OPENAPI)
    id = made["ApiId"]
    assert (made["Name"], made["Tags"]) == ("imported", {"team": "blue"})
    assert made["CorsConfiguration"] == {"AllowOrigins": ["*"], "MaxAge": 10}

    def routes() -> dict[str, Any]:
        return {route["RouteKey"]: route for route in v2.get_routes(ApiId=id)["Items"]}

    assert set(routes()) == {"$default", "GET /pets/{id}"}
    assert routes()["GET /pets/{id}"]["AuthorizationScopes"] == ["read"]
    exported = v2.export_api(ApiId=id, OutputType="YAML", Specification="OAS30")["body"].read()
    document = yaml.safe_load(exported)
    assert document["paths"]["/$default"]["x-amazon-apigateway-any-method"]["isDefaultRoute"]
    stage = v2.create_stage(ApiId=id, StageName="dev", AutoDeploy=True)
    first = stage["DeploymentId"]
    before = {
        key: v2.get_integration(ApiId=id, IntegrationId=route["Target"].partition("/")[2])
        for key, route in routes().items()
    }
    v2.reimport_api(ApiId=id, Body=exported.decode())
    for key, route in routes().items():
        after = v2.get_integration(ApiId=id, IntegrationId=route["Target"].partition("/")[2])
        assert {**plain(after), "IntegrationId": ""} == {**plain(before[key]), "IntegrationId": ""}
    assert v2.get_stage(ApiId=id, StageName="dev")["DeploymentId"] != first
    small = v2.export_api(
        ApiId=id,
        OutputType="JSON",
        Specification="OAS30",
        StageName="dev",
        IncludeExtensions=False,
    )["body"].read()
    assert json.loads(small)["servers"][0]["url"].endswith("/dev")
    assert b"apigateway-integration" not in small
    v2.delete_api(ApiId=id)


def test_what_is_not_enforced_is_refused(v2: Any, api: str) -> None:
    """With an error of the model that says so."""
    calls: list[Callable[[], Any]] = [
        lambda: v2.create_vpc_link(Name="a", SubnetIds=["s"]),
        v2.list_portals,
        lambda: v2.create_integration(
            ApiId=api,
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="GET",
            IntegrationUri="http://x",
            ConnectionType="VPC_LINK",
            ConnectionId="c",
        ),
        lambda: v2.create_domain_name(
            DomainName="m.example.com", MutualTlsAuthentication={"TruststoreUri": "s3://b/k"}
        ),
        lambda: v2.create_domain_name(DomainName="r.example.com", RoutingMode="ROUTING_RULE_ONLY"),
        lambda: v2.create_route(ApiId=api, RouteKey="GET /k", ApiKeyRequired=True),
        lambda: v2.create_stage(ApiId=api, StageName="s", ClientCertificateId="c"),
    ]
    for call in calls:
        code, text = refused(call)
        assert code == "BadRequestException"
        assert "Lambent does not" in text
