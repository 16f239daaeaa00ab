"""Telemetry on its way to an extension, while its box is in trouble."""

import asyncio
import socket

import anyio
import pytest

from lambent.kit.clock import SystemClock
from lambent.node.apis.subscriptions import Subscription
from lambent.node.apis.telemetry_api import SubscriptionRequest
from lambent.sandbox.ports import SandboxError

pytestmark = pytest.mark.anyio


async def test_a_box_without_a_socket_is_asked_again() -> None:
    """The launcher may be gone, or too busy: what was offered is delivered when it is not."""
    failures: list[Exception] = [SandboxError("the launcher is gone"), OSError(24, "too many")]
    notified = anyio.Event()
    body = bytearray()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body.extend(await reader.readline())
        notified.set()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def open_socket() -> socket.socket:
        if failures:
            raise failures.pop(0)
        return socket.socket()

    request = SubscriptionRequest(
        schema="2022-12-13",
        types=frozenset({"function"}),
        method="POST",
        port=port,
        path=None,
        items_max=1000,
        bytes_max=262_144,
        timeout_s=0.0,
        is_legacy=False,
    )
    subscription = Subscription("extension", request, open_socket, SystemClock())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(subscription.run)
        subscription.offer("function", 0.0, "hello")
        with anyio.fail_after(10):
            await notified.wait()
        subscription.close()
    server.close()
    assert b'"record":"hello"' in body
    assert failures == []
