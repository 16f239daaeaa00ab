"""ChildWork that is done in children of the launcher."""

import os
import select
import selectors
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable

import pytest

from lambent.sandbox.launcher import tracing
from lambent.sandbox.launcher.apart import Apart, ChildWork
from lambent.sandbox.launcher.image import make_memory

Ends = list[tuple[bytes | None, str]]


class Loop:
    """As the launcher's."""

    def __init__(self, at_once: int = 2) -> None:
        self.selector = selectors.DefaultSelector()
        self.apart = Apart(self.selector, at_once)
        self.ends: Ends = []

    def do(self, act: Callable[[], bytes], *descriptors: int, deadline_s: float = 10) -> None:
        """Begin something."""
        self.apart.do(
            ChildWork(
                act=act,
                descriptors=lambda: descriptors,
                on_done=lambda *end: self.ends.append(end),
                deadline_s=deadline_s,
            )
        )

    def run(self, count: int) -> Ends:
        """Continue until this many have ended."""
        while len(self.ends) < count:
            for key, _ in self.selector.select(10):
                key.data()
        return self.ends


def fail() -> bytes:
    """As the kernel does."""
    raise OSError("no such thing")


def exhaust() -> bytes:
    """Use more memory than there is."""
    return b"x" * (4 << 30)


def end() -> bytes:
    """As a fault of the interpreter would."""
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def hang() -> bytes:
    """Wait for something that never comes."""
    signal.pause()
    return b""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "result", "reason"),
    [
        (lambda: b"done", b"done", ""),
        (fail, None, "no such thing"),
        (lambda: bytes([200]), None, "UnicodeDecodeError"),
        (exhaust, None, "too much memory"),
        (end, None, "ended early"),
        (lambda: b"x" * (9 << 20), None, "too much to say"),
    ],
)
def test_ends(act: Callable[[], bytes], result: bytes | None, reason: str) -> None:
    """The result, or the reason for its absence."""
    loop = Loop()
    loop.do(act)
    ((got, why),) = loop.run(1)
    assert got == result
    assert reason in why


def test_late() -> None:
    """Work that hangs is killed; meanwhile other work is done, and waiting work comes next."""
    loop = Loop()
    began = time.monotonic()
    loop.do(hang, deadline_s=3)
    loop.do(lambda: b"quick")
    loop.do(lambda: b"next")
    ends = loop.run(3)
    assert ends == [(b"quick", ""), (b"next", ""), (None, "it took longer than 3 s")]
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_order() -> None:
    """One after the other where only one may run."""
    loop = Loop(at_once=1)
    for number in range(5):
        loop.do(str(number).encode)
    assert [result for result, _ in loop.run(5)] == [b"0", b"1", b"2", b"3", b"4"]


def test_what_is_open() -> None:
    """No descriptor of the launcher except those that the work needs: others would stay open."""
    loop = Loop()
    ours, theirs = os.pipe()
    with make_memory("kept") as kept:

        def look() -> bytes:
            return b" ".join(name.encode() for name in os.listdir("/proc/self/fd"))

        loop.do(look, kept.fileno())
        ((result, _),) = loop.run(1)
        found = {int(name) for name in (result or b"").split()}
        assert {0, 1, 2, kept.fileno()} <= found
        assert not {ours, theirs} & found
    os.close(ours)
    os.close(theirs)


def test_close() -> None:
    """Kills what runs."""
    loop = Loop()
    loop.do(hang)
    loop.apart.close()
    assert loop.run(1) == [(None, "its examination ended early")]


def test_what_a_late_child_holds() -> None:
    """It is killed with it: no process continues half restored."""
    if os.uname().machine != "x86_64":
        pytest.skip("for x86-64 only")
    loop = Loop()
    with subprocess.Popen(["sleep", "60"]) as process:
        pidfd = os.pidfd_open(process.pid)

        def hold_and_hang() -> bytes:
            with tracing.hold(process.pid, pidfd):
                return hang()

        loop.do(hold_and_hang, pidfd, deadline_s=3)
        assert loop.run(1) == [(None, "it took longer than 3 s")]
        os.close(pidfd)
        assert process.wait(10) == -signal.SIGKILL


def test_the_launchers_end() -> None:
    """Is the end of its children, however it ends."""
    code = """
        import os, selectors, signal, sys
        from lambent.sandbox.launcher.apart import Apart, ChildWork

        def act():
            os.write(1, b"%d" % os.getpid())
            signal.pause()

        apart = Apart(selectors.DefaultSelector(), 1)
        apart.do(ChildWork(act=act, descriptors=lambda: [], on_done=print, deadline_s=60))
        signal.pause()
    """
    program = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        child = os.pidfd_open(int(os.read(launcher.stdout.fileno(), 100)))
        launcher.kill()
    ended = select.poll()
    ended.register(child, select.POLLIN)
    assert ended.poll(10_000)
    os.close(child)
