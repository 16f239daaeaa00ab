"""What functions at the edge get and return; nothing that they return is trusted."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.triggers.edge import function_events, lambda_events, lambda_results
from lambent.triggers.edge.distribution import Origin
from lambent.triggers.edge.errors import EdgeFailure
from lambent.triggers.edge.function_events import InvalidResult
from lambent.triggers.edge.messages import HeaderItems
from lambent.triggers.edge.origin_changes import changed_origin
from tests.unit.triggers.edge.requests import request

pytestmark = pytest.mark.anyio
HEADERS = [("Host", "cdn.example.com"), ("X-A", "1"), ("X-Edge-Secret", "kept")]


def returned(**members: Any) -> dict[str, Any]:
    """A request as a function returns it, unchanged but for some members."""
    described = lambda_events.describe_request(request(), HEADERS, "q=1")
    return {**described, **members}


def read(
    result: Any, kind: str = "viewer-request", before: HeaderItems = HEADERS, **more: Any
) -> Any:
    return lambda_results.read_request_result(
        json.dumps(result).encode(), kind, "GET", before, **more
    )


def test_a_request_that_nothing_was_changed_of() -> None:
    assert read(returned()) == ("/a", "q=1", HEADERS, None, None)


def test_headers_that_functions_do_not_see_stay() -> None:
    described = lambda_events.describe_headers(HEADERS)
    assert set(described) == {"host", "x-a"}
    changed = read(returned(headers={"host": described["host"], "x-b": [{"value": "2"}]}))
    assert changed.headers == [
        ("Host", "cdn.example.com"),
        ("X-B", "2"),
        ("X-Edge-Secret", "kept"),
    ]


HOST = {"host": [{"key": "Host", "value": "cdn.example.com"}]}


@pytest.mark.parametrize(
    "result",
    [
        *(None, [], "x", 1, {}),
        returned(uri="a"),
        returned(uri="/a b"),
        returned(uri="/a#b"),
        returned(uri="/a?b"),
        returned(uri="/a\r\nX: y"),
        returned(uri="/" + "a" * 9000),
        returned(uri=None),
        returned(querystring="a b"),
        returned(querystring="a#b"),
        returned(querystring=1),
        returned(method="POST"),
        returned(headers=[]),
        returned(headers={}),
        returned(headers={"host": [{"key": "Host", "value": "other.example.com"}]}),
        *(
            returned(headers={**HOST, name: [{"value": "x"}]})
            for name in (
                *("connection", "upgrade", "x-cache", "x-edge-a", "x-amz-cf-a", "x-real-ip"),
                *("via", "content-length", "transfer-encoding", "bad name", "bad\r\nname", ""),
            )
        ),
        returned(headers={**HOST, "x": [{"key": "Y", "value": "x"}]}),
        returned(headers={**HOST, "x": [{"value": "a\r\nSet-Cookie: b"}]}),
        returned(headers={**HOST, "x": [{"value": "a\0"}]}),
        returned(headers={**HOST, "x": [{"value": ["a"]}]}),
        returned(headers={**HOST, "x": ["a"]}),
        returned(headers={**HOST, "x": "a"}),
        returned(body={"action": "replace", "data": "x", "encoding": "hex"}),
        returned(body={"action": "replace", "data": "!", "encoding": "base64"}),
        returned(body={"action": "replace", "data": "x" * 41_000, "encoding": "text"}),
        returned(body={"action": "replace", "data": 1}),
        *({"status": status} for status in ("99", "600", "abc", "2xx", "", None, True, [])),
        {"status": "204", "body": "x"},
        {"status": "200", "body": 1},
        {"status": "200", "body": "!", "bodyEncoding": "base64"},
        {"status": "200", "body": "x" * 41_000},
        {"status": "200", "headers": {"x": [{"value": "a\nb"}]}},
        {"status": "200", "headers": {"via": [{"value": "a"}]}},
    ],
)
def test_results_that_are_not_valid(result: Any) -> None:
    with pytest.raises(EdgeFailure, match="failed validation") as caught:
        read(result)
    assert (caught.value.status, caught.value.cache) == (502, "LambdaValidationError")


async def test_an_error_page_is_no_page_of_the_viewers() -> None:
    """A reason may quote a name that a function has taken from the request."""
    with pytest.raises(EdgeFailure) as caught:
        read(returned(headers={**HOST, "<script>alert(1)</script>": [{"value": "x"}]}))
    page = await caught.value.answer("id").content.read()
    assert b"<script>" not in page
    assert b"&lt;script&gt;" in page


@pytest.mark.parametrize("payload", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_results_that_are_no_json(payload: bytes) -> None:
    with pytest.raises(EdgeFailure, match="failed validation"):
        lambda_results.read_request_result(payload, "viewer-request", "GET", HEADERS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["status", "headers", "uri", "host", "body", "origin", "custom", "value"]
                )
                | st.text(max_size=4),
                below,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_result_is_valid_or_refused(result: Any) -> None:
    payload = json.dumps(result).encode()
    for kind in ("viewer-request", "origin-request"):
        try:
            lambda_results.read_request_result(payload, kind, "GET", HEADERS, {"s3": {}})
        except EdgeFailure:
            pass
    try:
        lambda_results.read_response_result(payload, "viewer-response", HEADERS)
    except EdgeFailure:
        pass
    for kind in ("viewer-request", "viewer-response"):
        try:
            function_events.read_result(result, kind, "GET", HEADERS)
        except InvalidResult:
            pass
    if isinstance(result, dict) and len(result) == 1:
        try:
            changed_origin(result, Origin(domain="a.example.com"))
        except EdgeFailure:
            pass


def test_larger_responses_are_for_origin_events() -> None:
    result = {"status": 200, "body": base64.b64encode(b"x" * 500_000).decode()}
    made = read({**result, "bodyEncoding": "base64"}, "origin-request")
    assert (made.status, len(made.body)) == (200, 500_000)
    with pytest.raises(EdgeFailure, match="maximum size"):
        read({"status": 200, "body": "x" * 1_100_000}, "origin-request")


def test_bodies_are_cut_for_functions() -> None:
    described = lambda_events.describe_body(b"x" * 41_000, "viewer-request")
    assert (described["inputTruncated"], described["encoding"]) == (True, "base64")
    assert base64.b64decode(described["data"]) == b"x" * 40_960
    assert not lambda_events.describe_body(b"x" * 41_000, "origin-request")["inputTruncated"]


def test_an_origin_that_a_function_names() -> None:
    before = Origin(id="a", domain="a.example.com", signs="always")
    described = lambda_events.describe_origin(before, is_secure=True)
    assert described["custom"]["protocol"] == "https"
    custom = {**described["custom"], "domainName": "b.example.com", "port": 8080}
    custom["customHeaders"] = {"x-key": [{"key": "X-Key", "value": "1"}]}
    changed = read(returned(origin={"custom": custom}), "origin-request", origin=described)
    made = changed_origin(changed.origin, before)
    assert (made.domain, made.https_port, made.headers) == (
        "b.example.com",
        8080,
        (("x-key", "1"),),
    )
    assert made.signs == "never"
    assert read(returned(origin=described), "origin-request", origin=described).origin is None


@pytest.mark.parametrize(
    "change",
    [
        {"domainName": "127.0.0.1"},
        {"domainName": "[::1]"},
        {"domainName": "a.example.com:80"},
        {"domainName": "a.example.com/x"},
        {"domainName": "user@a.example.com"},
        {"domainName": ""},
        {"domainName": "1.2"},
        {"path": "x"},
        {"path": "/x/"},
        {"path": "/x?y"},
        {"port": 22},
        {"port": "443"},
        {"protocol": "ftp"},
        {"readTimeout": 0},
        {"readTimeout": 10_000},
        {"customHeaders": []},
        {"customHeaders": {"host": [{"value": "x"}]}},
        {"customHeaders": {"x": [{"value": "a\r\nb"}]}},
        {"customHeaders": {"x": "a"}},
    ],
)
def test_origins_that_are_refused(change: dict[str, Any]) -> None:
    before = Origin(domain="a.example.com")
    custom = {**lambda_events.describe_origin(before, is_secure=True)["custom"], **change}
    with pytest.raises(EdgeFailure, match="failed validation"):
        changed_origin({"custom": custom}, before)


def test_the_event_of_a_cloudfront_function() -> None:
    from lambent.triggers.edge.distribution import Distribution

    distribution = Distribution(
        id="E" + "A" * 13,
        account="1" * 12,  # type: ignore[arg-type]
        domain="d.cloudfront.localhost",
        is_enabled=True,
        root_object="",
        behaviors=(),
        default=None,  # type: ignore[arg-type]
        error_pages={},
        error_ttls={},
    )
    viewer = request(
        query="a=1&b&a=2",
        headers=[("Accept", "x"), ("accept", "y"), ("Cookie", "s=1; t=2"), ("X-Edge-A", "hidden")],
    )
    headers = [("Set-Cookie", "c=1; Path=/; Secure"), ("Server", "x")]
    event = function_events.make_event(distribution, "viewer-response", viewer, (200, headers))
    assert event["request"]["querystring"] == {
        "a": {"value": "1", "multiValue": [{"value": "1"}, {"value": "2"}]},
        "b": {"value": ""},
    }
    assert event["request"]["headers"] == {
        "accept": {"value": "x", "multiValue": [{"value": "x"}, {"value": "y"}]}
    }
    assert event["request"]["cookies"] == {"s": {"value": "1"}, "t": {"value": "2"}}
    assert event["response"]["cookies"] == {"c": {"value": "1", "attributes": "Path=/; Secure"}}
    assert event["response"]["headers"] == {"server": {"value": "x"}}
    result = function_events.read_result(event["response"], "viewer-response", "GET", headers)
    assert result == (200, [("Server", "x"), ("Set-Cookie", "c=1; Path=/; Secure")], None)
    changed = function_events.read_result(event["request"], "viewer-request", "GET", viewer.headers)
    assert (changed.uri, changed.query) == ("/a", "a=1&a=2&b")  # type: ignore[union-attr]
    assert ("Cookie", "s=1; t=2") in changed.headers
    assert ("X-Edge-A", "hidden") in changed.headers


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "x"},
        {"uri": "/a b"},
        {"method": "PUT"},
        {"querystring": {"a b": {"value": "1"}}},
        {"querystring": {"a": {"value": "1&b=2"}}},
        {"querystring": {"a": "1"}},
        {"headers": {"Host": {"value": "x"}}},
        {"headers": {"x-cache": {"value": "x"}}},
        {"headers": {"x": {"value": "a\r\nb"}}},
        {"headers": {"x": {"value": ["a"]}}},
        {"headers": {"cookie": {"value": "a=1"}}},
        {"cookies": {"a": {"value": "1; b=2"}}},
        {"cookies": {"a=b;c": {"value": "1"}}},
        {"statusCode": "200"},
        {"statusCode": 99},
        {"statusCode": True},
        {"statusCode": 200, "body": 1},
        {"statusCode": 200, "body": "x" * 41_000},
        {"statusCode": 200, "body": {"encoding": "base64", "data": "!"}},
        {"statusCode": 200, "cookies": {"a": {"value": "1", "attributes": "x\r\ny"}}},
    ],
)
def test_results_of_cloudfront_functions_that_are_not_valid(change: dict[str, Any]) -> None:
    result = {"method": "GET", "uri": "/a", "querystring": {}, "headers": {}, "cookies": {}}
    with pytest.raises(InvalidResult):
        function_events.read_result({**result, **change}, "viewer-request", "GET", [])
