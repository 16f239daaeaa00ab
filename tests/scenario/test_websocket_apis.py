"""WebSocket APIs on a real platform, with the clients people use."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.platforms import Platform, deploy, log_lines

APP = """
import json

def handler(event, context):
    request = event["requestContext"]
    print(request["eventType"], request.get("disconnectStatusCode", ""))
    return {"statusCode": 200, "body": json.dumps({"heard": event.get("body")})}
"""


def make_api(platform: Platform, function_arn: str) -> str:
    """A WebSocket API with a stage `live`, all of whose routes invoke a function; returns its
    id."""
    gateway = platform.client("apigatewayv2")
    api_id: str = gateway.create_api(
        Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    integration = gateway.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=function_arn
    )["IntegrationId"]
    for key in ("$connect", "$disconnect", "$default"):
        route = gateway.create_route(
            ApiId=api_id,
            RouteKey=key,
            Target=f"integrations/{integration}",
            RouteResponseSelectionExpression="$default",
        )
        if key == "$default":
            gateway.create_route_response(
                ApiId=api_id, RouteId=route["RouteId"], RouteResponseKey="$default"
            )
    gateway.create_stage(ApiId=api_id, StageName="live", AutoDeploy=True)
    return api_id


def address(platform: Platform, api_id: str) -> str:
    """Where clients connect."""
    return f"{platform.endpoint}/_lambent/api/{api_id}/live".replace("http", "ws", 1)


def test_a_platform_stops_while_clients_are_connected(tmp_path: Any) -> None:
    """They learn it by code 1001, and the functions hear of it before they are stopped. The next
    platform serves the same API."""
    platform = Platform(tmp_path / "data")
    try:
        function = deploy(platform.client("lambda"), "chat", {"app.py": APP})
        api_id = make_api(platform, function["FunctionArn"])
        with connect(address(platform, api_id), compression=None) as client:
            client.send("hello")
            assert json.loads(client.recv(timeout=30)) == {"heard": "hello"}
            assert platform.stop() == 0, platform.output
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
        platform = Platform(tmp_path / "data")
        assert "DISCONNECT 1001" in log_lines(platform, "chat")
        with connect(address(platform, api_id), compression=None) as client:
            client.send("again")
            assert json.loads(client.recv(timeout=30)) == {"heard": "again"}
    finally:
        assert platform.stop() == 0, platform.output


def test_what_is_not_served_is_refused(platform: Platform) -> None:
    """When it is configured, with an error that says what it is."""
    gateway = platform.client("apigatewayv2")

    def refused(call: Any, **parameters: Any) -> str:
        with pytest.raises(ClientError) as error:
            call(**parameters)
        assert error.value.response["Error"]["Code"] == "BadRequestException"
        return str(error.value)

    create_api = {"Name": "x", "ProtocolType": "WEBSOCKET"}
    for wrong in ("$", "${request.body.a", "${request.body..a}"):
        message = refused(gateway.create_api, **create_api, RouteSelectionExpression=wrong)
        assert "RouteSelectionExpression" in message
    api_id = gateway.create_api(**create_api, RouteSelectionExpression="$request.body.a")["ApiId"]
    create = gateway.create_integration
    uri = "arn:aws:apigateway:us-east-1:ec2:action/RunInstances"
    assert "ec2" in refused(create, ApiId=api_id, IntegrationType="AWS", IntegrationUri=uri)
    mock = {"ApiId": api_id, "IntegrationType": "MOCK"}
    assert "text" in refused(create, **mock, ContentHandlingStrategy="CONVERT_TO_BINARY")
    kept = create(**mock, ContentHandlingStrategy="CONVERT_TO_TEXT")
    assert kept["ContentHandlingStrategy"] == "CONVERT_TO_TEXT"
    assert "Expression" in refused(create, **mock, TemplateSelectionExpression="$")
    integration = create(**mock)["IntegrationId"]
    respond = gateway.create_integration_response
    ids = {"ApiId": api_id, "IntegrationId": integration}
    assert "Key" in refused(respond, **ids, IntegrationResponseKey="/(/")
    assert respond(**ids, IntegrationResponseKey="/2\\d\\d/")["IntegrationResponseKey"]
    route = {"ApiId": api_id, "RouteKey": "$connect", "ApiKeyRequired": True}
    assert "API keys" in refused(gateway.create_route, **route)


def test_the_management_api_without_a_stage_says_where_it_is(platform: Platform) -> None:
    """A client whose endpoint is the platform itself."""
    connections = platform.client("apigatewaymanagementapi")
    with pytest.raises(ClientError, match="/_lambent/api/"):
        connections.get_connection(ConnectionId="a" * 15 + "=")


NODE_APP = """
import { ApiGatewayManagementApiClient, PostToConnectionCommand }
  from "@aws-sdk/client-apigatewaymanagementapi";

export const handler = async (event) => {
  const { domainName, stage, connectionId, eventType } = event.requestContext;
  if (eventType === "MESSAGE") {
    const endpoint = `https://${domainName}/${stage}`;
    const client = new ApiGatewayManagementApiClient({ endpoint });
    const message = { ConnectionId: connectionId, Data: "from Node" };
    await client.send(new PostToConnectionCommand(message));
  }
  return { statusCode: 200 };
};
"""


def test_a_function_in_node_posts_back(platform: Platform) -> None:
    """With AWS's SDK as it is, to the address that AWS's guide says."""
    function = deploy(
        platform.client("lambda"),
        "chat-node",
        {"index.mjs": NODE_APP},
        Runtime="nodejs20.x",
        Handler="index.handler",
        MemorySize=1024,
    )
    api_id = make_api(platform, function["FunctionArn"])
    with connect(address(platform, api_id), compression=None) as client:
        client.send("hello")
        assert client.recv(timeout=30) == "from Node"
