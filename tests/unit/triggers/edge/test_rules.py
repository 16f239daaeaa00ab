"""Pure rules of the edge: patterns, selections, lifetimes, headers of responses."""

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.cloudfront.managed import MANAGED
from lambent.model.cloudfront.names import RESPONSE_HEADERS_POLICY
from lambent.triggers.edge.cache import invalidation
from lambent.triggers.edge.lifetimes import Ttls, lifetime
from lambent.triggers.edge.response_headers import ResponseHeaders
from lambent.triggers.edge.selection import (
    Encodings,
    PathPattern,
    Selection,
    made_headers,
    normal_path,
)
from tests.unit.triggers.edge.requests import request


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.jpg", "/a/b.jpg", True),
        ("*.jpg", "/a/b.JPG", False),
        ("images/*", "/images/x/y", True),
        ("/images/*", "/images", False),
        ("/a?c", "/abc", True),
        ("/a?c", "/ac", False),
        ("/*/b/*/d", "/a/b/c/d", True),
        ("/*/b/*/d", "/a/b/d", False),
        ("/a*a", "/a", False),
        ("/a*a", "/aa", True),
        ("*", "/anything", True),
        ("/a.c", "/abc", False),
    ],
)
def test_path_patterns(pattern: str, path: str, expected: bool) -> None:
    assert PathPattern(pattern).matches(path) is expected


@given(st.text("ab*?/", min_size=1, max_size=8), st.text("ab/", max_size=12))
def test_a_pattern_is_what_its_regular_expression_is(pattern: str, path: str) -> None:
    text = pattern if pattern.startswith(("/", "*")) else f"/{pattern}"
    expression = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in text)
    assert PathPattern(pattern).matches(path) == bool(re.fullmatch(expression, path, re.S))


def test_no_pattern_takes_long() -> None:
    """A regular expression with as many wildcards would take longer than anyone waits."""
    pattern, path = PathPattern("/" + "*a" * 120 + "b"), "/" + "a" * 8000
    began = time.process_time()
    assert not pattern.matches(path)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../b", "/b"),
        ("/a//b/", "/a/b/"),
        ("/a/%2e%2E/b", "/b"),
        ("/.", "/"),
        ("/a/.b", "/a/.b"),
    ],
)
def test_normal_paths(path: str, expected: str) -> None:
    assert normal_path(path) == expected


def test_selections() -> None:
    some, rest = Selection("whitelist", frozenset({"a"})), Selection("allExcept", frozenset({"a"}))
    assert some.of_query("b=1&a=2&a=3&ab=4") == "a=2&a=3"
    assert rest.of_query("b=1&a=2&c") == "b=1&c"
    assert some.of_cookies("b=1; a=2;a=1") == "a=1; a=2"
    assert Selection("all").of_query("b=1&a=2") == "b=1&a=2"
    assert Selection().of_query("a=1") == ""


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip, deflate, br", "br,gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0", ""),
        ("gzip;q=0.0, br;q=1", "br"),
        ("identity", ""),
        ("*", ""),
        (None, ""),
    ],
)
def test_accepted_encodings_are_normalized(accepted: str | None, expected: str) -> None:
    assert Encodings(True, True).of(accepted) == expected
    assert Encodings(False, False).of(accepted) == ""


NOW = 1_800_000_000.0
MINIMAL, FROM_ZERO = Ttls(100, 200, 300), Ttls(0, 200, 300)


@pytest.mark.parametrize(
    ("headers", "with_minimum", "from_zero"),
    [
        ({"cache-control": "max-age=250"}, 250, 250),
        ({"cache-control": "max-age=50"}, 100, 50),
        ({"cache-control": "max-age=999"}, 300, 300),
        ({"cache-control": "max-age=50, s-maxage=150"}, 150, 150),
        ({}, 200, 200),
        ({"expires": "Fri, 15 Jan 2027 08:04:10 GMT"}, 250, 250),
        ({"expires": "soon"}, 100, None),
        ({"cache-control": "no-cache"}, 100, None),
        ({"cache-control": "no-store"}, 100, None),
        ({"cache-control": "private, max-age=60"}, 100, None),
        ({"cache-control": 'private="x-user"'}, 100, None),
    ],
)
def test_the_table_of_lifetimes(
    headers: dict[str, str], with_minimum: float, from_zero: float | None
) -> None:
    """As the guide's page about expiration has it."""
    for ttls, expected in ((MINIMAL, with_minimum), (FROM_ZERO, from_zero)):
        found = lifetime(200, headers, ttls, {}, NOW, is_private=False)
        assert (found.seconds if found.is_kept else None) == expected


