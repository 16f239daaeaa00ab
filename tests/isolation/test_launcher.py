"""What outlives what: boxes, launcher and platform, and what a compromised platform can request."""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lambent.sandbox import messages
from lambent.sandbox.ports import BoxSpec, ExitStatus, Mount, SandboxError
from tests.isolation.boxes import (
    IS_SYSTEMD,
    REPOSITORY,
    Inside,
    Opened,
    Site,
    Watched,
    cgroups_of,
    descendants,
    loop_devices_below,
    settled,
    start_site,
    status_of,
    until,
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes namespaces and cgroups"),
]

PLATFORM = """
import sys, anyio
from pathlib import Path
from tests.isolation.boxes import descendants, start_site
async def main(site):
    async with site.open() as opened, opened.box() as inside:
        program = await inside.start('tell("go"); os.fork(); time.sleep(60)')
        await program.line()
        if sys.argv[3] == "frozen":
            inside.box.freeze()
        print(site.launcher_pid, flush=True)
        await anyio.sleep(60)
with start_site(Path(sys.argv[1]), instance=sys.argv[2]) as site:
    anyio.run(main, site, backend_options={"use_uvloop": True})
"""


def open_descriptors(pid: int | str) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def mounts_of(pid: int | str) -> list[str]:
    return Path(f"/proc/{pid}/mountinfo").read_text().splitlines()


async def assert_works(opened: Opened) -> None:
    """A box can be created and used."""
    async with opened.box() as inside:
        assert await inside.run("tell(os.getuid())") == 993


# -- what is left ---------------------------------------------------------------------------


async def test_closed_boxes_leave_nothing_behind(opened: Opened) -> None:
    """No descriptor on either side, no mount, no cgroup, no process, no loop device."""
    site = opened.site

    def held() -> list[Any]:
        return [
            open_descriptors("self"),
            open_descriptors(site.launcher_pid),
            len(mounts_of(site.launcher_pid)),
            len(cgroups_of(site.instance)),
            len(descendants(site.launcher_pid)),
            len(loop_devices_below(site.work)),
        ]

    await assert_works(opened)
    gc.collect()  # Leftovers of earlier tests in this process would disappear meanwhile.
    before = await settled(held)
    for _ in range(3):
        async with opened.box() as inside:
            with pytest.raises(SandboxError):
                await inside.spawn(["/no/such/program"])
            program = await inside.start("time.sleep(60)")
        program.close()
    await until(lambda: held() == before, f"the state before: {before}")
    assert not [line for line in mounts_of("self") if str(site.work) in line]


async def test_many_boxes_at_once(opened: Opened) -> None:
    """Requests get replies in order, and each reply reaches its caller."""
    found = []

    async def use_box(number: int) -> None:
        async with opened.box(memory_mb=128) as inside:
            found.append(await inside.run(f'open("/tmp/x", "x"); tell({number})'))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(use_box, number)
    assert sorted(found) == list(range(20))


async def test_a_cancelled_caller_leaves_nothing_behind(opened: Opened) -> None:
    """Cancelled at any moment: a late result is released."""
    site = opened.site
    await assert_works(opened)
    async with opened.volume() as volume:
        spec = BoxSpec(memory_mb=128, mounts=site.mounts(), volume=volume)

        def held() -> list[int]:
            return [open_descriptors("self"), open_descriptors(site.launcher_pid)]

        before = await settled(held)
        for tenths_ms in range(0, 150, 10):
            with anyio.move_on_after(tenths_ms / 10_000):
                box = await opened.sandboxes.open_box(spec)
                with anyio.CancelScope(shield=True):
                    await box.close()
        await until(lambda: not descendants(site.launcher_pid), "the end of all boxes")
        await until(lambda: held() == before, "the end of all descriptors")


async def test_all_boxes_end_together(site: Site) -> None:
    """At the end of the platform, boxes are not closed one by one: those in use, frozen or being
    created are gone when the launcher is, with all their resources."""
    async with site.open() as opened, anyio.create_task_group() as tasks:
        volumes = [await opened.sandboxes.open_volume(16) for _ in range(20)]
        boxes = [
            await opened.sandboxes.open_box(
                BoxSpec(memory_mb=128, mounts=site.mounts(), volume=volume)
            )
            for volume in volumes[:10]
        ]
        programs = [await Inside(box).start('tell("go"); time.sleep(600)') for box in boxes]
        for program in programs:
            await program.line()
        boxes[0].freeze()
        watched = Watched(descendants(site.launcher_pid))
        refused: list[str] = []

        async def ask() -> None:
            try:
                await opened.sandboxes.open_volume(16)
            except SandboxError as error:
                refused.append(str(error))

        tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        opened.sandboxes.end()
        opened.sandboxes.end()
        await ask()
        for closed in (*boxes, *volumes):
            await closed.close()
        for program in programs:
            program.close()
    assert sorted(refused) == ["the launcher is gone", "the platform ends"]
    watched.assert_die(60)
    site.handle.close()
    assert site.handle.process.returncode == 0
    assert cgroups_of(site.instance) == []
    assert list((site.work / "sandbox" / "volumes").glob("[0-9]*")) == []
    await until(lambda: not loop_devices_below(site.work), "the end of the loop devices")


