"""Host names that a relaxed platform accepts."""

from types import SimpleNamespace
from typing import Any

import pytest

from lambent.gateway.hosts import Hosts
from lambent.model.errors import ApiError


def exchange(host: str) -> Any:
    return SimpleNamespace(headers={"host": host})


@pytest.mark.parametrize(
    ("host", "is_accepted"),
    [
        ("127.0.0.1:5262", True),
        ("localhost", True),
        ("stream-localhost:5262", True),
        ("streaming-127.0.0.1:5262", True),
        ("stream-api.localhost", True),
        ("stream-localhost.example.com", False),
        ("stream-127.0.0.1.example.com", False),
        ("stream-example.com", False),
        ("xstream-localhost", False),
        ("stream-", False),
    ],
)
def test_the_prefix_of_streams(host: str, is_accepted: bool) -> None:
    """SDKs put `stream-` before the host of StartLiveTail; only names that no party can register
    are accepted with it."""
    hosts = Hosts(("localhost",))
    if is_accepted:
        hosts.check(exchange(host))
        return
    with pytest.raises(ApiError):
        hosts.check(exchange(host))
