"""Where the front doors of APIs start tasks, and how a request reaches each place.

A client gets a clear error, and the same request succeeds afterwards.
"""

import http.client
import json
import re
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lambent.triggers.apis.websocket.answers import INTERNAL_ERROR
from tests.platforms import ACCOUNT, ROLE, deploy, wait_active, wait_for

from .failing_platform import FailingPlatform

APP = """
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}],
}

def handler(event, context):
    if event.get("type") in ("REQUEST", "TOKEN"):
        return {"principalId": "someone", "policyDocument": POLICY}
    if event.get("body") == "who":
        return {"statusCode": 200, "body": event["requestContext"]["connectionId"]}
    return {"statusCode": 200, "body": event.get("body") or "fine"}
"""
"""Serves routes, and is their authorizer."""
LARGE = "x" * 20_000
"""A body that is not handled on the event loop; it fits into a frame of a WebSocket."""
SLOW_TEMPLATE = '#foreach($i in [1..900])#set($x = $i + $i)#end{"statusCode": 200}'
"""A template that is not rendered on the event loop."""
_STAGE = "live"


def _uri(arn: str) -> str:
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"


def _document(
    routes: Mapping[str, Mapping[str, Any]], authorizer: Mapping[str, Any], **more: Any
) -> str:
    """An OpenAPI document: each route is a method of a path of its own."""
    header: dict[str, Any] = {"type": "apiKey", "in": "header"}
    schemes = {
        "api_key": {**header, "name": "x-api-key"},
        "mine": {
            **header,
            "name": "Authorization",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": authorizer,
        },
    }
    paths = {path: {"post": {"responses": {}, **route}} for path, route in routes.items()}
    head = {"openapi": "3.0.1", "info": {"title": "failing", "version": "1"}}
    components = {"securitySchemes": schemes, "schemas": {"Any": {"type": "string"}}}
    return json.dumps({**head, "paths": paths, "components": components, **more})


def _served_by(integration: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"x-amazon-apigateway-integration": integration, **more}