async def test_the_launcher_inherits_nothing(tmp_path: Path) -> None:
    """It has neither the platform's variables nor its descriptors."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    with start_site(tmp_path) as site:
        root = Path(f"/proc/{site.launcher_pid}")
        assert (root / "environ").read_bytes() == b""
        links = [os.readlink(entry) for entry in (root / "fd").iterdir()]
        assert os.readlink(f"/proc/self/fd/{writer}") not in links
    os.close(reader)
    os.close(writer)
    assert site.handle.process.returncode == 0
    assert cgroups_of(site.instance) == []
    assert loop_devices_below(tmp_path) == []


# -- sudden death ---------------------------------------------------------------------------


async def test_a_killed_launcher_takes_its_boxes_along(opened: Opened) -> None:
    """Waiting callers are notified; nothing hangs; the next launcher removes what is left."""
    site = opened.site
    async with opened.box() as inside:
        program = await inside.start('tell("go"); os.fork(); os.setpgid(0, 0); time.sleep(60)')
        await program.line()
        watched = Watched(descendants(site.launcher_pid))
        os.kill(site.launcher_pid, signal.SIGKILL)
        watched.assert_die()
        assert await program.status() == ExitStatus(signal=signal.SIGKILL)
        program.close()
        with pytest.raises(SandboxError):
            await inside.spawn(["/bin/true"])
        with pytest.raises(SandboxError):
            await opened.sandboxes.open_volume(16)
    # A scope of systemd ends with its last process.
    assert cgroups_of(site.instance) != [] or IS_SYSTEMD
    with start_site(site.work, instance=site.instance) as successor:
        async with successor.open() as again:
            await assert_works(again)
    assert cgroups_of(site.instance) == []
    await until(lambda: not loop_devices_below(site.work), "the end of the loop devices")


async def test_a_platform_that_falls_silent_loses_its_boxes(opened: Opened) -> None:
    """Once it has said that it stays, and only then. While it says so in time, nothing ends."""
    site = opened.site
    async with opened.box() as inside:
        program = await inside.start('tell("go"); os.fork(); time.sleep(60)')
        await program.line()
        watched = Watched(descendants(site.launcher_pid))
        opened.sandboxes.stay(0.3)
        for _ in range(4):
            opened.sandboxes.stay(30)
            await anyio.sleep(0.15)
        assert not opened.sandboxes.is_gone
        opened.sandboxes.stay(0.1)
        watched.assert_die()
        with anyio.fail_after(30):
            await opened.sandboxes.wait_gone()
        program.close()
        # Its control groups are gone, too; what a platform does until it ends has no effect.
        for act in (inside.box.freeze, inside.box.thaw, inside.box.limit_cpu):
            act()
        inside.box.memory_peak_bytes()


@contextlib.contextmanager
def running_platform(work: Path, instance: str, state: str) -> Iterator[tuple[int, int]]:
    """A platform in a separate process with a busy box; returns its pid and its launcher's."""
    platform = subprocess.Popen(
        [sys.executable, "-c", PLATFORM, work, instance, state],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=REPOSITORY,
    )
    try:
        assert platform.stdout is not None
        yield platform.pid, int(platform.stdout.readline())
    finally:
        platform.kill()
        platform.communicate()


@pytest.mark.parametrize("state", ["running", "frozen"])
async def test_a_killed_platform_leaves_nothing_behind(tmp_path: Path, state: str) -> None:
    """The launcher sees the end of the socket, cleans up and ends."""
    instance = f"1dea{os.getpid():08x}"
    with running_platform(tmp_path, instance, state) as (platform, launcher):
        watched = Watched([launcher, *descendants(launcher)])
        assert cgroups_of(instance) != []
        os.kill(platform, signal.SIGKILL)
        watched.assert_die()
    assert cgroups_of(instance) == []
    await until(lambda: not loop_devices_below(tmp_path), "the end of the loop devices")


