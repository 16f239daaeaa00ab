"""A port of the host's loopback that leads to the debugger inside one box.

Nothing of it is reachable from another host or from a box: the host's loopback is not part of a
box's network, and each connection goes through a socket that the launcher makes in the network of
this box.
"""

import asyncio
import contextlib
import socket

import anyio
from anyio.abc import SocketAttribute, SocketListener, SocketStream

from lambent.invocation.debugging import port_taken
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_task
from lambent.sandbox.ports import Box, SandboxError

HOST = "127.0.0.1"
_CONNECTIONS_MAX = 16
_CHUNK_BYTES = 64 << 10
_CONNECT_S = 30.0
"""Seconds that a client waits for the debugger to listen."""
_RETRY_S = 0.1


class DebugPort:
    """See the module. It listens from the beginning, so a client may come before the debugger."""

    def __init__(
        self, box: Box, listener: SocketListener, debugger_port: int, clock: Clock
    ) -> None:
        self._box = box
        self._listener = listener
        self._debugger_port = debugger_port
        self._clock = clock
        self._clients = 0
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        """Serve clients until closed."""
        with self._scope:
            async with self._listener:
                await self._listener.serve(self._serve)

    def close(self) -> None:
        """Disconnect every client and listen no more. Idempotent."""
        self._scope.cancel()
        # At once: the next call may use the same port.
        self._listener.extra(SocketAttribute.raw_socket).close()

    async def _serve(self, client: SocketStream) -> None:
        async with client:
            if self._clients >= _CONNECTIONS_MAX:
                return
            self._clients += 1
            try:
                reader, writer = await self._connect()
                with contextlib.closing(writer):
                    async with anyio.create_task_group() as both:
                        start_task(both, None, _to_box, client, writer)
                        start_task(both, None, _from_box, reader, client)
            except (OSError, SandboxError, TimeoutError, anyio.BrokenResourceError):
                pass  # The client sees that its connection ends.
            finally:
                self._clients -= 1

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the debugger, as soon as it listens."""
        deadline = self._clock.monotonic() + _CONNECT_S
        while True:
            opened = await self._box.open_socket()
            try:
                opened.setblocking(False)
                address = (HOST, self._debugger_port)
                await asyncio.get_running_loop().sock_connect(opened, address)
                return await asyncio.open_connection(sock=opened, limit=_CHUNK_BYTES)
            except BaseException as error:
                opened.close()
                is_early = isinstance(error, ConnectionRefusedError)
                if not is_early or self._clock.monotonic() > deadline:
                    raise
            await self._clock.sleep(_RETRY_S)


async def open_debug_port(box: Box, port: int, debugger_port: int, clock: Clock) -> DebugPort:
    """Listen on the port. The result is to be run, and closed. Raises `ApiError` if the port is
    in use."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((HOST, port))
        bound.listen(_CONNECTIONS_MAX)
    except OSError:
        bound.close()
        raise port_taken(port) from None
    listener = await SocketListener.from_socket(bound)
    return DebugPort(box, listener, debugger_port, clock)


async def _to_box(client: SocketStream, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, OSError):
        while True:
            writer.write(await client.receive(_CHUNK_BYTES))
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


async def _from_box(reader: asyncio.StreamReader, client: SocketStream) -> None:
    with contextlib.suppress(anyio.BrokenResourceError, OSError):
        while data := await reader.read(_CHUNK_BYTES):
            await client.send(data)
        await client.send_eof()
