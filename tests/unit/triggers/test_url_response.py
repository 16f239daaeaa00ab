"""Answers of function URLs."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.triggers.url_response import (
    FAILED,
    STREAM_TYPE,
    UrlResponse,
    read_buffered,
    read_stream,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=10,
)
PROXY = st.fixed_dictionaries(
    {"statusCode": JSON | st.integers(100, 700)},
    optional={
        "headers": st.dictionaries(st.text(max_size=10), JSON, max_size=3) | JSON,
        "cookies": st.lists(JSON, max_size=3) | JSON,
        "body": JSON,
        "isBase64Encoded": JSON,
    },
)


def check(headers: list[tuple[str, str]]) -> None:
    """Nothing in them could end a header, or say where the body ends."""
    for name, value in headers:
        (name + value).encode("latin-1")
        assert not set("\r\n\0") & set(name + value)
        assert name.lower() not in ("content-length", "transfer-encoding", "connection")


@given(result=PROXY | JSON)
def test_whatever_a_function_returns_can_be_sent(result: Any) -> None:
    """As HTTP, or as 502."""
    response = read_buffered(json.dumps(result).encode())
    assert 200 <= response.status <= 599
    check(response.headers)


@given(payload=st.binary(max_size=100), is_prelude=st.booleans())
def test_whatever_a_function_streams_can_be_sent(payload: bytes, is_prelude: bool) -> None:
    """With and without a prelude."""
    response = read_stream(payload, STREAM_TYPE if is_prelude else "text/plain") or FAILED
    assert 200 <= response.status <= 599
    check(response.headers)
    assert read_buffered(payload).status == 200


def stream(prelude: Any, body: bytes) -> bytes:
    return json.dumps(prelude).encode() + b"\0" * 8 + body


def test_preludes() -> None:
    """Status, headers and cookies first, then eight NULs, then the body as it is."""
    response = read_stream(
        stream({"statusCode": 201, "headers": {"X-A": "b"}, "cookies": ["c=d"]}, b"\0body\0\0"),
        STREAM_TYPE,
    )
    assert response is not None
    assert (response.status, response.body) == (201, b"\0body\0\0")
    assert ("X-A", "b") in response.headers
    assert ("Set-Cookie", "c=d") in response.headers
    assert ("Content-Type", "application/octet-stream") in response.headers
    assert (read_stream(stream({}, b""), STREAM_TYPE) or FAILED).status == 200


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("text/html; charset=utf-8", "text/html; charset=utf-8"),
        ("", "application/octet-stream"),
        (STREAM_TYPE, "application/octet-stream"),
        ("text/html\r\nX-Evil: 1", "application/octet-stream"),
    ],
)
def test_what_has_no_prelude_has_the_runtimes_type(sent: str, answered: str) -> None:
    """A stream without a byte has none either, and is an empty answer."""
    assert read_stream(b"", sent) == UrlResponse(200, [("Content-Type", answered)], b"")


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"{" + b"\0" * 8,
        stream([], b""),
        stream({"statusCode": 99}, b""),
        stream({"headers": {"a": "b\r\nc: d"}}, b""),
        b" " * 20_000 + stream({"statusCode": 200}, b""),
    ],
)
def test_preludes_that_are_none(payload: bytes) -> None:
    """502: there is no telling what the function meant."""
    assert read_stream(payload, STREAM_TYPE) is None
