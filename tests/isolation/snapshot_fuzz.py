"""Turns real processes into mutated images, with the launcher's own code.

Run it as root, as a separate program, because it creates a mount namespace: `python -m
tests.isolation.snapshot_fuzz CHECKS RESTORES SEED`. It prints the results as JSON, or ends with a
message if a process did what it must not do.

The processes are locked down like those in boxes, but are not in a box.
"""

import collections
import contextlib
import dataclasses
import importlib
import json
import os
import random
import re
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn

from lambent.sandbox.launcher import capture, image_rules, linux, lockdown, tracing
from lambent.sandbox.launcher.apart import Apart
from lambent.sandbox.launcher.image import (
    PAGE,
    WAIT_FD,
    CannotCapture,
    Image,
    Mapping,
    Run,
    make_memory,
    parse,
)
from lambent.sandbox.launcher.seccomp import Filter
from lambent.sandbox.launcher.snapshots import StoredSnapshot
from tests.unit.sandbox.mutations import mutate
from tests.unit.sandbox.recipes import assert_harmless

LIMIT_DESCRIPTORS = bytes.fromhex(
    # A limit of 64 on the stack, which is where the read of the assignment left it.
    "6a406a40"  # push 64, push 64
    "4889e2"  # the new limit
    "b82e010000"
    "31ff"
    "be07000000"
    "4531d2"  # prlimit64(0, RLIMIT_NOFILE, new, NULL)
    "0f05"
)
USER = 1_999_999_999
PERSONALITY = "00000000"
LEFT_ALONE_S = 0.004
"""Seconds for which a process continues as a mutated image."""
FIELDS = (
    *("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"),
    *("Seccomp", "Seccomp_filters", "TracerPid"),
)


class Process:
    """A child that waits as a prepared runtime does."""

    def __init__(self, filter_: Filter, act: Callable[[], None]) -> None:
        self.control, theirs = socket.socketpair()
        self.pid, self.pidfd = linux.fork()
        if self.pid == 0:
            _wait(filter_, theirs, act)
        theirs.close()
        self.control.settimeout(20)
        said = self.control.recv(4096)
        assert said == b"ready", said

    def go_on(self) -> None:
        """Let it continue from where it waits."""
        try:
            self.control.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It has ended.

    def identity(self) -> dict[str, object] | None:
        """Its identity to the kernel; None if it has ended."""
        try:
            text = Path(f"/proc/{self.pid}/status").read_text(errors="replace")
            kinds = sorted(os.listdir(f"/proc/{self.pid}/ns"))
            return {
                **{name: re.findall(rf"{name}:[ \t]*(.*)", text) for name in FIELDS},
                **{kind: os.readlink(f"/proc/{self.pid}/ns/{kind}") for kind in kinds},
                "cgroup": Path(f"/proc/{self.pid}/cgroup").read_text(),
                "personality": Path(f"/proc/{self.pid}/personality").read_text().strip(),
                "root": os.stat(f"/proc/{self.pid}/root")[:3],
            }
        except OSError:
            return None

    def close(self) -> None:
        """End it."""
        self.control.close()
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        linux.reap(self.pidfd)
        os.close(self.pidfd)


def _wait(filter_: Filter, control: socket.socket, act: Callable[[], None]) -> NoReturn:
    try:
        null = os.open("/dev/null", os.O_RDWR)
        low = os.dup2(control.fileno(), 100)
        for number in range(WAIT_FD):
            os.dup2(null, number)
        os.dup2(low, WAIT_FD)
        keep = range(WAIT_FD + 1)
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
        calls = lockdown.lock_down(USER, last, keep, is_root=True, executes=False)
        lockdown.perform(calls, [], filter_.address)
        os.write(WAIT_FD, b"ready")
        while os.read(WAIT_FD, 4096):
            pass
        act()
    finally:
        os._exit(1)


