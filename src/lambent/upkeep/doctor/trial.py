"""A box is tried: built by the real launcher, as a function's would be, used, and thrown away.

Nothing of a running platform is touched, and nothing stays: the launcher has a directory, groups
and a number of its own, and at the end doctor looks for what is left.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import anyio

import lambent
from lambent.assembly.startup import may_mount
from lambent.sandbox.client import LauncherBox, LauncherHandle, open_sandboxes, start_launcher
from lambent.sandbox.ports import BoxSpec, Mount
from lambent.sandbox.settings import SandboxSettings
from lambent.upkeep.doctor import place, residue
from lambent.upkeep.doctor.program import DEADLINE_S, TrialProgram, start
from lambent.upkeep.doctor.steps import CheckSteps, Failed, Step, StopCheck

_MEMORY_MB = 64
_VOLUME_MB = 16
_WORDS_MAX = 4000
_NAMESPACES = ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup")
_LOOK = (
    f"for n in {' '.join(_NAMESPACES)}; do readlink /proc/self/ns/$n; done;"
    " grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status"
)
_TICK = "trap 'exit 42' TERM; while :; do echo .; sleep 0.01; done"
_STAY = "trap '' TERM; echo ready; while :; do sleep 1; done"
_EAT = "x=0123456789abcdef; while [ ${#x} -lt 536870912 ]; do x=$x$x; done"
"""512 MB at most: a host on which the limit does not hold is not to suffer."""
_GIVE_UP_PRIVILEGES = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
    "from lambent.sandbox.privileges import become_unprivileged\n"
    "from lambent.sandbox.ports import SandboxError\n"
    "uid, may_mount = int(sys.argv[2]), sys.argv[3] == 'True'\n"
    "needed = [Path(sys.argv[4])]\n"
    "try: become_unprivileged(uid, uid, needed, [], may_mount=may_mount)\n"
    "except (SandboxError, OSError) as error: sys.exit(str(error))"
)


def try_box(settings: SandboxSettings, tier: str, data_dir: Path) -> list[Step]:
    """Build and use a box of a tier, on the disk that `data_dir` is on or will be."""
    steps = CheckSteps()
    with contextlib.suppress(StopCheck), contextlib.ExitStack() as stack:
        with steps.step("directory", is_needed=True) as step:
            chosen = place.choose(data_dir)
            directory = place.directory_in(chosen)
            step.found = str(directory)
            stack.enter_context(place.hold(chosen))
            place.make(directory, _LOOK)
        try:
            with contextlib.suppress(StopCheck):
                _try_launcher(settings, tier, directory, steps)
                if os.geteuid() == 0:
                    _try_to_give_up_privileges(settings, tier, directory, steps)
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(directory)
        with steps.step("nothing left") as step:
            residue.remove_groups(place.instance(directory))
            residue.expect_nothing(place.instance(directory), directory, steps.processes)
            step.found = "no process, mount, group, loop device or file"
    return steps.done


def _try_launcher(settings: SandboxSettings, tier: str, directory: Path, steps: CheckSteps) -> None:
    with tempfile.TemporaryFile() as said:
        words = _Words(said)
        with _reasons(steps, words), steps.step("launcher", is_needed=True) as step:
            handle = start_launcher(
                settings,
                tier=tier,
                directory=directory,
                roots=[directory / place.CODE],
                instance=place.instance(directory),
                errors=said.fileno(),
            )
            step.found = f"tier {tier}"
        try:
            with _reasons(steps, words), contextlib.suppress(StopCheck):
                asyncio.run(_try_in(handle, settings, tier, directory, steps))
        finally:
            with steps.step("end of the launcher"):
                handle.close()
                if handle.process.poll() is None:
                    raise Failed("it does not end")


class _Words:
    """What the launcher prints. It writes at the same position of the file as we would."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._heard = 0

    def new(self) -> str:
        """What it has printed since the last time, on one line."""
        said = os.pread(self._file.fileno(), _WORDS_MAX, self._heard)
        self._heard += len(said)
        return "; ".join(said.decode(errors="replace").split("\n")).strip("; ")


@contextmanager
def _reasons(steps: CheckSteps, words: _Words) -> Iterator[None]:
    """Add what the launcher has printed to the step that failed meanwhile, or as a step's find."""
    try:
        yield
    finally:
        text = words.new()
        failed = next((step for step in reversed(steps.done) if step.error), None)
        if failed is not None and text:
            failed.error += f" ({text})"
        elif text:
            steps.done.append(Step(name="words of the launcher", found=text))


async def _try_in(
    handle: LauncherHandle, settings: SandboxSettings, tier: str, directory: Path, steps: CheckSteps
) -> None:
    async with open_sandboxes(handle, settings) as sandboxes:
        with steps.step("disk for /tmp", is_needed=True):
            volume = await sandboxes.open_volume(_VOLUME_MB)
        with steps.step("box", is_needed=True):
            code = Mount(source=str(directory / place.CODE), target="/var/task")
            spec = BoxSpec(memory_mb=_MEMORY_MB, mounts=[code], volume=volume)
            box = await sandboxes.open_box(spec)
        try:
            await _use(box, tier, steps)
        finally:
            steps.processes |= residue.descendants(handle.process.pid)
            with steps.step("end of the box"):
                await box.close()
                await volume.close()


