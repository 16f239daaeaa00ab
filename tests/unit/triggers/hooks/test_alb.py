"""Events and responses of load balancers."""

import json
from typing import Any

import pytest

from lambent.model.errors import ApiError
from lambent.model.invocation import FunctionFailed, Refusal, Refused, Succeeded

from .rig import SECRET, Rig

pytestmark = pytest.mark.anyio

MULTI = {"multi_value_headers": True}


def returning(result: Any) -> Succeeded:
    return Succeeded(json.dumps(result).encode())


async def test_an_event() -> None:
    """As AWS documents it: names in lower case, values of the query as they were sent, the last of
    several."""
    async with Rig("alb", secrets=()) as rig:
        rig.outcome = returning({"statusCode": 200})
        headers = {
            "X-Many": "1",
            "x-many": "2",
            "Content-Type": "text/plain",
            "X-Forwarded-For": "9",
        }
        await rig.send(b"hi", headers, method="PUT", path="/a%20b", query="q=%41&q=b+c&e")
        (event,) = rig.kept
        assert event["httpMethod"] == "PUT"
        assert event["path"] == "/a%20b"
        assert event["queryStringParameters"] == {"q": "b+c", "e": ""}
        assert event["headers"]["x-many"] == "2"
        assert event["headers"]["x-forwarded-for"] == "9, test-invoke-source-ip"
        assert event["headers"]["x-forwarded-proto"] == "https"
        assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
        assert (event["body"], event["isBase64Encoded"]) == ("hi", False)
        arn = event["requestContext"]["elb"]["targetGroupArn"]
        assert arn.startswith("arn:aws:elasticloadbalancing:us-west-2:111111111111:targetgroup/h/")
        assert "multiValueHeaders" not in event


async def test_several_values() -> None:
    """With the option, in members of other names."""
    async with Rig("alb", MULTI, secrets=()) as rig:
        rig.outcome = returning(
            {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": ""}
        )
        answer = await rig.send(b"\xff", {"X-Many": "1", "x-many": "2"}, query="q=1&q=2")
        (event,) = rig.kept
        assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
        assert event["multiValueHeaders"]["x-many"] == ["1", "2"]
        assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)
        assert not {"headers", "queryStringParameters"}.intersection(event)
        assert answer.status == 200
        assert answer.headers["set-cookie"] == "b=2"


async def test_a_proxy_is_believed_if_it_knows_the_secret() -> None:
    async with Rig("alb") as rig:
        rig.outcome = returning({"statusCode": 204})
        said = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "http"}
        assert (await rig.send(b"", said)).status == 401
        assert (await rig.send(b"", said | {"X-Lambent-Hook-Token": SECRET})).status == 204
        (event,) = rig.kept
        assert event["headers"]["x-forwarded-for"] == "1.2.3.4"
        assert event["headers"]["x-forwarded-proto"] == "http"
        assert SECRET not in json.dumps(event)


@pytest.mark.parametrize(
    ("options", "result", "status", "body"),
    [
        ({}, {"statusCode": 201, "body": "made", "headers": {"X-A": True}}, 201, b"made"),
        ({}, {"statusCode": "404", "statusDescription": "404 Not Found"}, 404, b""),
        ({}, {"statusCode": 200, "body": "aGk=", "isBase64Encoded": True}, 200, b"hi"),
        ({}, {"statusCode": 200, "body": "aGk", "isBase64Encoded": True}, 502, None),
        ({}, {"body": "x"}, 502, None),
        ({}, "text", 502, None),
        ({}, None, 502, None),
        ({}, {"statusCode": 99}, 502, None),
        ({}, {"statusCode": 1000}, 502, None),
        ({}, {"statusCode": 200, "body": {"a": 1}}, 502, None),
        ({}, {"statusCode": 200, "headers": {"X": "a\r\nY: b"}}, 502, None),
        ({}, {"statusCode": 200, "headers": {"X\r\nY": "b"}}, 502, None),
        ({}, {"statusCode": 200, "headers": ["X"]}, 502, None),
        ({}, {"statusCode": 200, "headers": {"X": ["a"]}}, 502, None),
        (MULTI, {"statusCode": 200, "multiValueHeaders": {"X": "a"}}, 502, None),
        ({}, {"statusCode": 200, "body": "x" * (1 << 20)}, 502, None),
    ],
)
async def test_responses(options: Any, result: Any, status: int, body: bytes | None) -> None:
    """What is no response of a load balancer's function is 502, and no header of its own."""
    async with Rig("alb", options, secrets=()) as rig:
        rig.outcome = returning(result)
        answer = await rig.send()
        assert answer.status == status
        assert "y" not in answer.headers
        if body is not None:
            assert answer.body == body


async def test_headers_of_the_connection_are_ours() -> None:
    async with Rig("alb", secrets=()) as rig:
        rig.outcome = returning(
            {"statusCode": 200, "headers": {"Content-Length": "5", "Connection": "close", "A": "b"}}
        )
        assert (await rig.send()).headers == {"a": "b"}


async def test_failures() -> None:
    async with Rig("alb", secrets=()) as rig:
        rig.outcome = FunctionFailed(b'{"errorMessage": "private"}', "Error")
        answer = await rig.send()
        assert (answer.status, answer.body) == (502, b"Bad Gateway")
        busy = ApiError("TooManyRequestsException", "Rate Exceeded.", status=429)
        rig.outcome = Refused(busy, Refusal.THROTTLED)
        assert (await rig.send()).status == 429
        assert (await rig.send(b"", {"Upgrade": "websocket"})).status == 400
