"""Attempts to use up shared resources, with a neighbor that is served in time meanwhile."""

import contextlib
import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import host
from tests.hostile.cases import case, params
from tests.hostile.conftest import Neighbour, StartFunction
from tests.platforms import Platform, wait_for

MEMORY_MB = 192
PLATFORM_GROWTH_MAX_KB = 128 * 1024
ENDED = {"Sandbox.Timedout", "Runtime.ExitError"}
ENDLESS = {
    "fork-bomb": (1, ENDED),
    "thread-bomb": (1, ENDED),
    "descriptor-bomb": (1, ENDED),
    "memory-bomb": (10, {"Runtime.ExitError"}),
    "forked-memory-bomb": (1, ENDED),
    "shared-memory-bomb": (10, {"Runtime.ExitError"}),
    "buffer-bomb": (1, ENDED),
    "spin": (1, {"Sandbox.Timedout"}),
    "sync-bomb": (1, {"Sandbox.Timedout"}),
    "flood": (1, {"Sandbox.Timedout"}),
    "log-flood": (1, {"Sandbox.Timedout"}),
}
"""Bombs with their timeouts, in seconds, and how they may end."""


def used(platform: Platform) -> dict[str, int]:
    """What could grow in the platform's process."""
    pid = platform.process.pid
    return {
        "memory": int(host.status_of(pid)["VmRSS"].split()[0]),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
    }


def held(platform: Platform) -> tuple[int, int]:
    """Blocks and files in the platform's directory, without those of functions' own disks."""
    found = []
    for path in platform.data_dir.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.append(path.lstat())
    return sum(about.st_blocks for about in found), len(found)


@pytest.mark.parametrize("bomb", params(*ENDLESS))
def test_endless(start: StartFunction, neighbour: Neighbour, platform: Platform, bomb: str) -> None:
    """Ends by its timeout or its limit; it leaves nothing behind, and the neighbor is served."""
    timeout_s, ends = ENDLESS[bomb]
    function = start(Timeout=timeout_s, MemorySize=MEMORY_MB)
    box = function.box()
    before = used(platform)
    with neighbour.watched():
        payload, _ = function.try_to("bombs." + bomb.replace("-", "_"))
        assert payload["errorType"] in ends
        box.wait_gone()
    after = used(platform)
    assert after["memory"] - before["memory"] < PLATFORM_GROWTH_MAX_KB
    assert after["descriptors"] - before["descriptors"] < 50
    function.delete()


@pytest.mark.parametrize("limit", params("process-limit", "memory-limit", "cpu-limit"))
def test_limits_as_the_host_has_them(start: StartFunction, mode: str, limit: str) -> None:
    """The groups of a box limit processes, memory with swap, and CPU, in each start mode."""
    box = start(mode, MemorySize=MEMORY_MB).box()
    (pid,) = box.functions()
    groups = [Path(at + path) for at, path in host.cgroups_of(pid) if "lambent" in path]
    names = {
        "process-limit": ("pids.max",),
        "memory-limit": ("memory.max", "memory.memsw.limit_in_bytes"),
        "cpu-limit": ("cpu.max", "cpu.cfs_quota_us"),
    }[limit]
    (value,) = (
        (group / name).read_text() for group in groups for name in names if (group / name).exists()
    )
    number = int(value.split()[0])
    most = {"process-limit": 1026, "memory-limit": MEMORY_MB << 20, "cpu-limit": 20_000}[limit]
    assert 0 < number <= most


@pytest.mark.parametrize("bomb", params("disk-bomb", "inode-bomb"))
def test_disks(start: StartFunction, neighbour: Neighbour, platform: Platform, bomb: str) -> None:
    """/tmp ends at its configured size; nothing beyond it grows on the host's own disk."""
    function = start(Timeout=15, MemorySize=1769)
    box = function.box()
    before = held(platform)
    with neighbour.watched():
        _, error = function.do("bombs." + bomb.replace("-", "_"))
    assert error == "ENOSPC"
    about = os.statvfs(box.inside("/tmp"))
    assert about.f_blocks * about.f_frsize <= 512 << 20
    blocks, files = held(platform)
    assert (blocks - before[0]) * 512 < 200 << 20
    assert files - before[1] < 10_000
    function.delete()
    box.wait_gone()


@pytest.mark.parametrize(
    "bomb",
    params("inotify-bomb", "message-queue-bomb", "signal-queue-bomb", "timer-bomb", "aio-bomb"),
)
def test_numbers_that_the_kernel_counts_by_user(
    start: StartFunction, neighbour: Neighbour, mode: str, bomb: str
) -> None:
    """One function takes all it can get and keeps it: other functions and the host are not
    affected."""
    function = start(mode, Timeout=10, MemorySize=1769)
    taken, _ = function.do("bombs." + bomb.replace("-", "_"))
    box = host.Box(function.last_namespace)
    assert taken < 200_000
    around: dict[str, Any] = neighbour.function.do("bombs.look_around")
    libc = ctypes.CDLL(None, use_errno=True)
    on_host = libc.inotify_init1(0)
    aio = host.aio_contexts(box.functions())
    function.delete()
    assert all(around.values()), around
    assert on_host >= 0
    os.close(on_host)
    assert aio == 0


@case("many-at-once")
def test_many_bombs_at_once(start: StartFunction, neighbour: Neighbour, platform: Platform) -> None:
    """Eight bombs of different kinds together are still limited by their boxes."""
    kinds = ["fork_bomb", "spin", "memory_bomb", "flood", "thread_bomb", "buffer_bomb"]
    functions = [start(Timeout=1, MemorySize=128) for _ in kinds]
    boxes = [function.box() for function in functions]
    with neighbour.watched(), ThreadPoolExecutor(len(kinds)) as pool:
        calls = [
            pool.submit(function.try_to, f"bombs.{kind}")
            for function, kind in zip(functions, kinds, strict=True)
        ]
        for call in calls:
            assert "errorType" in call.result()[0]
    for box in boxes:
        box.wait_gone()
    wait_for(lambda: used(platform)["threads"] < 100, "the end of the platform's helpers")