async def _use(box: LauncherBox, tier: str, steps: CheckSteps) -> None:
    with steps.step("program", is_needed=True):
        # A file of the function's own, from the disk that its code would be on.
        async with start(box, ". ./bootstrap") as program:
            seen = await program.output()
            status = await program.end()
        if status.code != 0:
            raise Failed(f"/bin/sh ended with {status}: {seen.strip()}")
    with steps.step("isolation") as step:
        step.found = judge_isolation(seen, _own_namespaces(), tier)
    with steps.step("network") as step:
        await _connect(box)
        step.found = _way_out(box)
    async with start(box, _TICK) as program:
        with steps.step("freeze"):
            await program.read()
            box.freeze()
            await program.become_quiet()
        with steps.step("thaw"):
            box.thaw()
            await program.read()
        with steps.step("signal"):
            box.signal(program.process, signal.SIGTERM)
            await _expect(program, code=42)
    with steps.step("memory limit") as step:
        async with start(box, _EAT) as program:
            step.found = await _exceed(program, tier)
    with steps.step("memory measured") as step:
        peak = box.memory_peak_bytes()
        step.found = f"at most {peak >> 20} MB" if peak else "not on this host"
    async with start(box, _STAY) as program:
        with steps.step("CPU limit") as step:
            # Last: with this little memory comes a small part of a processor.
            step.found = "a share by memory" if box.has_cpu_limit else "none on this host"
            box.limit_cpu()
            await program.read()
        with steps.step("kill"):
            box.signal(program.process, signal.SIGKILL)
            await _expect(program, killed_by=signal.SIGKILL)


def judge_isolation(seen: str, ours: dict[str, str], tier: str) -> str:
    """What a process in a box sees of itself, in words. Raises `Failed` if that is too much."""
    lines = seen.split("\n")
    inside = dict(zip(_NAMESPACES, lines, strict=False))
    status = dict(line.replace("\t", "").split(":", 1) for line in lines if ":\t" in line)
    if int(status.get("CapEff", "1"), 16):
        raise Failed(f"a process in the box has capabilities ({status.get('CapEff')})")
    if status.get("NoNewPrivs") != "1":
        raise Failed("a process in the box may gain privileges")
    if status.get("Seccomp") != "2":
        raise Failed("a process in the box has no system call filter")
    shared = [kind for kind in _NAMESPACES if inside.get(kind) == ours.get(kind)]
    if shared and tier != "process":
        raise Failed(f"the box shares namespaces with the host: {', '.join(shared)}")
    own = [kind for kind in _NAMESPACES if kind not in shared]
    text = "no capabilities, system calls filtered"
    return f"{text}, own {', '.join(own)}" if own else f"{text}, no namespaces of its own"


def _own_namespaces() -> dict[str, str]:
    return {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in _NAMESPACES}


def _way_out(box: LauncherBox) -> str:
    if not box.egress:
        return "the host's own"
    return "TCP to all ports and UDP" if box.datagrams else "TCP to common ports only, no UDP"


async def _connect(box: LauncherBox) -> None:
    """Over the box's own loopback, to the listener of the Runtime API."""
    loop = asyncio.get_running_loop()
    with anyio.fail_after(DEADLINE_S), await box.open_socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, box.runtime_api.getsockname())
        accepted, _ = await loop.sock_accept(box.runtime_api)
        accepted.close()


async def _expect(
    program: TrialProgram, code: int | None = None, killed_by: int | None = None
) -> None:
    status = await program.end()
    if (status.code, status.signal) != (code, killed_by):
        raise Failed(f"it ended with {status}")


async def _exceed(program: TrialProgram, tier: str) -> str:
    """What stopped a program that takes more than it may."""
    status = await program.end()
    if status.out_of_memory:
        return f"{_MEMORY_MB} MB: killed beyond, and reported"
    if status.code == 0:
        raise Failed(f"a program took 512 MB where {_MEMORY_MB} MB are allowed")
    if tier == "root":
        raise Failed(f"its end beyond {_MEMORY_MB} MB was not reported: {status}")
    return f"{_MEMORY_MB} MB a process: refused beyond"


def _try_to_give_up_privileges(
    settings: SandboxSettings, tier: str, directory: Path, steps: CheckSteps
) -> None:
    """As the platform does when its launcher runs: it has to go on seeing functions' code."""
    source, uid = str(Path(lambent.__file__).parent.parent), str(settings.platform_uid)
    arguments = [source, uid, str(may_mount(tier)), str(directory / place.CODE)]
    with steps.step("giving up root"):
        done = subprocess.run(
            [sys.executable, "-I", "-c", _GIVE_UP_PRIVILEGES, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=DEADLINE_S,
        )
        if done.returncode:
            raise Failed(done.stderr.strip().rpartition("\n")[2] or "it failed")
