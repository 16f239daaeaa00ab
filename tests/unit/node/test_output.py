"""What a process prints, whatever becomes of it."""

import asyncio
import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.kit.clock import ManualClock
from lambent.node.environment.output import Output

pytestmark = pytest.mark.anyio


@dataclasses.dataclass
class Printing:
    """A process."""

    stdout: int
    log_pipe: int | None = None


class Stream:
    is_full = False


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(writing)


async def test_lines_that_cannot_be_logged_are_lost_and_nothing_else_is(
    pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    """Also while it is read in the background, drained and closed; the platform's log says it once,
    however many a function prints."""
    kept: list[bytes] = []

    def on_line(_at: int, _level: str, line: bytes) -> None:
        if line.startswith(b"bad"):
            raise ValueError("no such year")
        kept.append(line)

    stream: Any = Stream()
    output = Output(Printing(pipe[0]), stream, ManualClock(), on_line)
    os.write(pipe[1], b"bad\n" * 1000 + b"good 1\n")
    await asyncio.sleep(0.01)
    os.write(pipe[1], b"bad\ngood 2\nbad")
    output.drain()
    os.write(pipe[1], b"good 3\nbad again")
    output.close()
    output.close()
    assert kept == [b"good 1", b"good 2", b"good 3"]
    assert len(caplog.records) == 1


async def test_what_is_in_a_pipe_that_was_left_alone_is_read_at_the_end(
    pipe: tuple[int, int],
) -> None:
    """The log was full and the pipe not read any more; at the end of an invocation it is written,
    so that there is room for what was printed last."""

    class Full:
        def __init__(self) -> None:
            self.is_full = True

        def write_now(self) -> bool:
            self.is_full = False
            return True

    kept: list[bytes] = []
    stream: Any = Full()
    output = Output(Printing(pipe[0]), stream, ManualClock(), lambda _at, _l, m: kept.append(m))
    os.write(pipe[1], b"one\n")
    await asyncio.sleep(0.01)
    os.write(pipe[1], b"two\n")
    await asyncio.sleep(0.01)
    assert kept == [b"one"]  # It is paused.
    output.drain()
    assert kept == [b"one", b"two"]
    os.write(pipe[1], b"three\n")
    await asyncio.sleep(0.01)
    assert kept == [b"one", b"two", b"three"]  # It reads again.
    output.close()
