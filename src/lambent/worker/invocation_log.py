"""The log of one environment: its stream, and the platform's own lines around each invocation."""

from lambent.kit.clock import Clock
from lambent.model.invocation import Invocation
from lambent.telemetry import report
from lambent.telemetry.ports import LogStream

_TAIL_BYTES = 4096


class InvocationLog:
    """Writes START, END and REPORT, and keeps the tail for a caller who asked for it."""

    def __init__(self, stream: LogStream, clock: Clock) -> None:
        self.stream = stream
        self._clock = clock
        self._tail: bytearray | None = None
        self._memory_used_bytes = 0

    def begin(self, invocation: Invocation) -> None:
        """An invocation starts."""
        self._tail = bytearray() if invocation.wants_log_tail else None
        self.line(report.start(invocation.request_id, invocation.function.version))

    def end(
        self,
        invocation: Invocation,
        *,
        duration_ms: float,
        init_ms: float | None,
        status: str | None,
        error_type: str | None,
    ) -> None:
        """The invocation is over; `status` and `error_type` tell of a failure of the platform's
        making (`timeout`, `error` with a dotted type)."""
        limit_bytes = invocation.function.memory_mb * 1024 * 1024
        used = limit_bytes if error_type == "Runtime.OutOfMemory" else self._memory_used_bytes
        self.line(report.end(invocation.request_id))
        self.line(
            report.report(
                invocation.request_id,
                duration_ms=duration_ms,
                memory_mb=invocation.function.memory_mb,
                memory_used_mb=min(-(-used // (1024 * 1024)), invocation.function.memory_mb),
                init_ms=init_ms,
                status=status,
                error_type=error_type,
            )
        )
        if self._tail is not None:
            invocation.log_tail = bytes(self._tail[-_TAIL_BYTES:])
            self._tail = None

    def note_memory(self, used_bytes: int) -> None:
        """Remember the most memory the environment has used so far."""
        self._memory_used_bytes = max(self._memory_used_bytes, used_bytes)

    def line(self, message: bytes) -> None:
        """Append a line of the platform's own."""
        self.stream.append(int(self._clock.now() * 1000), message)
        if self._tail is not None:
            self.observe(message)

    def observe(self, line: bytes) -> None:
        """A line was logged: keep it for the tail, if someone asked for one."""
        tail = self._tail
        if tail is not None:
            tail += line
            tail += b"\n"
            if len(tail) > 16 * _TAIL_BYTES:
                del tail[:-_TAIL_BYTES]

    def close(self) -> None:
        """No more lines will come."""
        self.stream.close()
