"""Notifications to a service manager: systemd's protocol, on a socket of the test."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from lambent.kit.clock import ManualClock
from lambent.kit.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def news(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A manager's socket, and its address as `$NOTIFY_SOCKET` has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        name = f"lambent-test-{os.getpid()}-{os.urandom(4).hex()}"
        address = f"@{name}" if request.param == "abstract" else f"{tmp_path}/n"
        bound.bind(f"\0{name}" if request.param == "abstract" else address)
        bound.settimeout(5)
        yield bound, address


def test_a_start_and_an_end_are_reported(news: tuple[socket.socket, str]) -> None:
    """Each as one datagram; the variable is unset, so that no child process reports anything."""
    bound, address = news
    environment = {"NOTIFY_SOCKET": address, "OTHER": "stays"}
    manager = ServiceManager(environment)
    assert environment == {"OTHER": "stays"}
    manager.tell_status("one\nline")
    assert bound.recv(1000) == b"STATUS=one line"
    manager.tell_ready("Listening")
    assert bound.recv(1000).splitlines() == [b"READY=1", b"STATUS=Listening"]
    manager.tell_stopping()
    assert bound.recv(1000).splitlines()[0] == b"STOPPING=1"
    manager.close()


def test_without_a_service_manager_nothing_is_sent() -> None:
    """Without a manager, and with one that cannot be reached or has gone, nothing happens."""
    ServiceManager({}).tell_ready("x")
    ServiceManager({"NOTIFY_SOCKET": "/nonexistent/socket"}).tell_ready("x")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind("")
        manager = ServiceManager({"NOTIFY_SOCKET": "@" + bound.getsockname()[1:].decode()})
    manager.tell_ready("x")
    manager.tell_stopping()


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 4),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "many"}, 0),
        ({}, 0),
    ],
)
def test_signs_of_life(tmp_path: Path, variables: dict[str, str], sent: int) -> None:
    """Three in the time after which one is missed, if this process is meant."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"{tmp_path}/n")
        bound.setblocking(False)
        manager = ServiceManager({"NOTIFY_SOCKET": f"{tmp_path}/n", **variables})

        async def show() -> None:
            clock = ManualClock()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(manager.show_life, clock)
                for _ in range(3):
                    await anyio.wait_all_tasks_blocked()
                    clock.advance(1.0)
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

        anyio.run(show)
        manager.close()
        received = []
        while True:
            try:
                received.append(bound.recv(100))
            except BlockingIOError:
                break
    assert received == [b"WATCHDOG=1"] * sent
