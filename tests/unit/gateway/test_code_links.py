"""Links to deployment packages: good for one package, for ten minutes."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping

import anyio
import pytest

from lambent.gateway.code_links import PATH_PREFIX, CodeLinks, open_code_links
from lambent.kit.clock import ManualClock

pytestmark = pytest.mark.anyio
KEY = "ab" * 32


@dataclasses.dataclass
class Request:
    """An exchange that keeps its answer."""

    path: str
    method: str = "GET"
    query: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    is_open: bool = True
    answer: tuple[int, bytes] | None = None
    answered: anyio.Event = dataclasses.field(default_factory=anyio.Event)

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        assert self.answer is None
        self.answer = (status, body)
        self.answered.set()

    def respond_raw(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        raise NotImplementedError


async def ask(links: CodeLinks, path: str, method: str = "GET") -> tuple[int, bytes]:
    request = Request(path, method)
    links.handle(request)
    with anyio.fail_after(5):
        await request.answered.wait()
    assert request.answer is not None
    return request.answer


async def read(code_key: str) -> bytes:
    if code_key != KEY:
        raise FileNotFoundError(code_key)
    return b"package"


async def test_a_link_returns_the_package_until_it_expires() -> None:
    """Ten minutes, not a second more."""
    clock = ManualClock()
    async with open_code_links(read, clock, b"key") as links:
        url = links.url("http://localhost:9000/", KEY)
        assert url.startswith(f"http://localhost:9000{PATH_PREFIX}")
        path = url.removeprefix("http://localhost:9000")
        assert await ask(links, path) == (200, b"package")
        assert (await ask(links, path, "DELETE"))[0] == 405
        clock.advance(600)
        assert (await ask(links, path))[0] == 200
        clock.advance(1)
        status, body = await ask(links, path)
        assert status == 403
        assert json.loads(body) == {"Message": "The link is not valid or has expired"}


async def test_forged_links_are_refused() -> None:
    """Neither the package nor the time can be changed, nor a link of another
    platform used; one of this platform outlives a restart."""
    async with open_code_links(read, ManualClock(), b"key") as links:
        path = links.url("", KEY)
        expires, key, signature = path.removeprefix(PATH_PREFIX).split(".")
        async with open_code_links(read, ManualClock(), b"other") as others:
            assert (await ask(others, path))[0] == 403
        async with open_code_links(read, ManualClock(), b"key") as restarted:
            assert (await ask(restarted, path))[0] == 200
        for token in (
            f"{int(expires) + 1}.{key}.{signature}",
            f"{expires}.{'cd' * 32}.{signature}",
            f"{expires}.{key}.{'0' * 64}",
            f"{expires}.../../etc/passwd.{signature}",
            "",
            "x" * 10_000,
        ):
            assert (await ask(links, PATH_PREFIX + token))[0] == 403


async def test_a_package_may_be_gone() -> None:
    """The function was deleted since the link was made."""
    async with open_code_links(read, ManualClock(), b"key") as links:
        assert (await ask(links, links.url("", "cd" * 32)))[0] == 404


async def test_downloads_are_bounded() -> None:
    """A crowd is turned away instead of filling the memory; who hung up is skipped."""
    gate = anyio.Event()

    async def read_slowly(code_key: str) -> bytes:
        await gate.wait()
        return b"package"

    async with open_code_links(read_slowly, ManualClock(), b"key") as links:
        requests = [Request(links.url("", KEY)) for _ in range(65)]
        for request in requests:
            links.handle(request)
        assert requests[-1].answer is not None
        assert requests[-1].answer[0] == 503
        requests[0].is_open = False
        gate.set()
        with anyio.fail_after(5):
            for request in requests[1:]:
                await request.answered.wait()
        assert requests[0].answer is None


async def test_an_unreadable_package_is_an_error_and_others_can_be_read() -> None:
    """The disk, or the rights to a file: 500, and the next download goes on."""
    failures: list[Exception] = [PermissionError("no"), OSError(5, "I/O error"), RuntimeError("x")]

    async def read(_: str) -> bytes:
        if failures:
            raise failures.pop()
        return b"package"

    async with open_code_links(read, ManualClock(), b"key") as links:
        path = links.url("", KEY)
        for _ in range(3):
            status, body = await ask(links, path)
            assert (status, json.loads(body)) == (500, {"Message": "The package cannot be read"})
        assert await ask(links, path) == (200, b"package")