@pytest.mark.parametrize("status", [206, 304, 401, 402, 406, 411, 416, 429, 505])
def test_statuses_that_are_not_kept(status: int) -> None:
    headers = {"cache-control": "max-age=60"}
    assert not lifetime(status, headers, FROM_ZERO, {}, NOW, is_private=False).is_kept


def test_what_can_be_revalidated_is_kept_without_being_fresh() -> None:
    found = lifetime(
        200, {"cache-control": "no-cache", "etag": '"1"'}, FROM_ZERO, {}, NOW, is_private=False
    )
    assert (found.is_kept, found.seconds) == (True, 0)


def test_paths_of_invalidations() -> None:
    assert invalidation("/a*")("/abc?x=1")
    assert invalidation("a")("/a")
    assert not invalidation("/a")("/a?x=1")
    assert invalidation("/*")("/")


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)", "mobile"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile Safari", "mobile"),
        ("Mozilla/5.0 (Linux; Android 14; SM-X900) Safari", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 17_0)", "tablet"),
        ("Mozilla/5.0 (SMART-TV; Linux) SmartTV", "smarttv"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "desktop"),
        ("", "desktop"),
    ],
)
def test_devices(agent: str, device: str) -> None:
    made = made_headers(request(headers=[("User-Agent", agent)]))
    devices = ("mobile", "tablet", "smarttv", "desktop")
    assert [each for each in devices if made[f"cloudfront-is-{each}-viewer"] == "true"] == [device]


def managed(name: str) -> ResponseHeaders:
    """A managed policy, by name."""
    bodies = MANAGED[RESPONSE_HEADERS_POLICY].values()
    return ResponseHeaders(next(each for each in bodies if each["Name"] == f"Managed-{name}"))


def test_security_headers_respect_the_origin() -> None:
    before = [("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "other")]
    found = dict(managed("SecurityHeadersPolicy").apply(before, "GET", None))
    assert found["X-Frame-Options"] == "DENY"
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Strict-Transport-Security"] == "max-age=31536000"
    assert found["X-XSS-Protection"] == "1; mode=block"


def cors(**more: Any) -> ResponseHeaders:
    """A policy with two origins."""
    return ResponseHeaders(
        {
            "CorsConfig": {
                "AccessControlAllowOrigins": {"Items": ["https://*.example.com", "localhost"]},
                "AccessControlAllowHeaders": {"Items": ["X-A"]},
                "AccessControlAllowMethods": {"Items": ["ALL"]},
                "AccessControlAllowCredentials": True,
                "OriginOverride": True,
            },
            **more,
        }
    )


def test_cors_is_for_the_origins_of_the_policy() -> None:
    policy, name = cors(), "Access-Control-Allow-Origin"
    found = dict(policy.apply([], "GET", "https://a.example.com"))
    assert (found[name], found["Access-Control-Allow-Credentials"]) == (
        "https://a.example.com",
        "true",
    )
    assert found["Vary"] == "Origin"
    assert name not in dict(policy.apply([], "GET", "https://a.example.com.evil"))
    assert name not in dict(policy.apply([], "GET", "http://a.example.com"))
    assert name in dict(policy.apply([], "GET", "http://localhost"))
    assert policy.apply([], "GET", None) == []
    preflight = dict(policy.apply([], "OPTIONS", "https://a.example.com"))
    assert "DELETE" in preflight["Access-Control-Allow-Methods"]


def test_headers_are_set_and_removed() -> None:
    policy = ResponseHeaders(
        {
            "CustomHeadersConfig": {
                "Items": [
                    {"Header": "X-A", "Value": "1", "Override": True},
                    {"Header": "X-B", "Value": "2", "Override": False},
                ]
            },
            "RemoveHeadersConfig": {"Items": [{"Header": "Server"}]},
        }
    )
    before = [("x-a", "0"), ("x-b", "0"), ("server", "nginx")]
    assert sorted(policy.apply(before, "GET", None)) == [("X-A", "1"), ("x-b", "0")]
