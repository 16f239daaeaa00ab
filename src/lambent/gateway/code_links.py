"""Links to deployment packages (`Code.Location` of GetFunction).

A link contains the package it gives access to, its expiry, and a signature over both. The key is
stored by the platform, so that links remain valid after a restart. Packages are read in a thread,
few at a time.
"""

import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task

PATH_PREFIX = "/_lambent/code/"
"""Where the server must route to `CodeLinks.handle`."""

SECRET = "code-links"
"""Name of the platform's secret that links are signed with."""
_LIFETIME_S = 600
_DOWNLOADS_MAX = 2
_WAITING_MAX = 64
_TOKEN = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})\.([0-9a-f]{64})")


class CodeLinks:
    """Makes links to packages, and serves the packages."""

    def __init__(
        self,
        read: Callable[[str], Awaitable[bytes]],
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        key: bytes,
    ) -> None:
        self._read = read
        self._clock = clock
        self._tasks = tasks
        self._key = key
        self._downloads = anyio.CapacityLimiter(_DOWNLOADS_MAX)
        self._waiting = 0

    def url(self, endpoint: str, code_key: str) -> str:
        """A link to a package, valid for ten minutes. It begins with `endpoint`."""
        subject = f"{int(self._clock.now()) + _LIFETIME_S}.{code_key}"
        return f"{endpoint.rstrip('/')}{PATH_PREFIX}{subject}.{self._sign(subject)}"

    def handle(self, exchange: Exchange) -> None:
        """Serve a request whose path starts with `PATH_PREFIX`."""
        if exchange.method != "GET":
            _refuse(exchange, 405, "Only GET is allowed")
            return
        code_key = self._check(exchange.path.removeprefix(PATH_PREFIX))
        if code_key is None:
            _refuse(exchange, 403, "The link is not valid or has expired")
        elif self._waiting >= _WAITING_MAX:
            _refuse(exchange, 503, "Too many downloads at once")
        else:
            self._waiting += 1
            start_task(self._tasks, partial(_fail, exchange), self._serve, exchange, code_key)

    async def _serve(self, exchange: Exchange, code_key: str) -> None:
        try:
            async with self._downloads:
                if exchange.is_open:
                    data = await self._read(code_key)
                    exchange.respond(200, [("Content-Type", "application/zip")], data)
        except FileNotFoundError:
            _refuse(exchange, 404, "The package is gone")
        finally:
            self._waiting -= 1

    def _sign(self, subject: str) -> str:
        return hmac.new(self._key, subject.encode(), hashlib.sha256).hexdigest()

    def _check(self, token: str) -> str | None:
        """The code key in a token, None if the token is forged or has expired."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        expires, code_key, signature = match.groups()
        genuine = hmac.compare_digest(signature, self._sign(f"{expires}.{code_key}"))
        return code_key if genuine and self._clock.now() <= int(expires) else None


@asynccontextmanager
async def open_code_links(
    read: Callable[[str], Awaitable[bytes]], clock: Clock, key: bytes
) -> AsyncIterator[CodeLinks]:
    """Links to the packages that `read` returns by code key, signed with `key`. Downloads end when
    the context does."""
    async with anyio.create_task_group() as tasks:
        yield CodeLinks(read, clock, tasks, key)
        tasks.cancel_scope.cancel()


def _fail(exchange: Exchange, _: Exception) -> None:
    _refuse(exchange, 500, "The package cannot be read")


def _refuse(exchange: Exchange, status: int, message: str) -> None:
    body = json.dumps({"Message": message}).encode()
    exchange.respond(status, [("Content-Type", "application/json")], body)
