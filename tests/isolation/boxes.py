"""Real boxes for tests: a launcher, its client, programs in boxes, and the host's view of them."""

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import select
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio

from lambent.sandbox.client import (
    Launcher,
    LauncherBox,
    LauncherHandle,
    open_sandboxes,
    start_launcher,
)
from lambent.sandbox.ports import BoxSpec, ExitStatus, Mount, Process, ProcessSpec, Volume
from lambent.sandbox.settings import SandboxSettings

REPOSITORY = Path(__file__).parents[2]
INTERPRETER = Path(os.path.realpath(sys.base_prefix))
PYTHON = f"/var/lang/bin/python3.{sys.version_info.minor}"
DEADLINE_S = 30
PRELUDE = """
import ctypes, errno, json, os, resource, signal, socket, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def outcome(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]
def tell(value):
    print(json.dumps(value), flush=True)
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A process spawned into a box."""

    process: Process
    ended: asyncio.Future[ExitStatus]
    """How it ended, once it has."""

    async def status(self) -> ExitStatus:
        """Wait for the end."""
        with anyio.fail_after(DEADLINE_S):
            return await asyncio.shield(self.ended)

    async def read(self, fd: int | None = None) -> bytes:
        """The next chunk of its output, empty at the end."""
        fd = self.process.stdout if fd is None else fd
        with anyio.fail_after(DEADLINE_S):
            await anyio.wait_readable(fd)
        return os.read(fd, 1 << 20)

    async def line(self) -> str:
        """The next line of output; read byte by byte, so that nothing after it is lost."""
        line = b""
        while not line.endswith(b"\n"):
            with anyio.fail_after(DEADLINE_S):
                await anyio.wait_readable(self.process.stdout)
            chunk = os.read(self.process.stdout, 1)
            assert chunk, f"the program ended after {line!r}"
            line += chunk
        return line.decode().strip()

    async def output(self) -> str:
        """All its output, until every process that could write has ended."""
        chunks = []
        while chunk := await self.read():
            chunks.append(chunk)
        return b"".join(chunks).decode()

    def close(self) -> None:
        """Close the pipes."""
        for fd in (self.process.stdout, self.process.log_pipe):
            if fd is not None:
                os.close(fd)


@dataclasses.dataclass(frozen=True, slots=True)
class Inside:
    """A box, as its user sees it."""

    box: LauncherBox

    async def start(
        self, code: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Program:
        """Start Python code after `PRELUDE`."""
        argv = [PYTHON, "-I", "-S", "-c", PRELUDE + textwrap.dedent(code), *arguments]
        return await self.spawn(argv, environment)

    async def spawn(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
        log_pipe_variable: str | None = None,
    ) -> Program:
        ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        spec = ProcessSpec(
            argv=argv, environment=environment or {}, log_pipe_variable=log_pipe_variable
        )
        return Program(await self.box.spawn(spec, ended.set_result), ended)

    async def run(self, code: str, *arguments: str) -> Any:
        """The result that Python code printed, after it exited with 0."""
        program = await self.start(code, *arguments)
        try:
            output, status = await program.output(), await program.status()
        finally:
            program.close()
        assert status == ExitStatus(code=0), (status, output)
        return json.loads(output)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A launcher and the directories of a test."""

    handle: LauncherHandle
    instance: str
    code: Path
    """A root of allowed mounts, mounted at /var/task."""
    work: Path

    @property
    def launcher_pid(self) -> int:
        return self.handle.process.pid

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Opened"]:
        async with open_sandboxes(self.handle, SandboxSettings()) as sandboxes:
            yield Opened(self, sandboxes)

    def mounts(self) -> list[Mount]:
        """The code and an interpreter."""
        return [
            Mount(source=str(self.code), target="/var/task"),
            Mount(source=str(INTERPRETER), target="/var/lang"),
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """A launcher with its client."""

    site: Site
    sandboxes: Launcher

    @asynccontextmanager
    async def volume(self, size_mb: int = 16) -> AsyncIterator[Volume]:
        volume = await self.sandboxes.open_volume(size_mb)
        try:
            yield volume
        finally:
            await volume.close()

    @asynccontextmanager
    async def box(
        self, memory_mb: int = 512, volume: Volume | None = None
    ) -> AsyncIterator[Inside]:
        async with contextlib.AsyncExitStack() as stack:
            if volume is None:
                volume = await stack.enter_async_context(self.volume())
            box = await self.sandboxes.open_box(
                BoxSpec(memory_mb=memory_mb, mounts=self.site.mounts(), volume=volume)
            )
            stack.push_async_callback(box.close)
            yield Inside(box)


@contextmanager
def start_site(
    work: Path, *, tier: str = "root", instance: str | None = None, settings: Any = None
) -> Iterator[Site]:
    """Start a launcher for a single test; it ends with the context."""
    instance = instance or uuid.uuid4().hex[:12]
    code = work / "code"
    code.mkdir(exist_ok=True)
    code.chmod(0o755)
    (code / "app.txt").write_text("the code")
    handle = start_launcher(
        settings or SandboxSettings(),
        tier=tier,
        directory=work / "sandbox",
        roots=[code, INTERPRETER],
        instance=instance,
    )
    try:
        yield Site(handle=handle, instance=instance, code=code, work=work)
    finally:
        handle.close()


# -- the host's view -----------------------------------------------------------------------


IS_SYSTEMD = Path("/run/systemd/system").is_dir()
"""Whether systemd manages this host's cgroups."""


def cgroups_of(instance: str) -> list[Path]:
    """All cgroups of an instance: its own directories and the boxes'."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup"):
            # Groups of other tests come and go meanwhile, which `walk` tolerates.
            found += [Path(at) for at, _, _ in os.walk(fields.split(" ")[4])]
    # A scope's name continues after it.
    return [path for path in found if f"/lambent-{instance}" in str(path)]


def loop_devices_below(directory: Path) -> list[str]:
    """Loop devices whose file is or was below a directory."""
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if str(directory) in file.read_text():
                found.append(file.parts[3])
    return found


def descendants(pid: int) -> list[int]:
    """Every descendant of a process."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    found = [int(child) for child in children]
    return found + [below for child in found for below in descendants(child)]


def status_of(pid: int | str) -> dict[str, str]:
    """Fields of /proc/PID/status."""
    return dict(re.findall(r"(\w+):\t(.*)", Path(f"/proc/{pid}/status").read_text()))


class Watched:
    """Processes, watched until they are dead; their pids may be reused meanwhile."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pidfds = [os.pidfd_open(pid) for pid in pids]

    def assert_die(self, deadline_s: float = 10) -> None:
        """Wait until all have ended."""
        for pidfd in self._pidfds:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            assert poll.poll(deadline_s * 1000), "a process is still alive"
            os.close(pidfd)


async def settled(sample: Callable[[], Any]) -> Any:
    """The value of a sample once it has stopped changing."""
    last, since = sample(), anyio.current_time()
    with anyio.fail_after(DEADLINE_S):
        while anyio.current_time() - since < 0.3:
            await anyio.sleep(0.02)
            if (now := sample()) != last:
                last, since = now, anyio.current_time()
    return last


async def until(condition: Callable[[], Any], description: str) -> Any:
    """Poll until a condition is true."""
    with anyio.move_on_after(DEADLINE_S):
        while True:
            if value := condition():
                return value
            await anyio.sleep(0.01)
    raise AssertionError(f"never happened: {description}")
