"""Powertools, unmodified: its resolvers route the events of every kind of API, its authorizer
helpers answer for them, and its models and data classes read every event."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.packages import package
from tests.platforms import Platform, invoke, wait_for

from .fronts import create, function_url, http_api, invocation, rest_api, websocket_api

RESOLVERS = """
from aws_lambda_powertools.event_handler import (
    APIGatewayHttpResolver, APIGatewayRestResolver, CORSConfig, LambdaFunctionUrlResolver, Response,
)
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import Router
from pydantic import BaseModel

class Order(BaseModel):
    tea: str
    count: int

router = Router()

@router.get("/orders/<number>")
def order(number: str, q: str = ""):
    if number == "0":
        raise NotFoundError("no such order")
    return {"number": number, "q": q}

@router.post("/orders")
def make(order: Order) -> Order:
    return Order(tea=order.tea.upper(), count=order.count + 1)

@router.get("/port")
def port():
    return router.current_event.headers["x-forwarded-port"]

@router.get("/picture")
def picture():
    return Response(200, "application/octet-stream", bytes(range(256)))

@router.get("/zipped", compress=True)
def zipped():
    return {"long": "a" * 1000}

def resolver(kind):
    cors = CORSConfig(allow_origin="https://shop.example", max_age=300)
    app = kind(cors=cors, enable_validation=True)
    app.include_router(router)
    return app

rest, http = resolver(APIGatewayRestResolver), resolver(APIGatewayHttpResolver)
url = resolver(LambdaFunctionUrlResolver)

def handler(event, context):
    if event.get("version") != "2.0":
        return rest.resolve(event, context)
    is_url = ".lambda-url." in event["requestContext"]["domainName"]
    return (url if is_url else http).resolve(event, context)
"""

READER = """
import json
from aws_lambda_powertools.utilities.data_classes import (
    APIGatewayProxyEvent, APIGatewayProxyEventV2, APIGatewayWebSocketEvent, LambdaFunctionUrlEvent,
)
from aws_lambda_powertools.utilities.data_classes.api_gateway_authorizer_event import (
    APIGatewayAuthorizerEventV2, APIGatewayAuthorizerRequestEvent, APIGatewayAuthorizerResponse,
    APIGatewayAuthorizerResponseV2, APIGatewayAuthorizerResponseWebSocket,
    APIGatewayAuthorizerTokenEvent,
)
from aws_lambda_powertools.utilities.parser import models, parse

seen = []

def everything(value):
    "Reads each property of a data class, and of those within it."
    if type(value).__module__.startswith("aws_lambda_powertools"):
        for name in dir(type(value)):
            if isinstance(getattr(type(value), name), property) and name not in SKIPPED:
                everything(getattr(value, name))

# A body need not be JSON; only events of HTTP APIs have the others.
SKIPPED = {"json_body", "version", "identity_source", "authorization_token"}

def read(model, data_class, event):
    parse(event, model=getattr(models, model))
    everything(data_class(event))
    seen.append(model)

def authorize(event):
    "Allows only what is called, by each helper."
    context = {"color": "red"}
    if event["type"] == "TOKEN":
        read("ApiGatewayAuthorizerToken", APIGatewayAuthorizerTokenEvent, event)
        arn = APIGatewayAuthorizerTokenEvent(event).parsed_arn
        policy = APIGatewayAuthorizerResponse.from_route_arn(
            arn.arn, principal_id="ann", context=context)
        policy.allow_route("GET", "/mine/*")
        return policy.asdict()
    if event.get("version") == "2.0":
        read("ApiGatewayAuthorizerRequestV2", APIGatewayAuthorizerEventV2, event)
        is_open = APIGatewayAuthorizerEventV2(event).get_header_value("x-door") == "open"
        return APIGatewayAuthorizerResponseV2(authorize=is_open, context=context).asdict()
    arn = event["methodArn"]
    if event["requestContext"].get("eventType") == "CONNECT":
        is_open = event["queryStringParameters"]["door"] == "open"
        policy = APIGatewayAuthorizerResponseWebSocket.from_route_arn(
            arn, principal_id="ann", context=context)
        policy.allow_all_routes() if is_open else policy.deny_all_routes()
        return policy.asdict()
    if event.get("version") == "1.0":  # HTTP APIs: the model wants members of REST APIs.
        everything(APIGatewayAuthorizerRequestEvent(event))
        seen.append("1.0")
    else:
        read("ApiGatewayAuthorizerRequest", APIGatewayAuthorizerRequestEvent, event)
    policy = APIGatewayAuthorizerResponse.from_route_arn(arn, principal_id="ann", context=context)
    policy.allow_route("GET", "/mine/*")
    return policy.asdict()

