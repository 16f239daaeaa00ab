"""The door for the owner of a data directory."""

import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from lambent.instance import operator_socket
from lambent.instance.operator_socket import (
    OperatorSocketError,
    ask,
    open_operator_socket,
    take_listeners,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The loop that the platform runs on."""
    return "asyncio", {"use_uvloop": True}


async def answer() -> dict[str, Any]:
    """An operation that works."""
    return {"text": "ü" * 100_000}


async def fail() -> None:
    """One that does not."""
    raise ValueError("a secret")


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[None]:
    """The door, with two operations."""
    async with anyio.create_task_group() as tasks:
        async with open_operator_socket(directory, {"answer": answer, "fail": fail}, {}, tasks):
            yield
        tasks.cancel_scope.cancel()


async def ask_in_thread(directory: Path, operation: str) -> Any:
    """Call `ask` in a thread."""
    return await anyio.to_thread.run_sync(ask, directory, operation, 10.0)


def say(directory: Path, data: bytes) -> bytes:
    """Send any bytes; returns the response until the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(directory / "operator.sock"))
        try:
            connection.sendall(data)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionError:
            return b""
        return received


async def test_requests(tmp_path: Path) -> None:
    """Each gets its response; a failure reveals only its kind, and ends nothing."""
    async with opened(tmp_path):
        for _ in range(2):
            assert await ask_in_thread(tmp_path, "answer") == await answer()
            with pytest.raises(OperatorSocketError, match="ValueError") as failure:
                await ask_in_thread(tmp_path, "fail")
            assert "a secret" not in str(failure.value)
            with pytest.raises(OperatorSocketError, match="no operation 'delete'"):
                await ask_in_thread(tmp_path, "delete")
    with pytest.raises(OperatorSocketError, match="cannot ask the platform"):
        await ask_in_thread(tmp_path, "answer")


async def test_only_the_owner_may_enter(tmp_path: Path) -> None:
    """And what a killed platform left in its place is replaced."""
    (tmp_path / "operator.sock").write_text("left")
    async with opened(tmp_path):
        mode = (tmp_path / "operator.sock").lstat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert os.listdir(tmp_path) == []


async def test_a_long_path(tmp_path: Path) -> None:
    """Sockets have short names, directories need not."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    async with opened(deep):
        assert await ask_in_thread(deep, "answer")


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"x" * 1_000_000, b""),
        (b"x" * 200 + b"\nanswer\n", b""),
        (b"\xff\x00\n", b'{"error": "there is no operation'),
        (b"\n", b'{"error": "there is no operation \'\'"}'),
        (b"fail\nfail\nfail\n", b'{"error": "it failed: ValueError'),
    ],
)
async def test_bad_requests(tmp_path: Path, sent: bytes, received: bytes) -> None:
    """Get one response or are cut off, and others are served."""
    async with opened(tmp_path):
        came = await anyio.to_thread.run_sync(say, tmp_path, sent)
        assert came.startswith(received)
        assert came.count(b"\n") == bool(received)
        assert await ask_in_thread(tmp_path, "answer")


async def test_who_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off after a while; a client that leaves before the response does no harm."""
    monkeypatch.setattr(operator_socket, "_REQUEST_S", 0.05)
    async with opened(tmp_path):
        assert await anyio.to_thread.run_sync(say, tmp_path, b"answ") == b""
        for _ in range(20):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(tmp_path / "operator.sock"))
                connection.sendall(b"answer\n")
        assert await ask_in_thread(tmp_path, "answer")


async def test_no_platform(tmp_path: Path) -> None:
    """The error is one sentence, whatever is missing."""
    (tmp_path / "operator.sock").write_text("no socket")
    for directory in (tmp_path, tmp_path / "missing"):
        with pytest.raises(OperatorSocketError, match="cannot ask the platform"):
            await ask_in_thread(directory, "answer")


async def test_listening_sockets_are_passed(tmp_path: Path) -> None:
    """They are the same sockets; a platform that has closed them says that it is stopping."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with anyio.create_task_group() as tasks:
            async with open_operator_socket(tmp_path, {}, {"front": listener}, tasks):
                found = await anyio.to_thread.run_sync(take_listeners, tmp_path, 10.0)
                with found["front"] as passed:
                    assert passed.getsockname() == listener.getsockname()
                    assert not passed.get_inheritable()
                listener.close()
                with pytest.raises(OperatorSocketError, match="stopping"):
                    await anyio.to_thread.run_sync(take_listeners, tmp_path, 10.0)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "response",
    [b"", b"{", b'{"ok": ["front"]}\n', b'{"error": "there is no operation"}\n', b"[" * 4096],
)
async def test_a_platform_that_passes_no_sockets(tmp_path: Path, response: bytes) -> None:
    """An older release, and a process that breaks the protocol: the error says so."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "operator.sock"))
        listener.listen()

        def respond() -> None:
            with listener.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(response)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, respond)
            with pytest.raises(OperatorSocketError):
                await anyio.to_thread.run_sync(take_listeners, tmp_path, 10.0)
