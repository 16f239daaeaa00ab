"""Chalice, unmodified: a REST API, a WebSocket API and a function are deployed, used,
changed and deleted."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.sync.client import connect

from tests.packages import INSTALLED
from tests.platforms import ACCOUNT, Platform, invoke

APP = """
import boto3
from chalice import (
    AuthResponse, BadRequestError, Chalice, CORSConfig, IAMAuthorizer, NotFoundError, Response,
)

app = Chalice(app_name="shop")
app.api.binary_types.append("image/png")
app.websocket_api.session = boto3.session.Session()
app.experimental_feature_flags.update(["WEBSOCKETS"])
cors = CORSConfig(
    allow_origin="https://shop.example", allow_headers=["X-Special"], max_age=600,
    expose_headers=["X-Made"], allow_credentials=True,
)

@app.authorizer(ttl_seconds=60)
def door(request):
    routes = ["/mine"] if request.token == "open" else []
    return AuthResponse(routes=routes, principal_id="ann", context={"color": "red"})

@app.route("/")
def index():
    return {"version": VERSION}

@app.route("/orders/{number}", methods=["GET", "PUT"], cors=cors)
def order(number):
    request = app.current_request
    if number == "0":
        raise NotFoundError("no such order")
    if number == "x":
        raise BadRequestError("not a number")
    if number == "bug":
        raise ValueError("a secret")
    return {
        "number": number, "method": request.method, "body": request.json_body,
        "q": (request.query_params or {}).get("q"),
        "stage": request.context["stage"], "path": request.context["resourcePath"],
    }

@app.route("/form", methods=["POST"], content_types=["application/x-www-form-urlencoded"])
def form():
    return Response(
        body=app.current_request.raw_body.decode(), status_code=201,
        headers={"Content-Type": "text/plain", "X-Made": ["a", "b"]},
    )

@app.route("/picture", methods=["POST"], content_types=["image/png"])
def picture():
    return Response(
        body=app.current_request.raw_body[::-1], headers={"Content-Type": "image/png"},
    )

@app.route("/mine", authorizer=door)
def mine():
    return app.current_request.context["authorizer"]

@app.route("/yours", authorizer=door)
def yours():
    return {}

@app.route("/signed", authorizer=IAMAuthorizer())
def signed():
    return app.current_request.context["identity"]["accountId"]

@app.route("/keyed", api_key_required=True)
def keyed():
    return {}

@app.lambda_function(name="greet")
def greet(event, context):
    return {"hello": event["name"], "version": VERSION}

@app.on_ws_connect()
def hello(event):
    app.log.debug("connected %s", event.connection_id)

@app.on_ws_message()
def message(event):
    info = app.websocket_api.info(event.connection_id)
    app.websocket_api.send(event.connection_id, event.body.upper() + str("ConnectedAt" in info))
    if event.body == "bye":
        app.websocket_api.close(event.connection_id)

@app.on_ws_disconnect()
def bye(event):
    pass
"""
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/any"
DOMAIN = {"certificate_arn": CERTIFICATE, "tls_version": "TLS_1_2", "tags": {"team": "tea"}}
PROGRAM = "import sys; from chalice.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a project; app.py is written later."""
    directory = tmp_path_factory.mktemp("shop")
    (directory / ".chalice").mkdir()
    (directory / "requirements.txt").touch()
    config = {
        "version": "2.0",
        "app_name": "shop",
        "lambda_memory_size": 512,
        "stages": {
            "dev": {
                "api_gateway_stage": "v1",
                "api_gateway_endpoint_type": "REGIONAL",
                "api_gateway_custom_domain": {**DOMAIN, "domain_name": "api.shop.test"},
                "websocket_api_custom_domain": {**DOMAIN, "domain_name": "ws.shop.test"},
                "environment_variables": {"COLOR": "blue"},
                "reserved_concurrency": 5,
                "tags": {"team": "tea"},
            }
        },
    }
    (directory / ".chalice" / "config.json").write_text(json.dumps(config))
    wait_briefly(directory)
    return directory


