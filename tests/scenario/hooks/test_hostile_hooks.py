"""Hooks that strangers send to, over real connections."""

import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.platforms import Platform, deploy, log_lines

from .hooks import PRINTS, Hook, create

MARK = "private-words-of-a-stranger"


@pytest.fixture(scope="module")
def hook(platform: Platform, lambda_client: Any) -> Hook:
    """A hook that takes 200 events a second."""
    deploy(lambda_client, "hook-hostile", {"app.py": PRINTS})
    return create(platform, "hostile", "token", "--function", "hook-hostile", "--rate", "200")


def raw(hook: Hook, data: bytes, *, deadline_s: float = 20.0) -> bytes:
    """What comes back for bytes."""
    address = urlsplit(hook.address)
    with socket.create_connection((address.hostname, address.port), timeout=deadline_s) as peer:
        peer.sendall(data)
        found = b""
        try:
            while chunk := peer.recv(65536):
                found += chunk
                if b"\r\n\r\n" in found and b'"}' in found:
                    break
        except ConnectionResetError:
            pass
        return found


def head(hook: Hook, *lines: str, path: str | None = None) -> bytes:
    address = urlsplit(hook.address)
    first = f"POST {path or address.path} HTTP/1.1"
    return "\r\n".join([first, f"Host: {address.netloc}", *lines, "", ""]).encode("latin-1")


def test_large_bodies(hook: Hook) -> None:
    """413 before they are read, with and without a length; one that fits is accepted."""
    bearer = f"Authorization: Bearer {hook.secret}"
    announced = raw(hook, head(hook, bearer, "Content-Length: 9999999999999"))
    assert announced.startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    in_chunks = raw(hook, head(hook, bearer, "Transfer-Encoding: chunked") + chunk * 40)
    assert in_chunks.startswith(b"HTTP/1.1 413")
    fits = {"Authorization": f"Bearer {hook.secret}", "Content-Type": "text/plain"}
    assert hook.post(b"x" * 1_000_000, fits).status == 202
    # As an event it is larger than an event may be.
    octets = {"Authorization": f"Bearer {hook.secret}"}
    assert hook.post(b"x" * 1_000_000, octets).status == 413


@pytest.mark.parametrize(
    "lines",
    [
        ["X-A: b\rc: d", "Content-Length: 0"],
        ["X-A: b\x00", "Content-Length: 0"],
        ["X A: b", "Content-Length: 0"],
        ["Content-Length: 0", "Content-Length: 5"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: -1"],
    ],
)
def test_heads_that_are_tricks(hook: Hook, lines: list[str]) -> None:
    """Refused, or harmless: the function gets no header that was smuggled in."""
    answer = raw(hook, head(hook, f"Authorization: Bearer {hook.secret}", *lines) + b"0\r\n\r\n")
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 202", b""), answer
    assert all('"c": "d"' not in line for line in log_lines(hook.platform, "hook-hostile"))


def test_paths(hook: Hook) -> None:
    """Nothing but the address itself leads to the hook, or to the pages of its owner."""
    id = hook.address.rpartition("/")[2]
    for path in (
        f"/_lambent/hook/{id[:-1]}",
        f"/_lambent/hook/{id.upper()}",
        f"/_lambent/hook//{id}",
        f"/_lambent/hook/../hook/{id}",
        f"/_lambent/hook/%2e%2e/hooks/{id}",
        "/_lambent/hook/",
        "/_lambent/hook/../hooks",
        f"/_lambent/hook/{'a' * 5000}",
    ):
        bearer = f"Authorization: Bearer {hook.secret}"
        answer = raw(hook, head(hook, bearer, "Content-Length: 0", path=path))
        assert answer.startswith(b"HTTP/1.1 404"), (path, answer)


def test_a_flood_of_strangers(hook: Hook) -> None:
    """It is refused, most of it with 429, and leaves nothing in logs; who knows the secret is heard
    within the second after it."""
    statuses: list[int] = []

    def flood() -> None:
        for _ in range(150):
            headers = {"Authorization": f"Bearer {MARK}", "X-Stranger": MARK}
            statuses.append(hook.post(MARK.encode() * 100, headers).status)

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(statuses) == 1200
    assert set(statuses) <= {401, 429}
    began = time.monotonic()
    while hook.post(b"heard", {"Authorization": f"Bearer {hook.secret}"}).status == 429:
        assert time.monotonic() - began < 5
    assert MARK not in hook.platform.output
    assert all(MARK not in line for line in log_lines(hook.platform, "hook-hostile"))


def test_other_names_lead_here(hook: Hook) -> None:
    """Webhooks arrive under a public name that the platform does not know; its API does not."""
    bearer = {"Authorization": f"Bearer {hook.secret}"}
    assert hook.post(b"x", {**bearer, "Host": "hooks.example.com"}).status == 202
    path = "/../../hooks"
    assert hook.post(b"", {"Host": "hooks.example.com"}, path=path).status in (401, 404)
    pages = Hook(
        hook.platform, {**hook.shown, "address": f"{hook.platform.endpoint}/_lambent/hooks"}
    )
    assert pages.post(b"", {"Host": "evil.example"}, method="GET").status == 403
    from_a_page = {"Origin": "https://evil.example"}
    assert pages.post(b"", from_a_page, method="GET").status == 403
