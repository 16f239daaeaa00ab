"""What viewers and origins send to poison the cache, to get around behaviors, or to split
responses."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lambent.triggers.edge.inner_exchange import InnerExchange
from lambent.triggers.edge.origins import OriginRequest
from lambent.triggers.edge.selection import joined
from tests.unit.triggers.edge.edges import (
    BY_ORIGIN,
    OPTIMIZED,
    Edge,
    behavior,
    listed,
    open_edge,
    origin,
)

pytestmark = pytest.mark.anyio
LEGACY: Mapping[str, Any] = {
    "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
    "MinTTL": 0,
}
ALL_METHODS = listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
POISON = {
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Proto": "http",
    "X-Original-URL": "/admin",
    "X-HTTP-Method-Override": "POST",
    "X-Host": "evil.example.com",
    "Forwarded": "host=evil.example.com",
    "Accept-Language": "xx",
    "Cookie": "session=stolen",
    "Authorization": "Basic eDp4",
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "X-Amz-Cf-Id": "mine",
    "X-Edge-Location": "mine",
    "CloudFront-Viewer-Country": "XX",
    "CloudFront-Is-Mobile-Viewer": "true",
    "Connection": "X-Key",
    "Transfer-Encoding": "chunked",
    "Upgrade": "h2c",
    "Proxy-Authorization": "x",
}


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with open_edge(tmp_path) as edge:
        yield edge


def echo(request: OriginRequest) -> tuple[int, dict[str, str], bytes]:
    """Reflects every header, as a vulnerable origin does."""
    return 200, {"cache-control": "max-age=60"}, repr(sorted(request.headers)).encode()


@pytest.mark.parametrize(
    "default",
    [behavior(OPTIMIZED), behavior(**LEGACY)],
    ids=["policy", "legacy"],
)
async def test_what_is_not_keyed_does_not_reach_the_origin(
    edge: Edge, default: dict[str, Any]
) -> None:
    """So it cannot change what others are served."""
    edge.origin.serve = echo
    id = await edge.distribute(DefaultCacheBehavior=default)
    for name, value in POISON.items():
        await edge.get(id, f"/{name}", {name: value})
        sent = joined(edge.origin.requests[-1].headers)
        assert value not in {sent.get(name.lower()), sent.get("host")}, name
    assert (await edge.get(id, "/?evil=1")).status == 200
    assert edge.origin.requests[-1].query == ""


async def test_a_legacy_behavior_forwards_other_headers_where_nothing_is_kept(edge: Edge) -> None:
    edge.origin.serve = echo
    id = await edge.distribute(DefaultCacheBehavior=behavior(**LEGACY, AllowedMethods=ALL_METHODS))
    await edge.get(id, "/a", {"X-Custom": "1", "Authorization": "Basic eA=="}, "POST", b"{}")
    sent = joined(edge.origin.requests[-1].headers)
    assert (sent["x-custom"], sent["authorization"]) == ("1", "Basic eA==")
    assert (await edge.get(id, "/a", {"X-Custom": "2"}, "POST", b"{}")).cache == "Miss"


async def test_responses_for_one_user_are_not_kept_for_others(edge: Edge) -> None:
    """An origin request policy may forward `Authorization` though it is not keyed. Then only what
    the origin calls public is kept."""
    edge.origin.serve = lambda request: (
        200,
        {"cache-control": "max-age=60"},
        (joined(request.headers).get("authorization") or "anonymous").encode(),
    )
    id = await edge.distribute(
        DefaultCacheBehavior=behavior(OPTIMIZED, OriginRequestPolicyId=ALL_VIEWER)
    )
    assert (await edge.get(id, "/a", {"Authorization": "ann"})).body == b"ann"
    assert (await edge.get(id, "/a")).body == b"anonymous"
    edge.origin.serve = lambda _: (200, {"cache-control": "public, max-age=60"}, b"all")
    await edge.get(id, "/b", {"Authorization": "ann"})
    assert (await edge.get(id, "/b")).cache == "Hit"


async def test_cookies_that_no_policy_forwards_reach_no_one(edge: Edge) -> None:
    headers = {"cache-control": "max-age=60", "set-cookie": "session=of-ann"}
    edge.origin.serve = lambda _: (200, headers, b"x")
    id = await edge.distribute(DefaultCacheBehavior=behavior(OPTIMIZED))
    assert "set-cookie" not in (await edge.get(id, "/a")).headers
    assert "set-cookie" not in (await edge.get(id, "/a")).headers


async def test_a_cookie_that_is_set_for_one_viewer_is_not_kept(edge: Edge) -> None:
    """An origin request policy may forward cookies though none is part of the key."""
    headers = {"cache-control": "max-age=60", "set-cookie": "session=of-ann"}
    edge.origin.serve = lambda _: (200, headers, b"x")
    id = await edge.distribute(
        DefaultCacheBehavior=behavior(OPTIMIZED, OriginRequestPolicyId=ALL_VIEWER)
    )
    assert [(await edge.get(id, "/a")).cache for _ in range(2)] == ["Miss", "Miss"]


async def test_long_keys_count(edge: Edge) -> None:
    """Otherwise a viewer could fill the memory with them."""
    id = await edge.distribute(DefaultCacheBehavior=behavior(BY_ORIGIN))
    for number in range(60):
        await edge.get(id, f"/{number}", {"Cookie": "a=" + "x" * 60_000})
    assert edge.cache.size[0] < 20


async def test_keyed_parts_tell_responses_apart(edge: Edge) -> None:
    edge.origin.serve = echo
    id = await edge.distribute(DefaultCacheBehavior=behavior(BY_ORIGIN))
    variants = [
        ("/a", {}),
        ("/a", {"Origin": "https://a.example"}),
        ("/a", {"Origin": "https://b.example"}),
        ("/a", {"Origin": ""}),
        ("/a", {"Cookie": "a=1; b=2"}),
        ("/a", {"Cookie": "a=1"}),
        ("/a?x=1", {}),
        ("/a?x=1&y=2", {}),
        ("/a%3Fx=1", {}),
        ("/a?", {"X-Method-Override": "1"}),
    ]
    for target, headers in variants:
        assert (await edge.get(id, target, headers)).cache == "Miss", (target, headers)
    for target, headers in variants:
        assert (await edge.get(id, target, headers)).cache == "Hit", (target, headers)
    # Cookies in another order are the same.
    assert (await edge.get(id, "/a", {"Cookie": "b=2; a=1"})).cache == "Hit"


@pytest.mark.parametrize(
    "path",
    [
        *("/public/../private/x", "/public/%2e%2e/private/x", "//private/x", "/./private/x"),
        *("/private%2fx", "/public/..%2fprivate/x", "/public\\..\\private/x", "/private/./x"),
    ],
)
async def test_no_spelling_of_a_path_leads_around_a_behavior(edge: Edge, path: str) -> None:
    """`/private/*` is served over HTTPS only."""
    closed = {**behavior(), "PathPattern": "/private/*", "ViewerProtocolPolicy": "https-only"}
    id = await edge.distribute(CacheBehaviors=listed(closed))
    assert (await edge.get(id, "/public/x")).status == 200
    assert (await edge.get(id, path)).status == 403


async def test_methods_and_bodies_that_no_behavior_allows(edge: Edge) -> None:
    id = await edge.distribute()
    for method in ("POST", "DELETE", "TRACE", "CONNECT", "PURGE"):
        found = await edge.get(id, "/a", method=method)
        assert (found.status, b"GET, HEAD" in found.body) == (403, True), method
    assert (await edge.get(id, "/a", body=b"hidden")).status == 403
    assert (await edge.get(id, "/" + "a" * 9000)).status == 414
    assert edge.origin.requests == []


async def test_viewers_are_sent_to_https(edge: Edge) -> None:
    id = await edge.distribute(
        DefaultCacheBehavior=behavior(ViewerProtocolPolicy="redirect-to-https")
    )
    found = await edge.get(id, "/a?b=1")
    assert (found.status, found.headers["location"]) == (301, "https://cdn.example.com/a?b=1")
    assert (await edge.get(id, "/a?b=1", is_secure=True)).status == 200


async def test_a_response_cannot_be_split() -> None:
    """What a function on this platform returns as an origin comes over no connection, whose parser
    would refuse it."""
    for value in ("a\r\nSet-Cookie: x=1", "a\nb", "a\0b"):
        exchange = InnerExchange("GET", "/", "", [], b"", client_address="", is_secure=True)
        exchange.respond(200, [("X-Value", value)], b"x")
        assert (exchange.status, exchange.response_headers) == (500, [])


async def test_vary_star_and_odd_lifetimes(edge: Edge) -> None:
    id = await edge.distribute()
    for number, headers in enumerate(
        [
            {"cache-control": "max-age=60", "vary": "*"},
            {"cache-control": "max-age=-1"},
            {"cache-control": "max-age=1e9"},
            {"cache-control": "max-age=" + "9" * 5000},
            {"expires": "0"},
            {"expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
            {"cache-control": "MAX-AGE=60, No-Store"},
        ]
    ):
        edge.origin.serve = lambda _, headers=headers: (200, headers, b"x")  # type: ignore[misc]
        await edge.get(id, f"/{number}")
        second = await edge.get(id, f"/{number}")
        expected = "Hit" if "9999" in headers.get("cache-control", "") else "Miss"
        assert second.cache == expected, headers


async def test_the_root_object_is_for_the_root_only(edge: Edge) -> None:
    id = await edge.distribute(
        DefaultRootObject="index.html", Origins=listed(origin(OriginPath="/site"))
    )
    await edge.get(id, "/")
    await edge.get(id, "/docs/")
    assert [request.uri for request in edge.origin.requests] == ["/index.html", "/docs/"]
