"""The files of imports and exports, by link."""

from collections.abc import Awaitable, Callable
from functools import partial
from xml.sax.saxutils import escape

import anyio.abc

from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError

Upload = Callable[[str, bytes], Awaitable[None]]
Download = Callable[[str], Awaitable[bytes]]
_AT_ONCE = 16


class FileLinks:
    """Serves links."""

    def __init__(self, upload: Upload, download: Download, tasks: anyio.abc.TaskGroup) -> None:
        self._upload = upload
        self._download = download
        self._tasks = tasks
        self._running = 0

    def handle(self, exchange: Exchange) -> None:
        """Serve a request for a link."""
        if exchange.method not in ("GET", "PUT"):
            _refuse(exchange, 405, "MethodNotAllowed", "A link takes GET or PUT.")
        elif self._running >= _AT_ONCE:
            _refuse(exchange, 503, "SlowDown", "Too many files at once.")
        else:
            self._running += 1
            start_task(self._tasks, partial(_fail, exchange), self._serve, exchange)

    async def _serve(self, exchange: Exchange) -> None:
        try:
            if exchange.method == "PUT":
                await self._upload(exchange.path, exchange.body)
                exchange.respond(200)
            else:
                data = await self._download(exchange.path)
                exchange.respond(200, [("Content-Type", "application/zip")], data)
        except ApiError as error:
            _refuse(exchange, error.status, error.code, str(error))
        finally:
            self._running -= 1


def _fail(exchange: Exchange, _: Exception) -> None:
    _refuse(exchange, 500, "InternalError", "The file cannot be served.")


def _refuse(exchange: Exchange, status: int, code: str, message: str) -> None:
    """An error as S3 has it, which clients of presigned links expect."""
    body = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    exchange.respond(status, [("Content-Type", "application/xml")], body.encode())
