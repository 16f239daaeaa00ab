"""Hooks with a token, and what a function and a bus get of a request."""

import json

import pytest

from lambent.model.errors import ApiError
from lambent.model.invocation import FunctionFailed, Refused, Succeeded, TimedOut

from .rig import BEARER, SECRET, Rig

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("place", "headers", "query", "left"),
    [
        ("bearer", BEARER, "a=1", "a=1"),
        ("header:X-Gitlab-Token", {"X-Gitlab-Token": SECRET}, "", ""),
        ("query:key", {}, f"a=%20&key={SECRET}&b", "a=%20&b"),
    ],
)
async def test_the_function_does_not_get_the_token(
    place: str, headers: dict[str, str], query: str, left: str
) -> None:
    """It gets the request as a function URL's, without the secret."""
    async with Rig("token", {"token_in": place}) as rig:
        sent = {**headers, "X-Kind": "push", "Content-Type": "application/json"}
        assert (await rig.send({"a": 1}, sent, query=query, path="/x%20y")).status == 202
        (event,) = rig.kept
        assert SECRET not in json.dumps(event)
        assert event["version"] == "2.0"
        assert event["rawPath"] == "/x%20y"
        assert event["rawQueryString"] == left
        assert event["headers"]["x-kind"] == "push"
        assert event["body"] == '{"a": 1}'
        assert event["requestContext"]["http"]["method"] == "POST"
        assert event["requestContext"]["apiId"] == "h"
        for wrong in (
            {name: value + "x" for name, value in headers.items()},
            {"Authorization": SECRET},
            {"X-Other": SECRET},
        ):
            assert (await rig.send(b"", wrong, query="a=1")).status == 401


async def test_callers_that_wait() -> None:
    """They get the response as from a function URL."""
    async with Rig("token", is_synchronous=True) as rig:
        for outcome, status, body in (
            (Succeeded(b'{"statusCode": 418, "body": "tea"}'), 418, b"tea"),
            (Succeeded(b'{"a":1}'), 200, b'{"a":1}'),
            (Succeeded(b'{"statusCode": 200, "headers": {"a": "b\\r\\nc: d"}}'), 502, None),
            (FunctionFailed(b'{"errorMessage": "private"}', "Error"), 502, None),
            (TimedOut(b"{}"), 504, None),
            (Refused(ApiError("TooManyRequestsException", "", status=429)), 429, None),
            (Refused(ApiError("AccessDeniedException", "", status=403)), 502, None),
        ):
            rig.outcome = outcome
            answer = await rig.send(b"", BEARER, method="GET")
            assert answer.status == status
            assert b"private" not in answer.body
            assert body is None or answer.body == body


async def test_a_bus_gets_the_body() -> None:
    """If it is an object of JSON."""
    options = {"source": "shop", "detail_type": "order"}
    async with Rig("token", options, is_bus=True) as rig:
        assert (await rig.send({"id": 1}, BEARER)).status == 202
        assert rig.entries == [{"Source": "shop", "DetailType": "order", "Detail": '{"id": 1}'}]
        for body in (b"x", b"[]", b'"a"'):
            assert (await rig.send(body, BEARER)).status == 400
        assert (await rig.send({}, BEARER, method="GET")).status == 405


@pytest.mark.parametrize(
    ("scheme", "headers", "body", "expected"),
    [
        ("gitlab", {"X-Gitlab-Event": "Push Hook"}, {}, "Push Hook"),
        ("gitlab", {}, {}, "Webhook"),
        ("gitlab", {"X-Gitlab-Event": "x" * 500}, {}, "x" * 128),
    ],
)
async def test_types_of_events(
    scheme: str, headers: dict[str, str], body: object, expected: str
) -> None:
    """The detail-type is what the sender calls its event."""
    async with Rig("hmac", {"scheme": scheme}, is_bus=True) as rig:
        assert (await rig.send(body, {"X-Gitlab-Token": SECRET, **headers})).status == 202
        assert rig.entries[0]["DetailType"] == expected
        assert rig.entries[0]["Source"] == "hook.h"
