"""What a process prints, whatever becomes of it."""

import asyncio
import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.kit.clock import ManualClock
from lambent.worker.output import Output

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
