"""Starts, watches, restarts and stops the emulator's process.

The platform owns the listening socket and keeps it open between restarts, so the address does not
change. The process ends when its stdin closes, which the kernel does however the platform ends.
"""

import contextlib
import http.client
import json
import logging
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from lambent.kit.clock import Clock
from lambent.kit.tasks import shielded, start_loop, start_part
from lambent.node.environment.variables import ENDPOINT_URL
from lambent.services.endpoints import LOCAL_SERVICES
from lambent.services.settings import ServicesSettings

logger = logging.getLogger(__name__)

_PROGRAM = Path(__file__).with_name("local_services_program.py")
_PAUSE_S_MIN, _PAUSE_S_MAX = 0.25, 30.0
_STEADY_S = 60.0
"""A process that ran this long is restarted with the shortest pause."""
_STOP_S = 20.0
_POLL_S = 0.1
_LOOK_S = 5.0
_LINE_MAX = 16 * 1024
_OWN = frozenset({"iam", "sts"})
"""Services that the emulator uses itself; requests for them never reach it."""
_NO_SERVICES = frozenset({"s3-object-lambda"})
"""Signing names that belong to another service in the emulator."""


class LocalServices:
    """Owns the emulator's process."""

    def __init__(
        self,
        settings: ServicesSettings,
        clock: Clock,
        *,
        packages: Path,
        data: Path,
        directory: Path,
        listener: socket.socket | None = None,
        is_elsewhere: bool = False,
    ) -> None:
        """`directory`, in the platform's data directory, is for the emulator only. `listener` is
        its socket, if that exists already. With `is_elsewhere` another process runs it."""
        self._settings = settings
        self._clock = clock
        self._packages = packages
        self._data = data
        self._directory = directory
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._is_elsewhere = is_elsewhere
        self._ready = anyio.Event()
        if is_elsewhere:
            self._ready.set()  # The kernel queues connections until it responds.
        self.token = secrets.token_urlsafe(32)
        """Authenticates deliveries of the emulator."""

    @property
    def url(self) -> str:
        """The emulator's endpoint."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def wait_ready(self, deadline_s: float) -> bool:
        """Wait until the emulator responds; returns whether it does."""
        with anyio.move_on_after(deadline_s):
            await self._ready.wait()
        return self._ready.is_set()

    @asynccontextmanager
    async def running(
        self, deliveries: tuple[str, int], environment: Mapping[str, str]
    ) -> AsyncIterator[None]:
        """Run the emulator; yields after its first response. It sends events for functions to
        `deliveries`. If it is not ready in time, this is logged and the start is retried. Yields
        at once if another process runs it."""
        if self._is_elsewhere:
            yield
            return
        self._directory.mkdir(mode=0o700, exist_ok=True)
        address = {"host": deliveries[0], "port": deliveries[1], "token": self.token}
        config = {
            "directory": str(self._directory),
            "data": str(self._data),
            "packages": str(self._packages),
            "listener": self._listener.fileno(),
            "memory_bytes": self._settings.memory_mb << 20,
            "deliveries": address,
            "box_endpoint": ENDPOINT_URL,
        }
        async with anyio.create_task_group() as tasks:
            document = json.dumps(config).encode()
            start_loop(tasks, self._clock, self._supervise, document, environment)
            if not await self.wait_ready(self._settings.start_deadline_s):
                logger.error("the platform goes on without the emulator of other services")
            yield
            tasks.cancel_scope.cancel()

    def close(self) -> None:
        """Close the listening socket."""
        self._listener.close()

    async def _supervise(self, config: bytes, environment: Mapping[str, str]) -> None:
        pause_s = _PAUSE_S_MIN
        while True:
            began = self._clock.monotonic()
            code = await self._run_once(config, environment)
            if self._clock.monotonic() - began > _STEADY_S:
                pause_s = _PAUSE_S_MIN
            logger.error(
                "the emulator of other services has ended (%s); it restarts in %g s",
                code, pause_s,
            )  # fmt: skip
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)

    async def _run_once(self, config: bytes, environment: Mapping[str, str]) -> int:
        """Run the process until it ends; returns its exit code."""
        process = await anyio.open_process(
            [sys.executable, "-I", "-S", "-B", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._directory,
            env=environment,
            pass_fds=[self._listener.fileno()],
            start_new_session=True,
        )
        try:
            async with anyio.create_task_group() as tasks:
                start_part(tasks, self._follow_output, process)
                assert process.stdin is not None
                with contextlib.suppress(OSError, anyio.BrokenResourceError):
                    await process.stdin.send(config + b"\n")
                start_part(tasks, self._watch, process)
                code = await process.wait()
                tasks.cancel_scope.cancel()
        finally:
            if self._ready.is_set():
                self._ready = anyio.Event()
            await shielded(lambda: self._stop(process), deadline_s=_STOP_S + 5)
        return code

    async def _watch(self, process: anyio.abc.Process) -> None:
        """Check that the emulator responds, at its start and later; kill it if it does not."""
        while await self._gets_ready():
            self._ready.set()
            await self._clock.sleep(_LOOK_S)
        logger.error("the emulator of other services does not answer")
        process.kill()

    async def _gets_ready(self) -> bool:
        address = self._listener.getsockname()[:2]
        with anyio.move_on_after(self._settings.start_deadline_s):
            while not await anyio.to_thread.run_sync(_answers, address, abandon_on_cancel=True):
                await self._clock.sleep(_POLL_S)
            return True
        return False

    async def _stop(self, process: anyio.abc.Process) -> None:
        """Let it save its state, then end it."""
        assert process.stdin is not None
        await process.stdin.aclose()
        try:
            async with anyio.create_task_group() as tasks:
                start_part(tasks, self._follow_output, process)
                with anyio.move_on_after(_STOP_S):
                    await process.wait()
                tasks.cancel_scope.cancel()
        finally:
            await process.aclose()

    async def _follow_output(self, process: anyio.abc.Process) -> None:
        """Copy its output to the platform's log, line by line."""
        assert process.stdout is not None
        lines = BufferedByteReceiveStream(process.stdout)
        while True:
            try:
                line = await lines.receive_until(b"\n", _LINE_MAX)
            except anyio.DelimiterNotFound:
                line = await lines.receive(_LINE_MAX)
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.ClosedResourceError):
                return
            if text := line.decode(errors="replace").strip():
                logger.warning("emulator: %s", text)


def _answers(address: tuple[str, int]) -> bool:
    """Whether the process serves requests; a connection alone proves nothing, the socket is open
    always."""
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def environment_of(directory: Path, *, account: str, region: str, port: int) -> dict[str, str]:
    """The environment variables of the process; none of the platform's are among them. `port` is
    the platform's: URLs in responses contain it if the request does not name a host."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "SERVICES": ",".join(sorted((LOCAL_SERVICES | _OWN) - _NO_SERVICES)),
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "PERSIST_STATE": "1",
        "TMPDIR": str(directory / "tmp"),
        "STATE_DIR": str(directory / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(directory / "s3"),
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        # No Docker must be searched for.
        "DOCKER_HOST": f"unix://{directory}/none",
    }