class ApiWorld:
    """An HTTP, a REST and a WebSocket API, with routes of all kinds."""

    def __init__(self, platform: FailingPlatform, backend: str, queue_url: str) -> None:
        """`backend` is the address of an HTTP server."""
        self.platform = platform
        self.v1, self.v2 = platform.client("apigateway"), platform.client("apigatewayv2")
        lambdas = platform.client("lambda")
        self._function = deploy(lambdas, "api", {"app.py": APP})["FunctionArn"]
        lambdas.publish_version(FunctionName="api")
        wait_active(lambdas, "api")
        for name in ("unread-rest", "unread-websocket"):
            # No other request reads them.
            lambdas.create_alias(FunctionName="api", Name=name, FunctionVersion="1")
        self.http = self._make_http(backend, queue_url)
        self.rest = self._make_rest(backend)
        self.websocket = self._make_websocket()

    def _make_http(self, backend: str, queue_url: str) -> str:
        function = {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": self._function,
            "payloadFormatVersion": "2.0",
        }
        server = {"type": "http_proxy", "httpMethod": "POST", "payloadFormatVersion": "1.0"}
        service = {
            "type": "aws_proxy",
            "integrationSubtype": "SQS-SendMessage",
            "payloadFormatVersion": "1.0",
            "credentials": ROLE,
            "requestParameters": {"QueueUrl": queue_url, "MessageBody": "hello"},
        }
        routes = {
            "/function": _served_by(function),
            "/authorized": _served_by(function, security=[{"mine": []}]),
            "/server": _served_by({**server, "uri": f"{backend}/any"}),
            "/stuck": _served_by({**server, "uri": f"{backend}/stuck"}),
            "/service": _served_by(service),
        }
        authorizer = {
            "type": "request",
            "authorizerUri": _uri(self._function),
            "authorizerPayloadFormatVersion": "1.0",
            "authorizerResultTtlInSeconds": 0,
            "identitySource": "$request.header.Authorization",
        }
        id: str = self.v2.import_api(Body=_document(routes, authorizer))["ApiId"]
        self.v2.create_stage(ApiId=id, StageName=_STAGE, AutoDeploy=True)
        return id

    def _make_rest(self, backend: str) -> str:
        function = {"type": "aws_proxy", "httpMethod": "POST", "uri": _uri(self._function)}
        unread = {**function, "uri": _uri(f"{self._function}:unread-rest")}
        slow = {"application/json": SLOW_TEMPLATE}
        fast = {"application/json": '{"statusCode": 200}'}
        ok = {"default": {"statusCode": "200"}}
        slow_response = {"default": {"statusCode": "200", "responseTemplates": slow}}
        mock = {"type": "mock", "requestTemplates": fast, "responses": ok}
        server = {"type": "http_proxy", "httpMethod": "POST", "uri": f"{backend}/any"}
        body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Any"}}}}
        valid = {"requestBody": body, "x-amazon-apigateway-request-validator": "all"}
        routes = {
            "/function": _served_by(function),
            "/unread": _served_by(unread),
            "/authorized": _served_by(mock, security=[{"mine": []}]),
            "/counted": _served_by(mock, security=[{"api_key": []}]),
            "/validated": _served_by(mock, **valid),
            "/slow-request": _served_by({**mock, "requestTemplates": slow}),
            "/slow-response": _served_by({**mock, "responses": slow_response}),
            "/server": _served_by(server),
        }
        authorizer = {
            "type": "token",
            "authorizerUri": _uri(self._function),
            "authorizerResultTtlInSeconds": 0,
        }
        validators = {"all": {"validateRequestBody": True, "validateRequestParameters": False}}
        more = {"x-amazon-apigateway-request-validators": validators}
        document = _document(routes, authorizer, **more)
        id: str = self.v1.import_rest_api(body=document.encode())["id"]
        self.v1.create_deployment(restApiId=id, stageName=_STAGE)
        key = self.v1.create_api_key(name="key", enabled=True)
        plan = self.v1.create_usage_plan(name="plan", apiStages=[{"apiId": id, "stage": _STAGE}])
        self.v1.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
        self.key = key["value"]
        return id

    def _make_websocket(self) -> str:
        api = {"ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
        id: str = self.v2.create_api(Name="failing", **api)["ApiId"]
        authorizer = self.v2.create_authorizer(
            ApiId=id,
            Name="mine",
            AuthorizerType="REQUEST",
            AuthorizerUri=_uri(self._function),
            IdentitySource=["route.request.header.Authorization"],
        )["AuthorizerId"]
        authorized = {"AuthorizationType": "CUSTOM", "AuthorizerId": authorizer}
        function = {"IntegrationType": "AWS_PROXY", "IntegrationUri": self._function}
        unread = {**function, "IntegrationUri": f"{self._function}:unread-websocket"}
        mapped = {
            "IntegrationType": "MOCK",
            "TemplateSelectionExpression": "mock",
            "RequestTemplates": {"mock": '{"statusCode": 200}'},
        }
        routes: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
            ("$connect", function, authorized),
            ("$disconnect", function, {}),
            ("$default", function, {}),
            ("unread", unread, {}),
            ("mapped", mapped, {}),
        ]
        for key, body, more in routes:
            integration = self.v2.create_integration(ApiId=id, **body)["IntegrationId"]
            answers = (
                {}
                if key in ("$connect", "$disconnect")
                else {"RouteResponseSelectionExpression": "$default"}
            )
            route = self.v2.create_route(
                ApiId=id, RouteKey=key, Target=f"integrations/{integration}", **more, **answers
            )
            if answers:
                self.v2.create_route_response(
                    ApiId=id, RouteId=route["RouteId"], RouteResponseKey="$default"
                )
        self.v2.create_stage(ApiId=id, StageName=_STAGE, AutoDeploy=True)
        return id

    def url(self, api: str, path: str = "") -> str:
        """The address of a path of an API."""
        return f"{self.platform.endpoint}/_lambent/api/{api}/{_STAGE}{path}"

    def post(self, url: str, body: str = "hello", **headers: str) -> tuple[int, bytes]:
        """Status and body of a response. Headers may be left out."""
        sent = {"Authorization": "me", "x-api-key": self.key, "Content-Type": "application/json"}
        request = urllib.request.Request(
            url, json.dumps(body).encode(), {**sent, **headers}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def connect(self) -> ClientConnection:
        """A client of the WebSocket API."""
        return connect(
            self.url(self.websocket).replace("http", "ws", 1),
            compression=None,
            additional_headers={"Authorization": "me"},
        )

    def change(self, api: str) -> None:
        """The API is not in memory afterwards."""
        self.v2.update_api(ApiId=api, Description=uuid.uuid4().hex)


ApiReach = Callable[[ApiWorld, str], None]
"""Makes a task of a site fail, and checks the consequences."""


def _refuses(post: Callable[[ApiWorld], tuple[int, bytes]], later: int = 200) -> ApiReach:
    """For a task that serves a request: 500 with a message, and `later` the next time."""

    def reach(apis: ApiWorld, site: str) -> None:
        with apis.platform.failing(site):
            status, body = post(apis)
        assert status == 500
        assert json.loads(body)["message"].lower() == "internal server error"
        status, body = post(apis)
        assert status == later, body

    return reach


def _http(path: str, body: str = "hello") -> ApiReach:
    return _refuses(lambda apis: apis.post(apis.url(apis.http, path), body))


def _rest(path: str, body: str = "hello") -> ApiReach:
    return _refuses(lambda apis: apis.post(apis.url(apis.rest, path), body))


def _pass_on(apis: ApiWorld, site: str) -> None:
    """A response that was begun breaks off: the client does not wait for the rest."""
    _refuses(lambda apis: apis.post(apis.url(apis.http, "/server")), 201)(apis, site)
    address = urlsplit(apis.url(apis.http, "/stuck"))
    client = http.client.HTTPConnection(address.netloc, timeout=20)
    client.request("POST", address.path)
    response = client.getresponse()
    assert response.read(5) == b"begin"
    with apis.platform.failing(site, "now"), pytest.raises((OSError, http.client.HTTPException)):
        response.read()
    client.close()


def _count(apis: ApiWorld, site: str) -> None:
    apis.v1.create_api_key(name=uuid.uuid4().hex)  # Keys are read again.
    _rest("/counted")(apis, site)


def _look_up_domain(apis: ApiWorld, site: str) -> None:
    """403: nothing is mapped to the domain."""
    certificate = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/{uuid.uuid4()}"
    name = f"{uuid.uuid4().hex}.example.org"
    apis.v2.create_domain_name(
        DomainName=name, DomainNameConfigurations=[{"CertificateArn": certificate}]
    )
    _refuses(lambda apis: apis.post(f"{apis.platform.endpoint}/", Host=name), 403)(apis, site)


def _enter(apis: ApiWorld, site: str) -> None:
    apis.change(apis.http)
    _http("/function")(apis, site)


def _shake_hands(apis: ApiWorld, site: str) -> None:
    """A client of TLS is disconnected, and the next one is not."""
    platform, tls = apis.platform, ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE

    found = re.search(r"serves TLS at ([^\s;]+)", platform.text())
    assert found is not None

    def ask() -> int:
        url = f"{found[1]}/_lambent/health"
        with urllib.request.urlopen(url, timeout=20, context=tls) as response:
            return int(response.status)

    with platform.failing(site), pytest.raises((OSError, http.client.HTTPException)):
        ask()
    assert ask() == 200


# -- WebSocket APIs --------------------------------------------------------------------------------


def _message(text: str) -> ApiReach:
    """For a task that serves a message: the client hears that it failed, and stays connected."""

    def reach(apis: ApiWorld, site: str) -> None:
        with apis.connect() as client:
            with apis.platform.failing(site):
                client.send(text)
                assert json.loads(client.recv(timeout=20))["message"] == INTERNAL_ERROR
            client.send(text)
            assert INTERNAL_ERROR not in str(client.recv(timeout=20))

    return reach


def _connect(apis: ApiWorld, site: str) -> None:
    with (
        apis.platform.failing(site),
        pytest.raises(InvalidStatus, match="500"),
        apis.connect(),
    ):
        pass
    with apis.connect():
        pass


def _disconnect(apis: ApiWorld, site: str) -> None:
    """An API that changes is read again once a second: then its clients end without a task."""
    failed = apis.platform.count("failed", site)
    apis.platform.tell("next", site)

    def ends() -> bool:
        with apis.connect():
            apis.change(apis.websocket)
        return apis.platform.count("failed", site) > failed

    wait_for(ends, f"a task of {site} fails")
    with apis.connect():
        pass


def _manage(apis: ApiWorld, site: str) -> None:
    client = apis.platform.client("apigatewaymanagementapi", endpoint_url=apis.url(apis.websocket))
    with apis.connect() as connection:
        connection.send("who")
        id = connection.recv(timeout=20)
        with apis.platform.failing(site), pytest.raises(ClientError, match="InternalFailure"):
            client.post_to_connection(ConnectionId=id, Data=LARGE)
        client.post_to_connection(ConnectionId=id, Data=LARGE)
        assert connection.recv(timeout=20) == LARGE


_REST = "triggers/apis/rest"
_HTTP = "triggers/apis/http"
_WEBSOCKET = "triggers/apis/websocket"

API_REACH: dict[str, ApiReach] = {
    "assembly/apis.py:look_up": _look_up_domain,
    "gateway/services/apigatewaymanagementapi/entrance.py:self._serve": _manage,
    "kit/http/server.py:self._take_over": _shake_hands,
    "triggers/apis/front.py:self._enter_slowly": _enter,
    f"{_HTTP}/function.py:self._respond_large": _http("/function", LARGE),
    f"{_HTTP}/function.py:self._start": _http("/function", LARGE),
    f"{_HTTP}/kind.py:self._authorize_slowly": _http("/authorized"),
    f"{_HTTP}/proxy.py:self._handle": _pass_on,
    f"{_HTTP}/service.py:self._handle": _http("/service"),
    f"{_REST}/integrations/custom.py:self._handle_slowly": _rest("/slow-request"),
    f"{_REST}/integrations/custom.py:self._respond_slowly": _rest("/slow-response"),
    f"{_REST}/integrations/functions.py:self._start": _rest("/unread"),
    f"{_REST}/integrations/http_backend.py:self._exchange": _refuses(
        lambda apis: apis.post(apis.url(apis.rest, "/server")), 201
    ),
    f"{_REST}/integrations/lambda_proxy.py:self._handle_large": _rest("/function", LARGE),
    f"{_REST}/integrations/lambda_proxy.py:self._respond_large": _rest("/function", LARGE),
    f"{_REST}/kind.py:self._authorize": _rest("/authorized"),
    f"{_REST}/kind.py:self._look_up_key": _count,
    f"{_REST}/kind.py:self._validate_large": _rest("/validated", LARGE),
    f"{_WEBSOCKET}/connecting.py:self._authorize": _connect,
    f"{_WEBSOCKET}/integrations.py:self._read_large": _message(LARGE),
    f"{_WEBSOCKET}/integrations.py:self._start": _message('{"action": "unread"}'),
    f"{_WEBSOCKET}/kind.py:self._end_slowly": _disconnect,
    f"{_WEBSOCKET}/kind.py:self._slowly": _message(LARGE),
    f"{_WEBSOCKET}/mapped.py:self._run": _message('{"action": "mapped"}'),
}
"""How each site is reached."""
