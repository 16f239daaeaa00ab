"""Rules of REST APIs that need no requests."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.usage import period_start
from lambent.triggers.apis.rest.binary import (
    UndecodableError,
    converted_request,
    converted_response,
    is_binary,
)
from lambent.triggers.apis.rest.gateway_responses import GatewayError, gateway_response
from lambent.triggers.apis.rest.integrations.mock import read_status
from lambent.triggers.apis.rest.routes import Routes
from lambent.triggers.apis.rest.usage import ApiKey


@pytest.mark.parametrize(
    ("type", "status", "body"),
    [
        ("ACCESS_DENIED", 403, '{"Message":"User is not authorized to access this resource"}'),
        ("API_CONFIGURATION_ERROR", 500, '{"message": "Internal server error"}'),
        ("AUTHORIZER_CONFIGURATION_ERROR", 500, '{"message": null}'),
        ("AUTHORIZER_FAILURE", 500, '{"message":null}'),
        ("BAD_REQUEST_BODY", 400, '{"message": "Invalid request body"}'),
        (
            "EXPIRED_TOKEN",
            403,
            '{"message":"The security token included in the request is expired"}',
        ),
        ("INTEGRATION_FAILURE", 500, '{"message":"Internal server error"}'),
        ("INTEGRATION_TIMEOUT", 504, '{"message":"Endpoint request timed out"}'),
        ("INVALID_API_KEY", 403, '{"message":"Forbidden"}'),
        ("MISSING_AUTHENTICATION_TOKEN", 403, '{"message":"Missing Authentication Token"}'),
        ("QUOTA_EXCEEDED", 429, '{"message":"Limit Exceeded"}'),
        ("THROTTLED", 429, '{"message":"Too Many Requests"}'),
        ("UNAUTHORIZED", 401, '{"message":"Unauthorized"}'),
        ("UNSUPPORTED_MEDIA_TYPE", 415, '{"message":"Unsupported Media Type"}'),
        ("WAF_FILTERED", 403, '{"message":"Forbidden"}'),
    ],
)
def test_gateway_responses_by_default(type: str, status: int, body: str) -> None:
    """As they were recorded or measured, with the blank that some have."""
    error = GatewayError(type)
    response = gateway_response(error, {}, None, lambda _: error.message_string)
    assert (response.status, response.body.decode()) == (status, body)


@pytest.mark.parametrize(
    ("media_type", "types", "expected"),
    [
        ("image/png", ["image/png"], True),
        ("image/png", ["image/*"], True),
        ("image/png", ["*/*"], True),
        ("image/png", [], False),
        ("image/png", ["image/jpeg"], False),
        ("*/*", ["image/png"], False),
        ("*/*", ["*/*"], True),
        ("", ["*/*"], False),
    ],
)
def test_binary_types(media_type: str, types: list[str], expected: bool) -> None:
    """Patterns stand for types; a request's `*/*` stands for none."""
    assert is_binary(media_type, types) is expected


def test_content_handling() -> None:
    """AWS's tables for requests and responses: bytes and text, each converted or not."""
    assert converted_request(b"hi", True, None) == b"hi"
    assert converted_request(b"hi", True, "CONVERT_TO_TEXT") == b"aGk="
    assert converted_request(b"hi", True, "CONVERT_TO_BINARY") == b"hi"
    assert converted_request(b"aGk=", False, "CONVERT_TO_BINARY") == b"hi"
    assert converted_request(b"hi", False, "CONVERT_TO_TEXT") == b"hi"
    assert converted_response(b"aGk=", False, True, None) == b"hi"
    assert converted_response(b"hi", False, False, None) == b"hi"
    assert converted_response(b"hi", True, False, None) == b"aGk="
    assert converted_response(b"hi", True, True, None) == b"hi"
    assert converted_response(b"hi", True, True, "CONVERT_TO_TEXT") == b"aGk="
    assert converted_response(b"aGk=", False, False, "CONVERT_TO_BINARY") == b"hi"
    with pytest.raises(UndecodableError):
        converted_response(b"%", False, True, None)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b'{"statusCode": 200}', 200),
        (b'{"statusCode": "204"}', 204),
        (b'{"statusCode": 200,}', 200),
        (b"{statusCode: 200}", 200),
        (b"{'statusCode': 404, 'a': $}", 404),
        (b"", None),
        (b"{}", None),
        (b'{"statusCode": 20000}', None),
        (b'{"statusCode": null}', None),
        (b"[" * 100_000, None),
    ],
)
def test_the_status_of_a_mock(text: bytes, status: int | None) -> None:
    """JSON is read loosely."""
    assert read_status(text) == status


@given(
    st.sampled_from(["DAY", "WEEK", "MONTH"]),
    st.integers(0, 27),
    st.dates(datetime.date(1990, 1, 1), datetime.date(2100, 1, 1)),
)
def test_a_period_contains_its_day(period: str, offset: int, day: datetime.date) -> None:
    """It starts on or before the day, and the period after it starts later."""
    offset = {"DAY": 0, "WEEK": offset % 7, "MONTH": offset}[period]
    start = period_start(period, offset, day)
    longest = {"DAY": 1, "WEEK": 7, "MONTH": 31}[period]
    assert start <= day < start + datetime.timedelta(days=longest)
    assert period_start(period, offset, start) == start
    if period == "MONTH":
        assert start.day == offset + 1
    if period == "WEEK":
        assert start.isoweekday() % 7 == offset  # 0 is Sunday.


def test_the_value_of_a_key_is_not_shown() -> None:
    """A value in a log would be no secret."""
    assert "secret" not in repr(ApiKey("id", "secret", True, ()))


@given(st.lists(st.sampled_from(["a", "b", "", "%2F", "..", "{x}"]), max_size=6), st.booleans())
def test_any_path_finds_something_or_nothing(parts: list[str], has_slash: bool) -> None:
    """And the greedy resource takes what no other does."""
    routes = Routes([("/a/{x}", "GET", "x"), ("/{p+}", "GET", "p"), ("/", "GET", "root")])
    path = "/" + "/".join(parts) + ("/" if has_slash else "")
    found = routes.find("GET", path)
    assert found is not None
    assert found.variables.get("p") in (None, path.strip("/"))