@pytest.mark.parametrize("state", ["running", "frozen"])
async def test_what_two_sudden_deaths_leave_the_next_start_sweeps(
    tmp_path: Path, state: str
) -> None:
    """Even where no process was left to clean up."""
    instance = f"2dea{os.getpid():08x}"
    with running_platform(tmp_path, instance, state) as (platform, launcher):
        watched = Watched(descendants(launcher))
        os.kill(launcher, signal.SIGKILL)
        os.kill(platform, signal.SIGKILL)
    before = cgroups_of(instance)
    assert before != []
    with start_site(tmp_path, instance=instance) as site:
        watched.assert_die()
        async with site.open() as opened:
            assert not [path for path in cgroups_of(instance) if path.name.startswith("b")]
            await assert_works(opened)
    assert cgroups_of(instance) == []


async def test_a_launcher_that_does_not_answer_is_an_error(opened: Opened) -> None:
    """Every request has a deadline, and a late result is released."""
    opened.sandboxes._deadline_s = 0.2
    os.kill(opened.site.launcher_pid, signal.SIGSTOP)
    try:
        with pytest.raises(SandboxError, match="did not answer"):
            await opened.sandboxes.open_volume(24)
    finally:
        os.kill(opened.site.launcher_pid, signal.SIGCONT)
        opened.sandboxes._deadline_s = 15
    await assert_works(opened)
    # The late volume was closed. It was the only one of its size.
    await until(lambda: 24 not in disk_sizes_mb(opened.site.work), "the end of the late volume")


