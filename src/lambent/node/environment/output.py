"""Moves what a process in a box prints to the log.

Two pipes lead out of a box: stdout and stderr together, and the framed log pipe of runtime clients
that keep multi-line messages whole. Both are read on the event loop as they fill, and once more at
the end of an invocation, so that everything a function printed before its response belongs to that
invocation's log.

While the log store is behind, the pipes are not read: a function that prints without end is slowed
down and does not fill the platform's memory.
"""

import asyncio
import logging
import os
import select
from collections.abc import Callable

from lambent.kit.clock import Clock
from lambent.node.ports import LogStream
from lambent.sandbox.ports import Process
from lambent.telemetry.lines import FrameDecoder, LineAssembler

logger = logging.getLogger(__name__)

_READ_BYTES = 65_536
_DRAIN_READS = 64
"""A pipe holds 64 KiB at most; output that a process prints meanwhile may wait."""


class Output:
    """Moves one process's output to one log stream."""

    def __init__(
        self,
        process: Process,
        stream: LogStream,
        clock: Clock,
        on_line: Callable[[int, str, bytes], None],
    ) -> None:
        """`on_line` gets epoch milliseconds (0 if unknown), the level (empty if unknown) and the
        message of everything that is printed; it goes to `stream` from there."""
        self._stream = stream
        self._clock = clock
        self._on_line = on_line
        self._lines = LineAssembler()
        self._frames = FrameDecoder()
        self._loop = asyncio.get_running_loop()
        self._stdout: int | None = process.stdout
        self._log_pipe: int | None = process.log_pipe
        self._paused = False
        self._has_failed = False
        """A failure is logged once: the function decides how many lines there are."""
        self._pipes = select.poll()
        self._pipes.register(process.stdout, select.POLLIN)
        self._loop.add_reader(process.stdout, self._read_stdout)
        if process.log_pipe is not None:
            self._pipes.register(process.log_pipe, select.POLLIN)
            self._loop.add_reader(process.log_pipe, self._read_frames)

    def drain(self) -> None:
        """Read what is in the pipes now, including a last line without its newline."""
        if self._paused and self._stream.write_now():
            self.resume()
        # Most invocations print nothing. To ask is much cheaper than two reads that fail.
        if self._pipes.poll(0):
            for read in (self._read_stdout, self._read_frames):
                for _ in range(_DRAIN_READS):
                    if self._paused or not read():
                        break
        if self._lines.has_rest:
            self._emit(self._lines.flush())

    def resume(self) -> None:
        """Read again after the log store had been full."""
        if self._paused:
            self._paused = False
            if self._stdout is not None:
                self._loop.add_reader(self._stdout, self._read_stdout)
            if self._log_pipe is not None:
                self._loop.add_reader(self._log_pipe, self._read_frames)

    def close(self) -> None:
        """Read what is left and close the pipes. Idempotent."""
        self.drain()
        self._emit_frames(self._frames.flush())
        self._close_stdout()
        self._close_log_pipe()

    def _read_stdout(self) -> bool:
        if self._stdout is None:
            return False
        try:
            data = os.read(self._stdout, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_stdout()
            return False
        self._emit(self._lines.feed(data))
        return True

    def _read_frames(self) -> bool:
        if self._log_pipe is None:
            return False
        try:
            data = os.read(self._log_pipe, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_log_pipe()
            return False
        self._emit_frames(self._frames.feed(data))
        self._pause_if_full()
        return True

    def _emit_frames(self, frames: list[tuple[int, str, bytes]]) -> None:
        for timestamp_ms, level, message in frames:
            self._log(timestamp_ms, level, message)

    def _emit(self, lines: list[bytes]) -> None:
        if lines:
            now_ms = int(self._clock.now() * 1000)
            for line in lines:
                self._log(now_ms, "", line)
            self._pause_if_full()

    def _log(self, timestamp_ms: int, level: str, message: bytes) -> None:
        """Log a line. One that cannot be logged is lost, and nothing else is."""
        try:
            self._on_line(timestamp_ms, level, message)
        except Exception:
            if not self._has_failed:
                logger.exception("a line of a function's cannot be logged")
            self._has_failed = True

    def _pause_if_full(self) -> None:
        if self._stream.is_full and not self._paused:
            self._paused = True
            for pipe in (self._stdout, self._log_pipe):
                if pipe is not None:
                    self._loop.remove_reader(pipe)

    def _close_stdout(self) -> None:
        pipe, self._stdout = self._stdout, None
        self._close_pipe(pipe)

    def _close_log_pipe(self) -> None:
        pipe, self._log_pipe = self._log_pipe, None
        self._close_pipe(pipe)

    def _close_pipe(self, pipe: int | None) -> None:
        if pipe is not None:
            self._loop.remove_reader(pipe)
            self._pipes.unregister(pipe)
            os.close(pipe)