def wait_briefly(home: Path) -> None:
    """Write models of botocore that ask each 0.2 seconds whether a function is ready, not each
    5."""
    inside = Path("lambda", "2015-03-31", "waiters-2.json")
    waiters = json.loads((INSTALLED / "chalice" / "botocore" / "data" / inside).read_text())
    for waiter in waiters["waiters"].values():
        waiter.update(delay=0.2, maxAttempts=600)
    written = home / ".aws" / "models" / inside
    written.parent.mkdir(parents=True)
    written.write_text(json.dumps(waiters))


@pytest.fixture(scope="module")
def chalice(platform: Platform, project: Path) -> Callable[..., str]:
    """Runs its command line in the project; returns what it prints."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from chalice.cli import main; sys.exit(main())",
                *arguments,
            ],
            cwd=project,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(project),
                "PYTHONPATH": str(INSTALLED / "chalice"),
                "AWS_ENDPOINT_URL": platform.endpoint,
                "AWS_ACCESS_KEY_ID": ACCOUNT,
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def deployed(chalice: Callable[..., str], project: Path) -> dict[str, Any]:
    """What Chalice has made of the project, by its name in there."""
    (project / "app.py").write_text(APP.replace("VERSION", "1"))
    chalice("deploy")
    return resources(project)


def resources(project: Path) -> dict[str, Any]:
    """What Chalice remembers of its last deployment, by name."""
    written = json.loads((project / ".chalice" / "deployed" / "dev.json").read_text())
    return {resource["name"]: resource for resource in written["resources"]}


@pytest.fixture
def url(platform: Platform, deployed: dict[str, Any]) -> str:
    """The address of the REST API's stage."""
    return f"{platform.endpoint}/_lambent/api/{deployed['rest_api']['rest_api_id']}/v1"


def test_routes_and_errors(url: str) -> None:
    """Parameters, bodies, errors that are raised, and those of API Gateway itself."""
    order = requests.put(f"{url}/orders/7?q=a", json={"n": 1}, timeout=60)
    assert order.json() == {
        "number": "7",
        "method": "PUT",
        "body": {"n": 1},
        "q": "a",
        "stage": "v1",
        "path": "/orders/{number}",
    }
    missing = requests.get(f"{url}/orders/0", timeout=60)
    assert (missing.status_code, missing.json()["Message"]) == (404, "no such order")
    wrong = requests.get(f"{url}/orders/x", timeout=60)
    assert (wrong.status_code, wrong.json()["Code"]) == (400, "BadRequestError")
    bug = requests.get(f"{url}/orders/bug", timeout=60)
    assert bug.status_code == 500
    assert "a secret" not in bug.text
    form = requests.post(f"{url}/form", data={"a": "b c"}, timeout=60)
    assert (form.status_code, form.text, form.headers["X-Made"]) == (201, "a=b+c", "a, b")
    refused = requests.post(f"{url}/form", json={}, timeout=60)
    assert refused.status_code == 415
    nothing = requests.get(f"{url}/nothing", timeout=60)
    assert nothing.json() == {"message": "Missing Authentication Token"}
    assert nothing.status_code == 403
    assert requests.get(f"{url}/keyed", timeout=60).status_code == 403


def test_binary_bodies(url: str) -> None:
    """There and back, by the API's binary media types."""
    data = bytes(range(256))
    headers = {"Content-Type": "image/png", "Accept": "image/png"}
    answer = requests.post(f"{url}/picture", data=data, headers=headers, timeout=60)
    assert answer.content == data[::-1]


def test_cors(url: str) -> None:
    """Chalice makes a mock for the preflight and adds headers to the answer."""
    preflight = requests.options(f"{url}/orders/7", timeout=60)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "X-Special" in preflight.headers["Access-Control-Allow-Headers"]
    assert set(preflight.headers["Access-Control-Allow-Methods"].split(",")) == {
        "GET",
        "PUT",
        "OPTIONS",
    }
    assert preflight.headers["Access-Control-Max-Age"] == "600"
    assert preflight.headers["Access-Control-Allow-Credentials"] == "true"
    answer = requests.get(f"{url}/orders/7", timeout=60)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"


