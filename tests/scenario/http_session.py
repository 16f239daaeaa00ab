"""A browser without a screen: `requests`, at the names of APIs and function URLs."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[requests.Session]:
    """Keeps cookies, follows redirects, and takes *.localhost for this machine as browsers do."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        is_ours = isinstance(host, str) and host.endswith(".localhost")
        return resolve("127.0.0.1" if is_ours else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with requests.Session() as session:
        session.trust_env = False
        yield session
