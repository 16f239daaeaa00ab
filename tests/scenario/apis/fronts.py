"""APIs in front of a function, made as people make them; each returns its address by name, without
the last slash."""

from typing import Any
from urllib.parse import urlsplit

from tests.platforms import PYTHON, ROLE, Platform, wait_active


def http_api(
    platform: Platform, function_arn: str, payload_format: str = "2.0", route: str = "$default"
) -> str:
    """An HTTP API with one route, which invokes the function."""
    v2 = platform.client("apigatewayv2")
    api = v2.create_api(Name="front", ProtocolType="HTTP")
    integration = v2.create_integration(
        ApiId=api["ApiId"],
        IntegrationType="AWS_PROXY",
        IntegrationUri=function_arn,
        PayloadFormatVersion=payload_format,
    )["IntegrationId"]
    v2.create_route(ApiId=api["ApiId"], RouteKey=route, Target=f"integrations/{integration}")
    v2.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    return str(api["ApiEndpoint"])


def rest_api(platform: Platform, function_arn: str, **authorizer: str) -> str:
    """A REST API that passes every path to the function, and every body as it is; its stage is
    `prod`. With members of an authorizer, all methods ask it."""
    v1 = platform.client("apigateway")
    api = v1.create_rest_api(name="front", binaryMediaTypes=["*/*"])
    id, root = api["id"], api["rootResourceId"]
    needs: dict[str, str] = {"authorizationType": "NONE"}
    if authorizer:
        made = v1.create_authorizer(restApiId=id, name="door", **authorizer)
        needs = {"authorizationType": "CUSTOM", "authorizerId": made["id"]}
    proxy = v1.create_resource(restApiId=id, parentId=root, pathPart="{proxy+}")["id"]
    for resource in (root, proxy):
        method = {"restApiId": id, "resourceId": resource, "httpMethod": "ANY"}
        v1.put_method(**method, **needs)
        v1.put_integration(
            **method, type="AWS_PROXY", integrationHttpMethod="POST", uri=invocation(function_arn)
        )
    v1.create_deployment(restApiId=id, stageName="prod")
    port = urlsplit(platform.endpoint).port
    return f"http://{id}.execute-api.us-east-1.localhost:{port}/prod"


def websocket_api(platform: Platform, function_arn: str, **authorizer: Any) -> str:
    """A WebSocket API whose three routes invoke the function; its stage is `live`. With members of
    an authorizer, who connects is asked for. The address is by path, for clients that resolve no
    names."""
    v2 = platform.client("apigatewayv2")
    api_id = v2.create_api(
        Name="front", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    integration = v2.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=function_arn
    )["IntegrationId"]
    needs: dict[str, str] = {}
    if authorizer:
        made = v2.create_authorizer(
            ApiId=api_id, Name="door", AuthorizerType="REQUEST", **authorizer
        )
        needs = {"AuthorizationType": "CUSTOM", "AuthorizerId": made["AuthorizerId"]}
    for key in ("$connect", "$disconnect", "$default"):
        more = needs if key == "$connect" else {}
        v2.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}", **more)
    v2.create_stage(ApiId=api_id, StageName="live", AutoDeploy=True)
    return f"{platform.endpoint}/_lambent/api/{api_id}/live".replace("http", "ws", 1)


def function_url(platform: Platform, name: str) -> str:
    """A function URL that is open to all."""
    client = platform.client("lambda")
    address: str = client.create_function_url_config(FunctionName=name, AuthType="NONE")[
        "FunctionUrl"
    ]
    return address.rstrip("/")


def invocation(function_arn: str) -> str:
    """The URI by which REST APIs and authorizers name a function."""
    return (
        f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    )


def create(platform: Platform, name: str, package: bytes, **more: Any) -> str:
    """Create a function of a package and wait until it is active; returns its ARN."""
    client = platform.client("lambda")
    options = {"Runtime": PYTHON, "Handler": "app.handler", "Timeout": 30, "MemorySize": 1024}
    client.create_function(
        FunctionName=name, Role=ROLE, Code={"ZipFile": package}, **{**options, **more}
    )
    return str(wait_active(client, name)["FunctionArn"])
