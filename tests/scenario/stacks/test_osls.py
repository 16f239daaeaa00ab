"""osls, the Serverless Framework that is maintained, unmodified: deploy, invoke, change, remove."""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from tests.scenario.test_cli import run

from .tools import INSTALLED, Platform, Project

OSLS = INSTALLED / "osls" / "node_modules" / "osls" / "bin" / "serverless.js"
SERVICE = """
service: osls-app
provider:
  name: aws
  runtime: PYTHON_VERSION
  environment: {WHO: "${param:who, 'world'}"}
functions:
  hello:
    handler: app.hello
    events: [{http: {path: hello, method: get}}]
  talk:
    handler: app.talk
    events:
      - websocket: $connect
      - websocket: {route: $default, routeResponseSelectionExpression: $default}
"""
APP = """
import json, os

def hello(event, context):
    body = {"hello": os.environ["WHO"], "name": event.get("name")}
    return {"statusCode": 200, "body": json.dumps(body)}

def talk(event, context):
    return {"statusCode": 200, "body": event.get("body", "").upper()}
"""


@pytest.fixture
def project(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("osls"), platform)
    made.write(serverless__yml=SERVICE, app__py=APP)
    return made


@pytest.fixture
def osls(project: Project) -> Callable[..., str]:
    """Runs `serverless`; returns what it prints."""
    return lambda *arguments: project.run(["node", str(OSLS), *arguments], NODE_NO_WARNINGS="1")


def test_from_the_deployment_to_the_removal(project: Project, osls: Callable[..., str]) -> None:
    """A REST API and a WebSocket API call functions; a parameter changes one in place."""
    assert "Service deployed to stack osls-app-dev" in osls("deploy")
    made = project.outputs("osls-app-dev")
    address = f"{made['ServiceEndpoint']}/hello"
    assert project.get(address) == {"hello": "world", "name": None}
    endpoint = urlsplit(made["ServiceEndpointWebsocket"])
    id = endpoint.netloc.partition(".")[0]
    url = f"{project.platform.endpoint}/_lambent/api/{id}/dev".replace("http", "ws", 1)
    with connect(url, compression=None) as client:
        client.send("hello")
        assert client.recv(timeout=60) == "HELLO"

    shown = json.loads(run(project.platform, "stacks", "osls-app-dev", "--json").stdout)
    addresses = [each["address"] for each in shown["Addresses"]]
    (rest,) = [each for each in addresses if each.startswith(project.platform.endpoint)]
    assert project.get(f"{rest}/hello")["hello"] == "world"
    assert any(each.startswith("ws") for each in addresses)

    invoked = osls("invoke", "--function", "hello", "--data", '{"name": "osls"}')
    assert json.loads(json.loads(invoked)["body"]) == {"hello": "world", "name": "osls"}
    osls("deploy", "--param", "who=you")
    assert project.outputs("osls-app-dev")["ServiceEndpoint"] == made["ServiceEndpoint"]
    assert project.get(address)["hello"] == "you"

    assert "has been successfully removed" in osls("remove")
    assert project.is_gone("osls-app-dev")
    functions = project.platform.client("lambda").list_functions()["Functions"]
    assert not [f for f in functions if f["FunctionName"].startswith("osls-app-")]