def test_authorizers(url: str) -> None:
    """A function that Chalice deploys beside the API, and signatures."""
    assert requests.get(f"{url}/mine", timeout=60).status_code == 401
    context = requests.get(f"{url}/mine", headers={"Authorization": "open"}, timeout=60).json()
    assert (context["principalId"], context["color"]) == ("ann", "red")
    for path, token in (("/mine", "shut"), ("/yours", "open")):
        refused = requests.get(f"{url}{path}", headers={"Authorization": token}, timeout=60)
        assert refused.status_code == 403
    assert requests.get(f"{url}/signed", timeout=60).status_code == 403
    request = AWSRequest("GET", f"{url}/signed")
    SigV4Auth(Credentials(ACCOUNT, "secret"), "execute-api", "us-east-1").add_auth(request)
    signed = requests.get(f"{url}/signed", headers=dict(request.headers), timeout=60)
    assert signed.text == ACCOUNT


def test_websockets(platform: Platform, deployed: dict[str, Any]) -> None:
    """Its handlers send through the management API."""
    api_id = deployed["websocket_api"]["websocket_api_id"]
    address = f"{platform.endpoint}/_lambent/api/{api_id}/v1".replace("http", "ws", 1)
    with connect(address, compression=None) as client:
        client.send("hello")
        assert client.recv(timeout=60) == "HELLOTrue"
        client.send("bye")
        assert client.recv(timeout=60) == "BYETrue"
        assert list(client) == []


def test_custom_domain_names(platform: Platform, deployed: dict[str, Any]) -> None:
    """One for each API; requests find the API by them."""
    assert deployed["api_gateway_custom_domain"]["domain_name"] == "api.shop.test"
    host = {"Host": "api.shop.test"}
    answer = requests.get(f"{platform.endpoint}/orders/7", headers=host, timeout=60)
    assert answer.json()["number"] == "7"
    port = urlsplit(platform.endpoint).port or 80
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        connect("ws://ws.shop.test/", sock=connection, compression=None, proxy=None) as client,
    ):
        client.send("hello")
        assert client.recv(timeout=60) == "HELLOTrue"


def test_functions_and_roles(platform: Platform, deployed: dict[str, Any]) -> None:
    """A function beside the API, with the role that Chalice creates."""
    client = platform.client("lambda")
    answer, _ = invoke(client, "shop-dev-greet", {"name": "you"})
    assert answer == {"hello": "you", "version": 1}
    role = client.get_function_configuration(FunctionName="shop-dev-greet")["Role"]
    assert role == deployed["default-role"]["role_arn"]
    found = platform.client("iam").get_role(RoleName=role.rpartition("/")[2])
    assert found["Role"]["Arn"] == role


def test_a_change_and_the_end(
    platform: Platform, chalice: Callable[..., str], project: Path, url: str
) -> None:
    """The next deployment changes what is there; afterwards nothing is left."""
    before = resources(project)
    assert requests.get(f"{url}/", timeout=60).json() == {"version": 1}
    (project / "app.py").write_text(APP.replace("VERSION", "2").replace('"/form"', '"/forms"'))
    printed = chalice("deploy")
    assert "Rest API URL" in printed
    after = resources(project)
    assert after == before
    assert requests.get(f"{url}/", timeout=60).json() == {"version": 2}
    assert requests.post(f"{url}/forms", data={"a": "b"}, timeout=60).status_code == 201
    assert requests.post(f"{url}/form", data={"a": "b"}, timeout=60).status_code == 403
    assert chalice("url").strip() == before["rest_api"]["rest_api_url"]
    chalice("delete")
    assert requests.get(f"{url}/", timeout=60).status_code == 403
    functions = platform.client("lambda").list_functions()["Functions"]
    assert not [name for f in functions if (name := f["FunctionName"]).startswith("shop-")]
    v1 = platform.client("apigateway")
    assert "shop" not in [api["name"] for api in v1.get_rest_apis(limit=500)["items"]]
    names = [item["domainName"] for item in v1.get_domain_names(limit=500)["items"]]
    assert not [name for name in names if name.endswith("shop.test")]
    sockets = platform.client("apigatewayv2").get_apis()["Items"]
    assert not [api for api in sockets if api["Name"].startswith("shop")]
    roles = platform.client("iam").list_roles()["Roles"]
    assert not [role for role in roles if role["RoleName"].startswith("shop")]
