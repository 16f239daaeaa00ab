"""Where templates come from."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.identity.authorizer import Caller
from lambent.model.errors import ApiError
from lambent.model.principal import root_of
from lambent.stacks.sources import parse_s3_url, read_source

from .engine.cloud import SCOPE

CALLER = Caller(principal=root_of(SCOPE.account), scope=SCOPE, service=None, access_key_id=None)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://s3.eu-west-1.amazonaws.com/b/a/k.yaml", ("b", "a/k.yaml", None)),
        ("https://s3-eu-west-1.amazonaws.com/b/k", ("b", "k", None)),
        ("https://b.s3.eu-west-1.amazonaws.com/k", ("b", "k", None)),
        ("https://b.c.s3.amazonaws.com/k%20l", ("b.c", "k l", None)),
        ("https://b.s3.amazonaws.com/k?versionId=v1", ("b", "k", "v1")),
        ("http://127.0.0.1:5262/b/k", ("b", "k", None)),
        ("http://localhost/b/k", ("b", "k", None)),
        ("s3://b/a/k", ("b", "a/k", None)),
    ],
)
def test_the_object_of_a_url(url: str, found: tuple[str, str, str | None]) -> None:
    assert parse_s3_url(url) == found


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url",
    ["", "https://", "ftp://s3.amazonaws.com/b/k", "https://s3.amazonaws.com/b", "x", "http://[/"],
)
async def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ApiError, match="Url must be a supported URL"):
        await read_source(Objects(b""), CALLER, {"Url": url}, "Body", "Url")


class Objects:
    """An S3 with one object."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        assert (service, operation, caller) == ("s3", "GetObject", CALLER)
        if params["Key"] != "k":
            raise ApiError("NoSuchKey", "The specified key does not exist.", status=404)
        return {"Body": self._body}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("params", "body", "message"),
    [
        ({"Body": "a", "Url": "s3://b/k"}, b"", "Only one of"),
        ({"Body": "x" * 51_201}, b"", "less than or equal to 51200"),
        ({"Url": "s3://b/none"}, b"", "S3 error: The specified key does not exist."),
        ({"Url": "nothing"}, b"", "Url must be a supported URL."),
        ({"Url": "s3://b/k"}, b"x" * 1_000_001, "may not exceed 1000000 bytes"),
        ({"Url": "s3://b/k"}, b"\xff", "unsupported structure"),
    ],
)
async def test_sources_that_are_refused(params: dict[str, str], body: bytes, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        await read_source(Objects(body), CALLER, params, "Body", "Url")


@pytest.mark.anyio
async def test_sources() -> None:
    objects = Objects(b"text")
    assert await read_source(objects, CALLER, {"Url": "s3://b/k"}, "Body", "Url") == "text"
    assert await read_source(objects, CALLER, {"Body": "own"}, "Body", "Url") == "own"
    assert await read_source(objects, CALLER, {}, "Body", "Url") is None
