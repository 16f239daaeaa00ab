"""A port in front of a server; tests can cut and refuse its connections."""

import socket
import ssl
import struct
import threading
from contextlib import ExitStack
from typing import Self

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream, SocketAttribute, TaskStatus
from anyio.from_thread import start_blocking_portal
from anyio.streams.tls import TLSStream

from tests.platforms import wait_for
from tests.servers.processes import free_port

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_ENDS = (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError)


class Proxy:
    """Forwards connections to a loopback port; with TLS, if a context is given.

    Use it as a context manager. It runs on its own thread, because tests without an event loop use
    it too.
    """

    def __init__(
        self, target_port: int, *, port: int | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = port or free_port()
        self._target_port = target_port
        self._tls = tls
        self._open: dict[anyio.CancelScope, ByteStream] = {}
        self._passing = threading.Event()
        self._passing.set()
        self._stack = ExitStack()

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def wait_connected(self) -> None:
        """Wait until a client has a connection."""
        wait_for(lambda: self._open, f"a client has connected to port {self.port}")

    def cut(self) -> None:
        """Reset all connections; new ones are accepted."""
        self._portal.call(self._cut)

    def silence(self, is_silent: bool) -> None:
        """Whether traffic is held back, as when a network fails: connections are accepted and stay
        open, but nothing arrives, not even their end. Held data is forwarded afterwards."""
        (self._passing.clear if is_silent else self._passing.set)()

    def refuse(self, refuses: bool) -> None:
        """Whether new connections are refused, as if no server ran. Existing ones stay."""
        self._portal.call(self._stop_listening)
        if not refuses:
            self._portal.start_task(self._listen)

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._running, _ = self._portal.start_task(self._run)
        self._portal.start_task(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse(True)
        self._running.cancel()
        self._stack.close()

    async def between(self, client: ByteStream, server: ByteStream) -> None:
        """Handle a connection until it ends."""
        await join(_Gate(client, self._passing), client, _Gate(server, self._passing))

    async def _run(self, *, task_status: TaskStatus[None]) -> None:
        """Connections outlive the listener, so they have a separate task group."""
        async with anyio.create_task_group() as self._connections:
            task_status.started()
            await anyio.sleep_forever()

    async def _listen(self, *, task_status: TaskStatus[None]) -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self.port)
        self._closed = anyio.Event()
        with anyio.CancelScope() as self._listening:
            async with listener:
                task_status.started()
                await listener.serve(self._connected, self._connections)
        self._closed.set()

    async def _stop_listening(self) -> None:
        self._listening.cancel()
        await self._closed.wait()

    async def _connected(self, stream: ByteStream) -> None:
        with anyio.CancelScope() as scope:
            self._open[scope] = stream
            try:
                async with stream, await anyio.connect_tcp("127.0.0.1", self._target_port) as to:
                    await self.between(await self._secured(stream), to)
            except _ENDS:
                pass  # either side may close at any time
            finally:
                del self._open[scope]

    async def _secured(self, stream: ByteStream) -> ByteStream:
        if self._tls is None:
            return stream
        return await TLSStream.wrap(
            stream, server_side=True, ssl_context=self._tls, standard_compatible=False
        )

    async def _cut(self) -> None:
        for scope, stream in self._open.items():
            raw = stream.extra(SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            scope.cancel()


class _Gate(ByteStream):
    """A stream that returns nothing while traffic is held back."""

    def __init__(self, inner: ByteStream, passing: threading.Event) -> None:
        self._inner = inner
        self._passing = passing

    async def receive(self, max_bytes: int = 65536) -> bytes:
        try:
            return await self._inner.receive(max_bytes)
        finally:
            while not self._passing.is_set():  # noqa: ASYNC110 - set by another thread
                await anyio.sleep(0.05)

    async def send(self, item: bytes) -> None:
        await self._inner.send(item)

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def aclose(self) -> None:
        await self._inner.aclose()


async def join(reader: ByteReceiveStream, writer: ByteSendStream, server: ByteStream) -> None:
    """Forward bytes both ways between a client and a server until one of them ends."""

    async def pass_on(source: ByteReceiveStream, sink: ByteSendStream) -> None:
        try:
            async for data in source:
                await sink.send(data)
        except _ENDS:
            pass
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pass_on, reader, server)
        tasks.start_soon(pass_on, server, writer)