def websocket(event):
    kind = event["requestContext"]["eventType"].title()
    read(f"APIGatewayWebSocket{kind}EventModel", APIGatewayWebSocketEvent, event)
    return {"statusCode": 200}

def handler(event, context):
    if event == "seen":
        return seen
    if "type" in event:
        return authorize(event)
    request = event["requestContext"]
    if "eventType" in request:
        return websocket(event)
    if event.get("version") == "2.0":
        if ".lambda-url." in request["domainName"]:
            read("LambdaFunctionUrlModel", LambdaFunctionUrlEvent, event)
            return {}
        read("APIGatewayProxyEventV2Model", APIGatewayProxyEventV2, event)
    else:
        read("APIGatewayProxyEventModel", APIGatewayProxyEvent, event)
    return {"statusCode": 200, "body": json.dumps(request.get("authorizer"))}
"""


def test_resolvers(platform: Platform, browser: requests.Session) -> None:
    """Routes, validation, errors, binary and compressed responses, CORS: the same at each door."""
    arn = create(platform, "resolvers", package("powertools", RESOLVERS))
    doors = [
        rest_api(platform, arn),
        http_api(platform, arn),
        http_api(platform, arn, "1.0"),
        function_url(platform, "resolvers"),
    ]
    for url in doors:
        order = browser.get(f"{url}/orders/7?q=x", timeout=60)
        assert order.json() == {"number": "7", "q": "x"}, url
        missing = browser.get(f"{url}/orders/0", timeout=60)
        assert (missing.status_code, missing.json()["message"]) == (404, "no such order")
        made = browser.post(f"{url}/orders", json={"tea": "green", "count": 1}, timeout=60)
        assert made.json() == {"tea": "GREEN", "count": 2}, url
        wrong = browser.post(f"{url}/orders", json={"tea": "green"}, timeout=60)
        assert (wrong.status_code, wrong.json()["detail"][0]["type"]) == (422, "missing")
        port = browser.get(f"{url}/port", timeout=60)
        assert port.text == str(urlsplit(url).port), url
        picture = browser.get(f"{url}/picture", timeout=60)
        assert picture.content == bytes(range(256)), url
        zipped = browser.get(f"{url}/zipped", timeout=60)
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.json() == {"long": "a" * 1000}
        origin = {"Origin": "https://shop.example"}
        allowed = browser.get(f"{url}/orders/7", headers=origin, timeout=60)
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example"


@pytest.fixture(scope="module")
def reader(platform: Platform) -> str:
    """The ARN of a function that reads every event, and is every authorizer."""
    return create(platform, "reader", package("powertools", READER))


@pytest.fixture
def seen(platform: Platform, reader: str) -> Any:
    """Returns the models that have read an event in the environment that is warm."""
    return lambda: set(invoke(platform.client("lambda"), "reader", "seen")[0])


def test_rest_apis(platform: Platform, browser: requests.Session, reader: str, seen: Any) -> None:
    """Their events, and those of both kinds of authorizers, whose helpers allow some paths."""
    door = {"authorizerUri": invocation(reader)}
    token = {"type": "TOKEN", "identitySource": "method.request.header.Authorization"}
    request = {"type": "REQUEST", "identitySource": "method.request.header.X-Door"}
    for kind in (token, request):
        url = rest_api(platform, reader, **door, **kind)
        headers = {"Authorization": "any", "X-Door": "any"}
        mine = browser.get(f"{url}/mine/a?q=1&q=2", headers=headers, timeout=60)
        assert mine.json()["color"] == "red"
        assert mine.json()["principalId"] == "ann"
        assert browser.get(f"{url}/yours", headers=headers, timeout=60).status_code == 403
        assert browser.get(f"{url}/mine/a", timeout=60).status_code == 401
    assert seen() >= {
        "APIGatewayProxyEventModel",
        "ApiGatewayAuthorizerToken",
        "ApiGatewayAuthorizerRequest",
    }


def test_http_apis(platform: Platform, browser: requests.Session, reader: str, seen: Any) -> None:
    """Both payload formats, of events and of authorizers."""
    for payload_format in ("1.0", "2.0"):
        url = http_api(platform, reader, payload_format, route="ANY /{proxy+}")
        protect(platform, reader, url, payload_format)
        headers = {"X-Door": "open", "Cookie": "a=b"}
        mine = browser.get(f"{url}/mine/a?q=1&q=2", headers=headers, timeout=60)
        assert mine.status_code == 200, mine.text
        found = mine.json()
        assert (found if payload_format == "1.0" else found["lambda"])["color"] == "red"
        assert browser.get(f"{url}/mine/a", timeout=60).status_code == 401
    shut = browser.get(f"{url}/mine/a?q=1", headers=headers | {"X-Door": "shut"}, timeout=60)
    assert shut.status_code == 403
    direct = f"{function_url(platform, 'reader')}/a?b=c"
    assert browser.get(direct, headers={"Cookie": "a=b"}, timeout=60).status_code == 200
    assert seen() >= {
        "APIGatewayProxyEventModel",
        "APIGatewayProxyEventV2Model",
        "1.0",
        "ApiGatewayAuthorizerRequestV2",
        "LambdaFunctionUrlModel",
    }


def protect(platform: Platform, arn: str, url: str, payload_format: str) -> None:
    """Let the only route of an HTTP API ask an authorizer."""
    v2 = platform.client("apigatewayv2")
    api_id = url.removeprefix("http://").partition(".")[0]
    is_new = {"EnableSimpleResponses": True} if payload_format == "2.0" else {}
    authorizer = v2.create_authorizer(
        ApiId=api_id,
        Name="door",
        AuthorizerType="REQUEST",
        AuthorizerUri=invocation(arn),
        AuthorizerPayloadFormatVersion=payload_format,
        IdentitySource=["$request.header.X-Door"],
        **is_new,
    )["AuthorizerId"]
    (route,) = v2.get_routes(ApiId=api_id)["Items"]
    v2.update_route(
        ApiId=api_id,
        RouteId=route["RouteId"],
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer,
    )


def test_websocket_apis(platform: Platform, reader: str, seen: Any) -> None:
    """The three kinds of events, behind an authorizer."""
    address = websocket_api(
        platform,
        reader,
        AuthorizerUri=invocation(reader),
        IdentitySource=["route.request.querystring.door"],
    )
    for door, status in (("?door=shut", 403), ("", 401)):
        with pytest.raises(InvalidStatus) as refused, connect(f"{address}{door}"):
            pass
        assert refused.value.response.status_code == status
    with connect(f"{address}?door=open", compression=None) as client:
        client.send(json.dumps({"action": "any"}))
    kinds = {f"APIGatewayWebSocket{kind}EventModel" for kind in ("Connect", "Message")}
    kinds.add("APIGatewayWebSocketDisconnectEventModel")
    wait_for(lambda: seen() >= kinds, "all kinds of events were read")
