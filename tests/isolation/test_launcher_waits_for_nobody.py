"""The launcher serves all callers in one loop: it does nothing slow there, and skips work whose
caller no longer waits."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from lambent.sandbox.ports import ExitStatus, Mount, SandboxBusy, StartSpec, Template
from tests.isolation.boxes import INTERPRETER, PYTHON, Opened, Site, until
from tests.isolation.test_launcher import ask
from tests.yardstick import slowdown

pytestmark = [
    pytest.mark.root,
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes namespaces and cgroups"),
]

SHORT_S = 2.0
"""Seconds for a request that takes milliseconds, on two busy cores."""
WAITS_FOR_A_FUNCTION = """
import os, socket
control = socket.socket(fileno=4)
control.send(b"ready")
said = b""
while chunk := control.recv(65536):
    said += chunk
os.write(1, said)
"""


def template_of(name: str, code: str = WAITS_FOR_A_FUNCTION) -> Template:
    """A runtime that prints its variables."""
    mounts = [Mount(source=str(INTERPRETER), target="/var/lang")]
    argv = [PYTHON, "-I", "-S", "-c", code]
    return Template(name=name, argv=argv, environment={}, mounts=mounts, forks=False)


def spec_of(site: Site, volume_mb: int, **environment: str) -> StartSpec:
    mounts = [Mount(source=str(site.code), target="/var/task")]
    return StartSpec(
        memory_mb=128,
        mounts=mounts,
        environment=environment,
        volume_mb=volume_mb,
        log_pipe_variable="LOG",
    )


@asynccontextmanager
async def started(opened: Opened, template: Template, spec: StartSpec) -> AsyncIterator[str]:
    """Start from a template; returns the variables that the runtime received."""

    def ignore(_: ExitStatus) -> None:
        pass

    one = await opened.sandboxes.start(template, spec, ignore)
    try:
        await anyio.wait_readable(one.process.stdout)
        yield os.read(one.process.stdout, 65536).decode()
    finally:
        for fd in (one.process.stdout, one.process.log_pipe):
            assert fd is not None
            os.close(fd)
        await one.box.close()
        await one.volume.close()


async def test_new_sizes_of_volumes_delay_no_request(opened: Opened) -> None:
    """Creating a file system of a new size takes long: callers that request a known size are served
    meanwhile. Few sizes are kept on the disk."""
    took: list[float] = []
    made: list[int] = []

    async def want(size_mb: int) -> None:
        async with opened.volume(size_mb):
            made.append(size_mb)

    async with opened.volume(16):
        pass
    before = slowdown()
    async with anyio.create_task_group() as tasks:
        for size_mb in range(100, 140):
            tasks.start_soon(want, size_mb)
        while len(made) < 40:
            began = time.monotonic()
            async with opened.volume(16):
                took.append(time.monotonic() - began)
            await anyio.sleep(0.05)
    assert max(took) < SHORT_S * max(before, slowdown()), took
    kept = list((opened.site.work / "sandbox" / "volumes").glob("template-*"))
    assert len(kept) <= 32
    assert "template-16" in {path.name for path in kept}


async def test_any_number_of_kinds_may_have_been_wanted(opened: Opened) -> None:
    """With hundreds of registered templates, the next one and the first one work."""
    first = template_of("first")
    async with started(opened, first, spec_of(opened.site, 16, A="b")) as line:
        assert '"A": "b"' in line
    for number in range(300):
        opened.sandboxes.prepare(template_of(f"t{number}"), 16)
    for template in (template_of("last"), first):
        async with started(opened, template, spec_of(opened.site, 16, A="c")) as line:
            assert '"A": "c"' in line


async def test_work_without_a_caller_is_not_done(site: Site) -> None:
    """A request that is past its deadline is refused before any work is done for it."""
    end = site.handle.socket
    late: Mapping[str, Any] = {"op": "open_volume", "size_mb": 16, "deadline": time.monotonic() - 1}
    for number in range(3):
        assert "too long" in ask(end, {"id": number, **late})["error"]
    assert ask(end, {"id": 4, "op": "open_volume", "size_mb": 16})["ok"] == {"volume": "v1"}


async def test_what_was_not_sent_is_withdrawn(opened: Opened) -> None:
    """The launcher does not read for a long time: requests beyond the socket's buffer are dropped
    when their callers no longer wait."""
    sandboxes = opened.sandboxes
    sandboxes._deadline_s = 0.5
    refused = 0

    async def want() -> None:
        nonlocal refused
        with pytest.raises(SandboxBusy):
            await sandboxes.request(
                "open_volume", lambda *_: None, lambda _: None, size_mb=16, more="x" * 50_000
            )
        refused += 1

    os.kill(opened.site.launcher_pid, signal.SIGSTOP)
    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(want)
            await anyio.sleep(0.1)
            assert sandboxes._unsent
        assert refused == 50
        assert not sandboxes._unsent
    finally:
        os.kill(opened.site.launcher_pid, signal.SIGCONT)
        sandboxes._deadline_s = 15
    await until(lambda: not sandboxes._pending, "answers to all that was sent")


async def test_kinds_take_turns(opened: Opened) -> None:
    """Endless starts of one template do not prevent those of another."""
    site = opened.site
    many, other = template_of("many"), template_of("other")
    is_over = False
    count = 0

    async def start_again_and_again() -> None:
        nonlocal count
        while not is_over:
            async with started(opened, many, spec_of(site, 16)):
                count += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(start_again_and_again)
        await until(lambda: count > 10, "the first starts")
        before = count
        async with started(opened, other, spec_of(site, 16, A="b")) as line:
            assert '"A": "b"' in line
            since = count - before
        is_over = True
    # Those that were in progress, and a few more: however long each takes here.
    assert since < 60


BUSY = """
import socket, sys
from lambent.sandbox.launcher import watchdog
watchdog._LOOK_EVERY_S = 0.1
platform = socket.socket(fileno=int(sys.argv[1]))
dog = watchdog.Watchdog(platform)
dog.begin()
print("busy", flush=True)
try:
    while True:
        pass
except watchdog.PlatformGone:
    print("gone", flush=True)
"""


def test_a_busy_launcher_notices_its_platforms_end() -> None:
    """Whatever it does, it is stopped soon after the platform has gone, and not before."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", BUSY, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        ours.send(b"a request")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        theirs.close()
        ours.close()
        assert process.communicate(timeout=10)[0] == "gone\n"
        assert process.returncode == 0
