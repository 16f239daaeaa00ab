"""APIs with routes to every place where their front doors start a task."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from tests.platforms import ROLE, deploy, wait_active

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
        self.rest = self._make_rest(backend, queue_url)
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

    def _make_rest(self, backend: str, queue_url: str) -> str:
        function = {"type": "aws_proxy", "httpMethod": "POST", "uri": _uri(self._function)}
        unread = {**function, "uri": _uri(f"{self._function}:unread-rest")}
        slow = {"application/json": SLOW_TEMPLATE}
        fast = {"application/json": '{"statusCode": 200}'}
        ok = {"default": {"statusCode": "200"}}
        slow_response = {"default": {"statusCode": "200", "responseTemplates": slow}}
        mock = {"type": "mock", "requestTemplates": fast, "responses": ok}
        server = {"type": "http_proxy", "httpMethod": "POST", "uri": f"{backend}/any"}
        request = "integration.request.header"
        kept = {
            "type": "aws",
            "httpMethod": "POST",
            "uri": _uri(self._function),
            "requestParameters": {f"{request}.X-Amz-Invocation-Type": "'Event'"},
            "requestTemplates": {"application/json": '{"body": "hello"}'},
            "responses": ok,
        }
        form = "'application/x-www-form-urlencoded'"
        message = "Action=SendMessage&MessageBody=hello"
        queue = {
            **kept,
            "uri": f"arn:aws:apigateway:us-east-1:sqs:path{urlsplit(queue_url).path}",
            "credentials": ROLE,
            "requestParameters": {f"{request}.Content-Type": form},
            "requestTemplates": {"application/json": message},
        }
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
            "/streamed": _served_by({**server, "responseTransferMode": "STREAM"}),
            "/kept": _served_by(kept),
            "/queue": _served_by(queue),
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
        self.key, self.plan = key["value"], plan["id"]
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

    def requests_of_key(self) -> int:
        """How many requests of the key are in the database."""
        today = time.strftime("%Y-%m-%d", time.gmtime())
        usage = self.v1.get_usage(usagePlanId=self.plan, startDate=today, endDate=today)
        return sum(used for days in usage["items"].values() for used, _ in days)

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
