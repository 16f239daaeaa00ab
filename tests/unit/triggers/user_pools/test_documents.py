"""The documents with the keys of pools."""

import json
from typing import Any

import anyio
import pytest

from lambent.triggers.apis.authorizers.pools import fetch_with_own_pools
from lambent.triggers.user_pools.documents import PATHS, PoolDocuments
from tests.unit.identity.exchanges import FakeExchange

pytestmark = pytest.mark.anyio
KEYS = b'{"keys": []}'


async def jwks(pool: str) -> bytes | None:
    return KEYS if pool == "us-east-1_here" else None


async def get(path: str, method: str = "GET") -> tuple[int, Any]:
    found: list[Any] = []

    class Exchange(FakeExchange):
        def respond(self, status: int, headers: Any, body: bytes) -> None:
            found.append((status, json.loads(body)))

    async with anyio.create_task_group() as tasks:
        exchange: Any = Exchange(method=method, path=path, headers={"host": "localhost:1"})
        PoolDocuments(jwks, tasks).handle(exchange)
    (response,) = found
    return response  # type: ignore[no-any-return]


async def test_documents() -> None:
    """Keys, and where they are; the issuer is AWS's address."""
    base = "/us-east-1_here/.well-known/"
    assert await get(base + "jwks.json") == (200, {"keys": []})
    status, shown = await get(base + "openid-configuration")
    assert status == 200
    assert shown["issuer"] == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_here"
    assert shown["jwks_uri"].endswith("://localhost:1/us-east-1_here/.well-known/jwks.json")
    assert (await get("/us-east-1_there/.well-known/jwks.json"))[0] == 404
    assert (await get(base + "jwks.json", "POST"))[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/2015-03-31/functions", "/us-east-1_here/.well-known/", "/bucket/.well-known/a"),
        *("/us-east-1_a/../.well-known/jwks.json", "/us-east-1_" + "a" * 200 + "/.well-known/"),
        "/us-east-1_٣/.well-known/jwks.json",
    ],
)
def test_other_paths_are_not_theirs(path: str) -> None:
    assert PATHS.fullmatch(path) is None


async def test_authorizers_read_them_here() -> None:
    """Only of pools that are here; other addresses are fetched."""
    fetched: list[str] = []

    async def fetch(url: str) -> bytes:
        fetched.append(url)
        return b"far"

    either = fetch_with_own_pools(fetch, jwks)
    issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_here"
    assert await either(f"{issuer}/.well-known/jwks.json") == KEYS
    shown = json.loads(await either(f"{issuer}/.well-known/openid-configuration"))
    assert shown["jwks_uri"] == f"{issuer}/.well-known/jwks.json"
    assert fetched == []
    for url in (
        issuer.replace("here", "there") + "/.well-known/jwks.json",
        issuer.replace("amazonaws.com", "example.com") + "/.well-known/jwks.json",
    ):
        assert await either(url) == b"far"
    assert len(fetched) == 2
