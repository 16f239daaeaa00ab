"""The launcher's snapshots."""

import contextlib
import dataclasses
import os
import selectors
import socket
from pathlib import Path

import pytest

from lambent.sandbox.launcher import capture
from lambent.sandbox.launcher.apart import Apart
from lambent.sandbox.launcher.image import make_memory, parse
from lambent.sandbox.launcher.snapshots import StoredSnapshot

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="for x86-64 only")


def test_thrown_away_while_a_start_waits() -> None:
    """The start fails; it does not get the file has taken over the descriptor's number."""
    image = parse(Path(__file__).with_name("captured.json").read_bytes())
    image = dataclasses.replace(image, specials=tuple(capture.read_specials(os.getpid())))
    apart = Apart(selectors.DefaultSelector(), 1)
    memory = make_memory("one")
    number = memory.fileno()
    snapshot = StoredSnapshot(image, memory, apart)
    ends: list[str | None] = []
    ours, theirs = socket.socketpair()
    pidfd = os.pidfd_open(os.getpid())
    snapshot.close()
    with make_memory("another") as another, ours, theirs:
        os.dup2(another.fileno(), number)
        snapshot.restore(os.getpid(), pidfd, control=ours, user=None, on_done=ends.append)
        assert ends == ["I/O operation on closed file"]
    os.close(pidfd)
    with contextlib.suppress(OSError):
        os.close(number)
