"""A Unix socket for the owner of the data directory; file permissions guard it.

`lambent status`, `lambent gc` and `lambent open` use it, because it needs no key, no certificate
and no port. A request is one line, the name of an operation; the response is one line of JSON,
after which the connection is closed. `lambent up --replace` gets the listening sockets as well: the
response to `LISTENERS` has their names, and the descriptors come with it.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import anyio.abc

from lambent.instance.listening import ListeningError, Sockets, sockets_of
from lambent.kit.tasks import start_task

_NAME = "operator.sock"
_LINE_MAX = 100
_REQUEST_S = 10.0
_ANSWER_MAX = 16 << 20
_NAMES_MAX, _DESCRIPTORS_MAX = 4096, 16
LISTENERS = "listeners"

Operations = Mapping[str, Callable[[], Awaitable[Any]]]
"""By name; each returns a value that JSON can represent."""


class OperatorSocketError(Exception):
    """The platform did not answer; the message says why."""


class _Connection(asyncio.Protocol):
    """One request."""

    def __init__(
        self, operations: Operations, listeners: Sockets, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._operations = operations
        self._listeners = listeners
        self._tasks = tasks
        self._line = b""
        self._is_asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Any client that may connect may also stop the platform; this is for clients that hang.
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(_REQUEST_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._line += data
        if self._is_asked or b"\n" not in self._line[: _LINE_MAX + 1]:
            if len(self._line) > _LINE_MAX:
                self._transport.abort()
            return
        self._is_asked = True
        self._deadline.cancel()
        name = self._line.partition(b"\n")[0].decode(errors="replace")
        if name == LISTENERS:
            self._pass_listeners()
            return
        operation = self._operations.get(name)
        if operation is None:
            self._answer({"error": f"there is no operation {name!r}"})
            return
        start_task(self._tasks, self._fail, self._perform, operation)

    def connection_lost(self, _: Exception | None) -> None:
        self._deadline.cancel()

    async def _perform(self, operation: Callable[[], Awaitable[Any]]) -> None:
        self._answer({"ok": await operation()})

    def _fail(self, error: Exception) -> None:
        self._answer({"error": f"it failed: {type(error).__name__}; the platform's log says more"})

    def _pass_listeners(self) -> None:
        names, sockets = list(self._listeners), list(self._listeners.values())
        if any(listener.fileno() < 0 for listener in sockets):
            self._answer({"error": "the platform is stopping"})
            return
        # Transports do not pass descriptors. Nothing was written before, so there is room.
        descriptor = os.dup(self._transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=descriptor) as connection:
            text = json.dumps({"ok": names}).encode() + b"\n"
            socket.send_fds(connection, [text], [listener.fileno() for listener in sockets])
        self._transport.close()

    def _answer(self, document: Mapping[str, Any]) -> None:
        self._transport.write(json.dumps(document).encode() + b"\n")
        self._transport.close()


@asynccontextmanager
async def open_operator_socket(
    directory: Path, operations: Operations, listeners: Sockets, tasks: anyio.abc.TaskGroup
) -> AsyncIterator[None]:
    """Serve the socket in a directory that only its owner may enter. `listeners` are passed to a
    platform that replaces this one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, _short(directory) as short:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(short / _NAME)
        listener.bind(str(short / _NAME))
        os.chmod(short / _NAME, 0o600)
        listener.listen(16)
        listener.setblocking(False)
        server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Connection(operations, listeners, tasks), sock=listener
        )
        try:
            yield
        finally:
            server.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(short / _NAME)


def is_served(directory: Path) -> bool:
    """Whether a directory has the socket of a platform, which may have been killed."""
    return (directory / _NAME).exists()


def ask(directory: Path, operation: str, deadline_s: float) -> Any:
    """Ask the platform whose socket is in a directory. Raises OperatorSocketError."""
    with (
        _asked(directory, operation, deadline_s) as connection,
        connection.makefile("rb") as answers,
    ):
        return _result_of(operation, answers.readline(_ANSWER_MAX))


def take_listeners(directory: Path, deadline_s: float) -> Sockets:
    """The listening sockets of the platform whose operator socket is in a directory; it serves them
    until it ends. Raises OperatorSocketError."""
    with _asked(directory, LISTENERS, deadline_s) as connection:
        # One message: Unix sockets do not split one that has descriptors.
        text, descriptors, *_ = socket.recv_fds(connection, _NAMES_MAX, _DESCRIPTORS_MAX)
        try:
            names = [str(name) for name in _result_of(LISTENERS, text)]
            return sockets_of(names, descriptors)
        except ListeningError as error:
            raise OperatorSocketError(f"cannot take over its sockets: {error}") from error
        except OperatorSocketError:
            for descriptor in descriptors:
                os.close(descriptor)
            raise


@contextmanager
def _asked(directory: Path, operation: str, deadline_s: float) -> Iterator[socket.socket]:
    """A connection on which an operation was requested. Raises OperatorSocketError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(deadline_s)
            with _short(directory) as short:
                connection.connect(str(short / _NAME))
            connection.sendall(operation.encode() + b"\n")
            yield connection
    except OSError as error:
        raise OperatorSocketError(f"cannot ask the platform: {error}") from error


def _result_of(operation: str, text: bytes) -> Any:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OperatorSocketError("the platform ended before it answered") from error
    if "error" in answer:
        raise OperatorSocketError(f"cannot {operation}: {answer['error']}")
    return answer["ok"]


@contextmanager
def _short(directory: Path) -> Iterator[Path]:
    """A short path of a directory: the path of a socket has 107 bytes at most."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
