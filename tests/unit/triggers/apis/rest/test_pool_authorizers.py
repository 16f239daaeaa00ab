"""Authorizers of Cognito user pools."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.triggers.apis.authorizers.pools import fetch_with_local_pools, issuer_of_pool
from lambent.triggers.apis.rest.pool_authorizer import claims_of_event
from tests.unit.triggers.apis.issuer import Issuer, assemble, make_key
from tests.unit.triggers.apis.serving import Served

from .apis import RestApi, serving_rest

POOL = "us-east-1_AbC123"
ARN = f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{POOL}"
ISSUER = f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}"
METHOD = {"authorizationType": "COGNITO_USER_POOLS", "authorizerId": "a"}
pool = Issuer()


async def fetch(url: str) -> bytes:
    """The keys of the pool, as the emulator has them."""
    if url != f"http://local/{POOL}/.well-known/jwks.json":
        raise OSError("not found")
    return json.dumps({"keys": pool.keys}).encode()


async def elsewhere(url: str) -> bytes:
    """The Internet, which is not there."""
    raise OSError(f"{url} is not there")


FETCH = fetch_with_local_pools(elsewhere, fetch, "http://local")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest"), fetch=FETCH) as served:
        yield served


def deploy(served: Served, **body: Any) -> RestApi:
    """`GET /id` takes id tokens, `GET /access` access tokens with a scope."""
    api = RestApi(served)
    method = api.proxy(lambda event: {"body": json.dumps(event["requestContext"])}) | METHOD
    authorizer = {"id": "a", "type": "COGNITO_USER_POOLS", "providerARNs": [ARN], **body}
    api.deploy(
        {
            "GET /id": method,
            "GET /access": {**method, "authorizationScopes": ["pets/read", "pets/write"]},
        },
        others=[["authorizer", "a", authorizer]],
    )
    return api


def token(**claims: Any) -> str:
    """An id token of the pool, unless the claims say otherwise."""
    return pool.token(time.time(), **{"iss": ISSUER, "token_use": "id", **claims})


def ask(api: RestApi, text: str | None, path: str = "/stage/id") -> Any:
    headers = {} if text is None else {"Authorization": text}
    return api.request(path, headers=headers)


def test_id_tokens_pass_and_claims_are_texts(served: Served) -> None:
    """With `Bearer` or without; lists are joined, moments are dates."""
    api = deploy(served)
    text = token(email_verified=True, n=7, **{"cognito:groups": ["a", "b"]}, exp=4_000_000_000)
    for sent in (text, f"Bearer {text}", text):
        claims = ask(api, sent).json()["authorizer"]["claims"]
        assert claims["email_verified"] == "true"
        assert (claims["n"], claims["cognito:groups"]) == ("7", "a,b")
        assert claims["exp"] == "Tue Oct 02 07:06:40 UTC 2096"


@pytest.mark.parametrize(
    "claims",
    [
        {"token_use": "access", "scope": "pets/read"},
        {"token_use": "refresh"},
        {"token_use": ...},
        {"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other"},
        {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_AbC123"},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"key_id": "unknown"},
        {"key": make_key(name="another")},
    ],
)
def test_other_tokens_do_not_pass(served: Served, claims: dict[str, Any]) -> None:
    """401, and the function is not called."""
    api = deploy(served)
    calls = len(served.node.requests)
    response = ask(api, token(**claims))
    assert (response.status, response.json()) == (401, {"message": "Unauthorized"})
    assert response.headers["x-amzn-errortype"] == "UnauthorizedException"
    assert len(served.node.requests) == calls


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Bearer",
        "Bearer  ",
        "x",
        "a.b.c",
        "é" * 9,
        "x" * 8000,
        assemble({"alg": "none", "kid": "k1"}, {"iss": ISSUER, "token_use": "id"}),
        assemble({"alg": "HS256", "kid": "k1"}, {"iss": ISSUER, "token_use": "id"}),
        assemble({"alg": "RS256", "kid": "k1"}, {"iss": ISSUER, "token_use": "id"}, b"x"),
    ],
)
def test_what_is_no_token_does_not_pass(served: Served, text: str | None) -> None:
    """401."""
    assert ask(deploy(served), text).status == 401


def test_an_expired_token_says_so(served: Served) -> None:
    """As in AWS."""
    response = ask(deploy(served), token(exp=int(time.time()) - 1))
    assert (response.status, response.json()) == (
        401,
        {"message": "The incoming token has expired"},
    )


def test_scopes(served: Served) -> None:
    """A method with scopes takes access tokens with one of them."""
    api = deploy(served)
    for claims, status in (
        ({"scope": "openid pets/write"}, 200),
        ({"scope": "openid"}, 401),
        ({}, 401),
        ({"scope": "pets/readonly"}, 401),
        ({"token_use": "id", "scope": "pets/read"}, 401),
    ):
        text = token(**{"token_use": "access", "aud": ..., "client_id": "app", **claims})
        assert ask(api, text, "/stage/access").status == status
        # What is in memory is of the token, not of the method.
        assert ask(api, text, "/stage/access").status == status


def test_the_pattern_is_of_the_audience(served: Served) -> None:
    """`identityValidationExpression`; it has to match all of it."""
    api = deploy(served, identityValidationExpression="app|other")
    for audience, status in (("app", 200), ("other", 200), ("apple", 401), (["app"], 401)):
        assert ask(api, token(aud=audience)).status == status


def test_several_pools(served: Served) -> None:
    """The token's issuer has to be one of them."""
    other = "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_Other"
    api = deploy(served, providerARNs=[other, ARN])
    assert ask(api, token()).status == 200
    assert ask(api, token(iss="https://evil.test")).status == 401
    assert ask(api, "a.b.c").status == 401


def test_an_authorizer_without_a_pool_refuses_all(served: Served) -> None:
    """500."""
    for arns in ([], ["arn:aws:cognito-idp:us-east-1:000000000000:userpool/../x_y"]):
        assert ask(deploy(served, providerARNs=arns), token()).status == 500


@pytest.mark.parametrize("pool_id", ["bucket", "a_b/../c", "x_", "_x", "a_b?c"])
def test_pools_are_no_paths(pool_id: str) -> None:
    """Neither of buckets nor of other documents."""
    with pytest.raises(ValueError, match="not the ARN"):
        issuer_of_pool(f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{pool_id}")
    url = f"https://cognito-idp.us-east-1.amazonaws.com/{pool_id}/.well-known/jwks.json"
    asked: list[str] = []

    async def remember(url: str) -> bytes:
        asked.append(url)
        return b""

    asyncio.run(fetch_with_local_pools(remember, elsewhere, "http://local")(url))
    assert asked == [url]


def test_claims_that_are_no_moments() -> None:
    """Numbers that no calendar has stay numbers."""
    assert claims_of_event({"exp": 1e300, "iat": "x"})["iat"] == "x"
    assert claims_of_event({"exp": 10**30})["exp"] == str(10**30)