def _be_captured(prepare: Callable[[], object]) -> None:
    """Wait where copies continue; see `runtimes/python/checkpoint.py`."""
    kept = prepare()
    nobody = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    os.dup2(nobody.fileno(), WAIT_FD, inheritable=False)
    nobody.close()
    while os.read(WAIT_FD, 4096):
        pass
    while kept is not self:
        signal.pause()


self = object()


def _ordinary() -> object:
    """Open files, a dead socket, signal actions, its own memory."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    files = [os.open(path, os.O_RDONLY) for path in ("/etc/passwd", "/etc/hosts", "/dev/null")]
    os.read(files[0], 10)
    return files, socket.socket(), bytearray(b"x" * 3_000_000)


def _hostile() -> object:
    """Memory and code where the work is done."""
    snapshots = sys.modules["snapshots"]
    snapshots.code_where_restoring_happens()
    snapshots.table_where_restoring_happens()
    return _ordinary()


def _take(filter_: Filter, prepare: Callable[[], object]) -> tuple[Image, BinaryIO]:
    """The image of a real process."""
    process = Process(filter_, lambda: _be_captured(prepare))
    try:
        first = os.readlink(f"/proc/{process.pid}/fd/{WAIT_FD}")
        process.go_on()
        _wait_for_another(process.pid, first)
        memory = make_memory("snapshot")
        with tracing.hold(process.pid, process.pidfd) as tracee:
            image = capture.capture(tracee, memory, bytes_max=256 << 20)
        return parse(image.describe()), memory
    finally:
        process.close()


def _wait_for_another(pid: int, first: str) -> None:
    """Wait until it reads from another descriptor than at first."""
    deadline = time.monotonic() + 20
    while os.readlink(f"/proc/{pid}/fd/{WAIT_FD}") == first or not tracing.is_reading(pid, WAIT_FD):
        assert time.monotonic() < deadline
        time.sleep(0.001)  # noqa: TID251 - nothing tells


class Fuzzer:
    """Turns processes into mutated images."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.filter = Filter()
        self.selector = selectors.DefaultSelector()
        self.apart = Apart(self.selector, 1)
        self.counts: collections.Counter[str] = collections.Counter()
        fresh = Process(self.filter, signal.pause)
        self.usual = fresh.identity()
        fresh.close()
        assert self.usual is not None
        assert self.usual["Uid"] == ["\t".join([str(USER)] * 4)]
        self.good, self.memory = _take(self.filter, _ordinary)
        self.own = self.identity()

    def identity(self) -> dict[str, object]:
        """The identity of this process, which must not change."""
        text = Path("/proc/self/status").read_text()
        return {name: re.findall(rf"{name}:[ \t]*(.*)", text) for name in FIELDS}

    def check_many(self, count: int) -> None:
        """Check mutated images: none is accepted that leads to a forbidden call."""
        for _ in range(count):
            image = mutate(self.good, self.chance)
            try:
                image_rules.check(image)
            except CannotCapture:
                self.counts["check: refused"] += 1
            else:
                self.counts["check: taken"] += 1
                assert_harmless(image)

    def restore_many(self, count: int) -> None:
        """Restore mutated images into processes: those that were accepted, and as many that were
        not."""
        wanted = {True: count - count // 3, False: count // 3}
        while any(wanted.values()):
            image = mutate(self.good, self.chance)
            is_taken = True
            try:
                image_rules.check(image)
            except CannotCapture:
                is_taken = False
            if wanted[is_taken]:
                wanted[is_taken] -= 1
                self.restore(image, self.memory, "taken" if is_taken else "forced")

    def restore(self, image: Image, memory: BinaryIO, kind: str) -> str | None:
        """Turn a process into an image: it keeps its identity, or it is dead. Returns why it was
        killed."""
        process = Process(self.filter, signal.pause)
        ends: list[str | None] = []
        try:
            try:
                snapshot = StoredSnapshot(image, memory, self.apart)
                snapshot.restore(
                    process.pid,
                    process.pidfd,
                    control=process.control,
                    user=USER,
                    on_done=ends.append,
                )
                while not ends:
                    for key, _ in self.selector.select(10):
                        key.data()
            except Exception as error:
                # A refused image may contain anything, and does not always get into a process.
                if kind == "taken" and not isinstance(error, OSError):
                    raise
                ends.append(str(error))
            how = "restored" if ends == [None] else "failed"
            for _ in range(2):
                if how == "restored" and not self.is_as_usual(process):
                    how += ", ended"
                    break
                process.go_on()
                time.sleep(LEFT_ALONE_S)  # noqa: TID251 - it runs meanwhile
            self.counts[f"{kind}: {how}"] += 1
        finally:
            process.close()
        assert self.identity() == self.own
        return ends[0]

    def is_as_usual(self, process: Process) -> bool:
        """Whether a process is like one that was never held; False if it has ended."""
        now = process.identity()
        if now == self.usual:
            return True
        assert self.usual is not None
        changed = {name for name, value in (now or {}).items() if value != self.usual[name]}
        # A process that is ending gives these up before it counts as ended.
        assert changed <= {"cgroup", "root", "Seccomp", "Seccomp_filters"}, (changed, now)
        ended = select.poll()
        ended.register(process.pidfd, select.POLLIN)
        assert ended.poll(2000), f"it is {now}, not {self.usual}"
        return False

    def restore_with_code(self, code: bytes, kind: str) -> str | None:
        """What the rules prevent, tried without them: code that replaces the launcher's, and
        returns to it. Returns why the process was killed."""
        page = (tracing.TracedProgram.CODE[:-1] + code + b"\xcc").ljust(PAGE, b"\0")
        image, memory = self.good, make_memory("snapshot")
        with memory:
            memory.write(os.pread(self.memory.fileno(), image.size_bytes, 0) + page)
            start = image_rules.SCRATCH
            image = dataclasses.replace(
                image,
                mappings=(Mapping(start, start + PAGE, 7, False, 0, 0, ""), *image.mappings),
                runs={**image.runs, start: (Run(start, PAGE, image.size_bytes),)},
                size_bytes=image.size_bytes + PAGE,
            )
            try:
                image_rules.check(image)
            except CannotCapture:
                return self.restore(image, memory, kind)
            raise AssertionError("an image with code where restoring happens was taken")


def main() -> None:
    """See above."""
    checks, restores, seed = map(int, sys.argv[1:])
    sys.path.insert(0, str(Path(__file__).parents[1] / "hostile" / "functions"))
    importlib.import_module("snapshots")
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    for place in ("/var", "/tmp"):
        linux.mount("tmp", place, "tmpfs", 0, "mode=755")
    os.mkdir("/var/task")
    linux.be_no_root_to_programs()
    fuzzer = Fuzzer(seed)
    began = time.monotonic()
    fuzzer.restore(fuzzer.good, fuzzer.memory, "good")
    assert fuzzer.counts == {"good: restored": 1}, fuzzer.counts
    try:
        _take(fuzzer.filter, _hostile)
    except CannotCapture as reason:
        assert "restoring needs" in str(reason), reason
    else:
        raise AssertionError("the hostile process was captured")
    # The second line of defense: the filter refuses what is forbidden.
    assert fuzzer.restore_with_code(sys.modules["snapshots"].calls(), "code") is None
    assert fuzzer.counts["code: restored"] == 1, fuzzer.counts
    # The third: what the filter allows is noticed.
    reason = fuzzer.restore_with_code(LIMIT_DESCRIPTORS, "limits")
    assert "its limits" in str(reason), reason
    fuzzer.check_many(checks)
    checked = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):  # It got this far.
        fuzzer.restore_many(restores)
    ended = time.monotonic()
    times = {"check_s": round(checked - began, 2), "restore_s": round(ended - checked, 2)}
    print(json.dumps({**fuzzer.counts, **times}))


if __name__ == "__main__":
    main()
