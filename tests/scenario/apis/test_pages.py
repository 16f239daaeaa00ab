"""Pages in a real browser: of another origin than the APIs that they call."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest

from tests.platforms import Platform, deploy
from tests.servers.processes import skip_without
from tests.unit.triggers.apis.issuer import jwk, make_key

from .chromium import PROGRAM, Chromium
from .fronts import http_api, websocket_api

WHO = """
import json

def handler(event, context):
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    return {
        "statusCode": 200, "headers": {"X-Made": "yes"},
        "body": json.dumps({"user": claims["sub"], "said": json.loads(event["body"])}),
    }
"""

CHAT = """
import json

import boto3

def handler(event, context):
    request = event["requestContext"]
    if request["eventType"] == "MESSAGE":
        message = json.loads(event["body"])
        me = request["connectionId"]
        endpoint = f"https://{request['domainName']}/{request['stage']}"
        connections = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint)
        connections.post_to_connection(
            ConnectionId=message.get("to", me),
            Data=json.dumps({"from": me, "text": message["text"]}).encode(),
        )
    return {"statusCode": 200}
"""

ASK = """
(async () => {
  try {
    const answer = await fetch(URL, {
      method: "PUT",
      headers: { "Authorization": "Bearer TOKEN", "Content-Type": "application/json" },
      body: JSON.stringify("hello"),
    });
    return { status: answer.status, made: answer.headers.get("x-made"), body: await answer.json() };
  } catch (error) {
    return { error: error.name };
  }
})()
"""

JOIN = """
new Promise((done, fail) => {
  window.heard = [];
  window.waiting = null;
  window.socket = new WebSocket(URL);
  socket.onmessage = ({ data }) => {
    heard.push(JSON.parse(data));
    if (waiting) waiting();
  };
  socket.onopen = () => done("open");
  socket.onclose = ({ code }) => fail(new Error(`closed: ${code}`));
})
"""
HEARD = """
new Promise((done) => {
  const look = () => heard.length ? done(heard.shift()) : waiting = look;
  look();
})
"""


class _Site(BaseHTTPRequestHandler):
    """An empty page, and the documents of an issuer of tokens."""

    def do_GET(self) -> None:
        issuer = f"http://{self.headers['Host']}"
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/keys"},
            "/keys": {"keys": [jwk(make_key(), "k1")]},
        }
        found = documents.get(self.path)
        body = json.dumps(found).encode() if found else b"<!doctype html><title>shop</title>"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if found else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The origin of a site that is also an issuer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests."""
    skip_without(PROGRAM, "chromium")
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


def test_a_page_calls_an_api_with_a_token(
    start_platform: Any, site: str, chromium: Chromium
) -> None:
    """The browser asks for permission first (CORS), for its own origin only; the token is of an
    issuer that the platform asks for keys."""
    platform = start_platform(None, "--set", "egress.allow=127.0.0.1/32")
    arn = deploy(platform.client("lambda"), "who", {"app.py": WHO})["FunctionArn"]
    url = http_api(platform, arn)
    v2, api_id = platform.client("apigatewayv2"), urlsplit(url).netloc.partition(".")[0]
    protect(v2, api_id, site)
    good, late = token(site, "ann"), token(site, "ann", lifetime_s=-7200)
    tab = chromium.tab(f"{site}/")
    assert ask(tab, url, good) == {"error": "TypeError"}
    cors = {
        "AllowOrigins": [site],
        "AllowMethods": ["PUT"],
        "AllowHeaders": ["authorization", "content-type"],
        "ExposeHeaders": ["x-made"],
    }
    v2.update_api(ApiId=api_id, CorsConfiguration=cors)
    said = {"user": "ann", "said": "hello"}
    assert ask(tab, url, good) == {"status": 200, "made": "yes", "body": said}
    assert ask(tab, url, late)["status"] == 401
    other = chromium.tab(site.replace("127.0.0.1", "localhost") + "/")
    assert ask(other, url, good) == {"error": "TypeError"}


def protect(v2: Any, api_id: str, issuer: str) -> None:
    """Let the only route want a token of this issuer."""
    authorizer = v2.create_authorizer(
        ApiId=api_id,
        Name="tokens",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": ["shop"]},
    )["AuthorizerId"]
    (route,) = v2.get_routes(ApiId=api_id)["Items"]
    v2.update_route(
        ApiId=api_id,
        RouteId=route["RouteId"],
        AuthorizationType="JWT",
        AuthorizerId=authorizer,
    )


def token(issuer: str, user: str, lifetime_s: float = 600) -> str:
    """A token of the issuer for this user."""
    now = int(time.time())
    claims = {"iss": issuer, "aud": "shop", "sub": user, "iat": now, "exp": now + lifetime_s}
    return jwt.encode(claims, make_key(), "RS256", headers={"kid": "k1"})


def ask(tab: Any, url: str, bearer: str) -> Any:
    """What the page sees of a request with a token."""
    return tab.run(ASK.replace("URL", json.dumps(f"{url}/who")).replace("TOKEN", bearer))


def test_two_tabs_chat(platform: Platform, site: str, chromium: Chromium) -> None:
    """Each learns its own connection, and sends to the other."""
    arn = deploy(platform.client("lambda"), "tabs", {"app.py": CHAT})["FunctionArn"]
    address = websocket_api(platform, arn)
    ann, bob = chromium.tab(f"{site}/"), chromium.tab(f"{site}/")
    ids = [join(tab, by_name(platform, address)) for tab in (ann, bob)]
    assert len(set(ids)) == 2
    say(ann, "hello bob", ids[1])
    assert bob.run(HEARD) == {"from": ids[0], "text": "hello bob"}
    say(bob, "grüß dich", ids[0])
    assert ann.run(HEARD) == {"from": ids[1], "text": "grüß dich"}


def by_name(platform: Platform, address: str) -> str:
    """The address of a stage by its name, which browsers resolve."""
    api_id, stage = address.split("/")[-2:]
    port = urlsplit(platform.endpoint).port
    return f"ws://{api_id}.execute-api.us-east-1.localhost:{port}/{stage}"


def join(tab: Any, address: str) -> str:
    """Connect; returns the ID of the tab's connection."""
    assert tab.run(JOIN.replace("URL", json.dumps(address))) == "open"
    say(tab, "me")
    return str(tab.run(HEARD)["from"])


def say(tab: Any, text: str, to: str | None = None) -> None:
    """Send a text to a connection, or to the own."""
    message = {"action": "say", "text": text} | ({"to": to} if to else {})
    tab.run(f"socket.send({json.dumps(json.dumps(message))})")