def disk_sizes_mb(directory: Path) -> set[int]:
    """Sizes of the loop devices whose file was below a directory."""
    sizes = [Path(f"/sys/block/{name}/size") for name in loop_devices_below(directory)]
    return {int(size.read_text()) * 512 // (1024 * 1024) for size in sizes if size.exists()}


async def test_a_launcher_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Instead of a box that cannot be created later."""
    (tmp_path / "sandbox").write_text("a file where its directory should be")
    instance = f"3dea{os.getpid():08x}"
    with (
        pytest.raises(SandboxError, match="cannot start the launcher"),
        start_site(tmp_path, instance=instance),
    ):
        pass
    assert cgroups_of(instance) == []


# -- a platform gone bad --------------------------------------------------------------------


def ask(end: socket.socket, message: Any, descriptors: list[int] | None = None) -> dict[str, Any]:
    """The launcher's response to a hand-made message."""
    messages.send(end, json.dumps(message).encode(), descriptors or [])
    return answer(end)


def answer(end: socket.socket) -> dict[str, Any]:
    poll = select.poll()
    poll.register(end, select.POLLIN)
    while True:
        assert poll.poll(10_000), "the launcher does not answer"
        received = messages.receive(end)
        assert received is not None, "the launcher has ended"
        messages.close_all(received[1])
        if "exited" not in received[0]:
            return received[0]


def bad_requests(site: Site, volume: str, box: str) -> Iterator[dict[str, Any]]:
    """Requests a launcher must refuse."""
    code = str(site.code)
    inside = code + "/inside"
    opening = {"op": "open_box", "memory_mb": 128, "mounts": {}, "volume": volume}
    spawning = {"op": "spawn", "box": box, "argv": ["/bin/true"], "environment": {}}
    odd: list[Any] = [None, True, 1, -1, 0.5, 10**30, "", "x", "\0", "\ud800", [], [1], {}]
    bad: dict[str, tuple[dict[str, Any], list[Any]]] = {
        "op": ({}, [*odd, "__init__", "run", "_kill"]),
        "size_mb": (
            {"op": "open_volume"},
            [wrong for wrong in odd if wrong is True or wrong != 1] + ["16", 16.5, 65_537],
        ),
        "memory_mb": (opening, [wrong for wrong in odd if wrong is True or wrong != 1] + ["128"]),
        "volume": (opening, [*odd, "v999", "../x"]),
        "mounts": (
            opening,
            [wrong for wrong in odd if wrong not in ("", [], {})]
            + [["ab"], [[1, 2, 3]]]
            + [{target: inside} for target in (
                "", "/", "/etc", "/var/task/", "/var/task/../../etc", "/proc", "var/task",
            )]
            + [{"/var/task": source} for source in (
                *odd, "/etc", "/", "etc", "../etc", code + "/..", code + "/../..",
                code + "//etc", code + "/link", code + "/link/ssl", code + "/app.txt",
                code + "/none", code + "x", inside + "\0", inside + "/../../..", "/" * 5000,
                str(site.work),
            )],
        ),
        "box": (spawning, [*odd, "b999"]),
        "argv": (
            spawning,
            [wrong for wrong in odd if wrong != "x"]
            + [[None], ["a\0"], ["/bin/true"] * 100, [[]], [""], ["\ud800"], ["true"]],
        ),
        "environment": (
            spawning,
            [wrong for wrong in odd if wrong not in ("", [], {})]
            + [{"A": 1}, {"A": None}, {"A": "\0"}, {"A\0": ""}, {"": "x"}, {"A=B": ""}]
            + [{"\ud800": "x"}, {str(number): "" for number in range(3000)}],
        ),
        "log_pipe_variable": (
            spawning, [wrong for wrong in odd if wrong not in (None, "x")] + ["A=B"],
        ),
    }  # fmt: skip
    yield {}
    for name, (request, wrongs) in bad.items():
        for wrong in wrongs:
            yield {**request, name: wrong}
    for wrong in (*odd, "b999"):
        yield {"op": "signal", "box": wrong, "stop": True}


async def test_bad_requests_are_refused_without_harm(site: Site) -> None:
    """Each gets an error, none a box; afterwards the launcher holds no more than before."""
    end = site.handle.socket
    (site.code / "link").symlink_to("/etc")
    (site.code / "inside").mkdir()
    volume = ask(end, {"id": 0, "op": "open_volume", "size_mb": 16})["ok"]["volume"]
    opening = {"op": "open_box", "memory_mb": 128, "volume": volume}
    good = {"/var/task": str(site.code / "inside")}
    box = ask(end, {"id": 0, **opening, "mounts": good})["ok"]["box"]

    spawning = {"op": "spawn", "box": box, "argv": ["/bin/true"], "environment": {}}
    assert "ok" in ask(end, {"id": 0, **spawning})

    def held() -> list[Any]:
        return [open_descriptors(site.launcher_pid), cgroups_of(site.instance)]

    before = await settled(held)
    pipes = os.pipe()
    for number, request in enumerate(bad_requests(site, volume, box), 1):
        found = ask(end, {"id": number, **request}, list(pipes) * 5)
        assert found["id"] == number
        assert found.keys() - {"not_executable"} == {"id", "error"}, request
    for fd in pipes:
        os.close(fd)
    await until(lambda: held() == before, f"the state before: {before}")
    assert len(descendants(site.launcher_pid)) == 1
    assert ask(end, {"id": 7, "op": "close_box", "box": box}) == {"id": 7, "ok": {}}
    assert ask(end, {"id": 8, "op": "close_box", "box": box}) == {"id": 8, "ok": {}}


async def test_messages_that_cannot_be_read_are_passed_over(site: Site) -> None:
    """Not JSON, not an object, without a number, too long, too deep: the next request works."""
    end = site.handle.socket
    for data in (
        b"{", b"\xff\xfe", b"[]", b"null", b"1", b'"x"', b"\0", b"NaN", b"[" * 100_000,
        b'{"a":' * 20_000, b"x" * 200_000,
    ):  # fmt: skip
        end.send(data)
    for request in ({}, {"op": "open_volume", "size_mb": 0}, {"op": "close_box"}):
        assert "error" in ask(end, request)
    assert "ok" in ask(end, {"id": 1, "op": "open_volume", "size_mb": 16})


async def test_mounts_show_what_is_below_a_root_and_nothing_else(opened: Opened) -> None:
    """Read-only, without set-uid and devices, whatever they contain; links inside lead nowhere."""
    inner = opened.site.code / "package"
    inner.mkdir()
    (inner / "passwd").symlink_to("/etc/shadow")
    (inner / "up").symlink_to("../..")
    (inner / "tool").write_text("#!/bin/sh\nid -u\n")
    (inner / "tool").chmod(0o4755)
    mounts = [*opened.site.mounts()[1:], Mount(source=str(inner), target="/var/task")]
    async with opened.volume() as volume:
        spec = BoxSpec(memory_mb=256, mounts=mounts, volume=volume)
        inside = Inside(await opened.sandboxes.open_box(spec))
        found = await inside.run(
            """
            options = {line.split()[4]: line.split()[5] for line in open("/proc/self/mountinfo")}
            tell([outcome(open, "/var/task/passwd"), os.path.exists("/var/task/up/code"),
                  os.popen("/var/task/tool").read(), options["/var/task"].split(","),
                  outcome(open, "/var/task/x", "w")])
            """
        )
        await inside.box.close()
    assert found[:3] == ["ENOENT", False, "993\n"]
    assert {"ro", "nosuid", "nodev"} <= set(found[3])
    assert found[4] == "EROFS"
    async with opened.volume() as volume:
        etc = [Mount(source="/etc", target="/var/task")]
        spec = BoxSpec(memory_mb=256, mounts=etc, volume=volume)
        with pytest.raises(SandboxError, match="below none of the allowed roots"):
            await opened.sandboxes.open_box(spec)


# -- weaker tiers ---------------------------------------------------------------------------


async def test_root_without_cgroups(tmp_path: Path) -> None:
    """The same box; each process has its own limits, and freezing uses signals."""
    with start_site(tmp_path, tier="root-no-cgroups") as site:
        async with site.open() as opened, opened.box(memory_mb=256) as inside:
            assert cgroups_of(site.instance) == []
            program = await inside.start(
                """
                os.fork()
                last, gap = time.monotonic(), 0
                tell("go")
                while gap < 0.25:
                    time.sleep(0.001)
                    now = time.monotonic()
                    gap, last = now - last, now
                try:
                    kept = bytes(400 << 20)
                except MemoryError:
                    tell("stood still")
                """
            )
            assert await program.line() == await program.line() == '"go"'
            inside.box.limit_cpu()
            assert inside.box.memory_peak_bytes() >= 0
            inside.box.freeze()
            pids = [
                pid for pid in descendants(site.launcher_pid)
                if "cat" not in status_of(pid)["Name"]
            ]  # fmt: skip
            await until(
                lambda: all(status_of(pid)["State"].startswith("T") for pid in pids), "the freeze"
            )
            await anyio.sleep(0.4)
            inside.box.thaw()
            assert await program.output() == '"stood still"\n' * 2
            program.close()
        await until(lambda: not descendants(site.launcher_pid), "the box's end")


ROOTLESS = """
import os, sys, anyio
from pathlib import Path
from lambent.sandbox import tiers
from lambent.sandbox.launcher import linux
from lambent.sandbox.privileges import _covers
from tests.isolation.boxes import INTERPRETER, REPOSITORY, start_site
work, user = Path(sys.argv[1]), 64531
os.chown(work, user, user)
# An ordinary user whose interpreter is not in somebody else's home.
linux.unshare(linux.CLONE_NEWNS)
linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
needed = [INTERPRETER, Path(sys.prefix), REPOSITORY, work]
copies = {path: linux.copy_mount(os.open(path, os.O_PATH), 0) for path in needed}
for cover in _covers(user, user, needed):
    linux.mount("lambent", str(cover), "tmpfs", 0, "mode=0755")
for path, copy in copies.items():
    path.mkdir(parents=True, exist_ok=True)
    linux.place_mount(copy, str(path))
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
os.chdir("/")
assert tiers.choose("auto", found := tiers.detect()) == "rootless", found
async def main(site):
    async with site.open() as opened, opened.box() as inside, opened.box() as other:
        for _ in range(2):
            print(await inside.run('''
                open("/tmp/x", "w").write("x")
                status = dict(line.split(":\\\\t", 1) for line in open("/proc/self/status"))
                tell([os.getuid(), status["CapEff"].strip(), status["CapBnd"].strip(),
                      status["Seccomp"].strip(), outcome(os.mkdir, "/var/task/x"),
                      os.path.exists("/etc/shadow"), os.listdir("/var/task"),
                      [name for name in os.listdir("/proc") if name.isdigit()] ==
                      ["1", str(os.getpid())]])
            '''))
        print(await other.run("tell(os.listdir('/tmp'))"))
        program = await inside.start('tell("go"); time.sleep(60)')
        await program.line()
        inside.box.freeze()
        inside.box.thaw()
        await inside.box.close()
        print(await program.status())
        program.close()
with start_site(work, tier="rootless") as site:
    anyio.run(main, site, backend_options={"use_uvloop": True})
print("closed")
"""


def test_rootless(tmp_path: Path) -> None:
    """An ordinary user gets boxes too, where the kernel lets it create user namespaces."""
    if not Path("/proc/self/ns/user").exists():
        pytest.skip("needs user namespaces")
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ROOTLESS, work],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    view = [993, "0" * 16, "0" * 16, "2", "EROFS", False, ["app.txt"], True]
    assert done.stdout.splitlines() == [
        str(view), str(view), "[]", str(ExitStatus(signal=9)), "closed",
    ]  # fmt: skip
