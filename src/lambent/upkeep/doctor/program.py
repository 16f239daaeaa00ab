"""A small program in a box: its output and its end."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from lambent.sandbox.client import LauncherBox
from lambent.sandbox.ports import ExitStatus, Process, ProcessSpec
from lambent.upkeep.doctor.steps import Failed

DEADLINE_S = 10
_QUIET_S = 0.1


class TrialProgram:
    """A process of a box. What is waited for raises `TimeoutError` after `DEADLINE_S`."""

    def __init__(self, process: Process, ended: "asyncio.Future[ExitStatus]") -> None:
        self.process = process
        self._ended = ended

    async def end(self) -> ExitStatus:
        """How it ended."""
        with anyio.fail_after(DEADLINE_S):
            return await asyncio.shield(self._ended)

    async def read(self) -> bytes:
        """The next chunk of its output; empty when there will be no more."""
        with anyio.fail_after(DEADLINE_S):
            await anyio.wait_readable(self.process.stdout)
        return os.read(self.process.stdout, 1 << 16)

    async def output(self) -> str:
        """All of its output."""
        chunks = []
        while chunk := await self.read():
            chunks.append(chunk)
        return b"".join(chunks).decode(errors="replace")

    async def become_quiet(self) -> None:
        """Wait until it prints no more. Raises `Failed` if it goes on."""
        give_up = time.monotonic() + DEADLINE_S
        while time.monotonic() < give_up:
            with anyio.move_on_after(_QUIET_S) as waiting:
                if not await self.read():
                    raise Failed("it ended instead")
            if waiting.cancelled_caught:
                return
        raise Failed("it goes on printing")


@asynccontextmanager
async def start(box: LauncherBox, script: str) -> AsyncIterator[TrialProgram]:
    """Run a shell script in a box. Raises `SandboxError`."""
    ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
    spec = ProcessSpec(
        argv=["/bin/sh", "-c", script], environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    )
    process = await box.spawn(spec, ended.set_result)
    try:
        yield TrialProgram(process, ended)
    finally:
        os.close(process.stdout)
