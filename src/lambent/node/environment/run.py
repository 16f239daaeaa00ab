"""One invocation in an environment: its time, its response, and its report.

A `Run` begins when the invocation is assigned. When the runtime has responded, the caller's reply
gets the outcome; when the last extension has finished, the log gets END and REPORT. Without
extensions both are the same moment. The environment decides when; a run only keeps the books.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from lambent.kit.clock import Clock
from lambent.model.function import FunctionVersion
from lambent.model.invocation import (
    Crashed,
    InvocationRequest,
    Outcome,
    Refused,
    Reply,
    ResponseSink,
    RunReport,
    Succeeded,
    TimedOut,
)
from lambent.node.environment.environment_log import EnvironmentLog
from lambent.node.environment.failures import Failure, describe
from lambent.node.environment.startup import StartDurations
from lambent.node.environment.streamed_response import StreamedResponse
from lambent.telemetry import events

Finish = Callable[[], None]
"""Hands the outcome to the caller. To be called when the log is written, so that a caller that
knows the outcome finds everything the function has printed."""


class Run:
    """See the module."""

    __slots__ = (
        "_began",
        "_clock",
        "_function",
        "_log",
        "_queued_s",
        "_reply",
        "_responded_s",
        "_timer",
        "ended_at",
        "has_responded",
        "request",
        "streamed",
    )

    def __init__(
        self,
        request: InvocationRequest,
        reply: Reply,
        function: FunctionVersion,
        log: EnvironmentLog,
        clock: Clock,
        waiting_since: float | None,
    ) -> None:
        """`waiting_since` is a monotonic time."""
        self.request = request
        self.has_responded = False
        """Whether the caller's outcome is known: what follows cannot change it."""
        self.streamed: StreamedResponse | None = None
        """The response, if it comes in chunks."""
        self._reply = reply
        self._function = function
        self._log = log
        self._clock = clock
        self._began = clock.monotonic()
        self._queued_s = 0.0 if waiting_since is None else self._began - waiting_since
        self._timer: asyncio.TimerHandle | None = None
        self._responded_s = 0.0
        """Seconds from its beginning to the runtime's response."""
        self.ended_at = 0.0
        """Monotonic seconds."""
        log.start(request)

    # -- time ------------------------------------------------------------------------------

    def set_timer(self, loop: asyncio.AbstractEventLoop, on_deadline: Callable[[], None]) -> None:
        """Have `on_deadline` called when the function's timeout has passed."""
        self._timer = loop.call_later(self._function.timeout_s, on_deadline)

    def stop_timer(self) -> None:
        """The function's time does not pass for now, or not any more."""
        if self._timer is not None:
            self._timer.cancel()

    def restart(self, loop: asyncio.AbstractEventLoop, on_deadline: Callable[[], None]) -> None:
        """The function's time begins only now."""
        self._began = self._clock.monotonic()
        self.set_timer(loop, on_deadline)

    def deadline_ms(self) -> int:
        """The deadline in epoch milliseconds."""
        clock = self._clock
        elapsed_s = clock.monotonic() - self._began
        return int((clock.now() - elapsed_s + self._function.timeout_s) * 1000)

    # -- the response ----------------------------------------------------------------------

    def begin_stream(self, content_type: str, resume: Callable[[], None]) -> ResponseSink:
        """The runtime begins to respond in chunks. Returns what takes them."""
        sink = self._reply if self.request.wants_stream else None
        latency_s = self._clock.monotonic() - self._began
        self.streamed = StreamedResponse(sink, content_type, latency_s)
        self.streamed.begin(content_type, resume)
        return self.streamed

    def note_response(self, outcome: Outcome) -> None:
        """The runtime has responded."""
        self._responded_s = self._clock.monotonic() - self._began
        if not self._log.is_plain:
            produced_bytes = len(outcome.payload) if isinstance(outcome, Succeeded) else 0
            if self.streamed is not None:
                produced_bytes = self.streamed.count
            status = events.status_of(outcome.error_type)
            self._report_runtime_done(status, outcome.error_type, produced_bytes)

    def respond(self, outcome: Outcome, start: StartDurations) -> Finish:
        """Settle the caller's outcome while extensions still work."""
        return self._settle(outcome, self._responded_s, start)

    @property
    def extensions_ms(self) -> float:
        """Milliseconds from the runtime's response to the end, which extensions took."""
        return max(self.ended_at - self._began - self._responded_s, 0.0) * 1000

    # -- the end ---------------------------------------------------------------------------

    def end(
        self, outcome: Outcome | None, failure: Failure | None, start: StartDurations
    ) -> Finish | None:
        """Close the books: log the end and the report. `outcome` is the caller's, unless it has
        one already; `failure` is what ended the invocation, if it did not end by itself. Returns
        what hands the outcome to the caller, None if that has been done."""
        elapsed_s = self._clock.monotonic() - self._began
        self.ended_at = self._began + elapsed_s
        self.stop_timer()
        # The timer may be a fraction of a millisecond early or late.
        limit_s = float(self._function.timeout_s)
        status = error_type = None
        duration_s = min(elapsed_s, limit_s)
        if failure is not None:
            status, error_type = "error", failure.error_type
            if isinstance(outcome, TimedOut):
                status, duration_s = "timeout", limit_s
            if not self.has_responded and not self._log.is_plain:
                self._report_fault(status, error_type or "Sandbox.Timedout", duration_s)
        self._log.end(
            self.request,
            duration_ms=duration_s * 1000,
            init_ms=start.init_ms,
            restore_ms=start.restore_ms,
            status=status,
            error_type=error_type,
            reason=describe(outcome) if isinstance(outcome, Crashed) else "",
        )
        if outcome is None or self.has_responded:
            return None
        return self._settle(outcome, duration_s, start)

    def _settle(self, outcome: Outcome, duration_s: float, start: StartDurations) -> Finish:
        self.has_responded = True
        if self.streamed is not None:
            response_bytes = self.streamed.count
        else:
            response_bytes = 0 if isinstance(outcome, Refused) else len(outcome.payload)
        start_ms = start.init_ms if start.restore_ms is None else start.restore_ms
        ran_out = outcome.error_type == "Runtime.OutOfMemory"
        # By position, in the order of the fields: names would cost as much again.
        report = RunReport(
            self._queued_s,
            None if start_ms is None else start_ms / 1000,
            duration_s,
            self._function.memory_mb if ran_out else self._log.memory_used_mb,
            self._log.is_provisioned,
            response_bytes,
            self._log.take_tail() if self.request.wants_log_tail else b"",
            start.restore_ms is not None,
        )
        return partial(self._reply.finish, outcome, report)

    def _report_fault(self, status: str, error_type: str, duration_s: float) -> None:
        self._log.fault(self.request.request_id, status, error_type)
        self._responded_s = duration_s
        self._report_runtime_done(status, error_type, 0)

    def _report_runtime_done(
        self, status: str, error_type: str | None, produced_bytes: int
    ) -> None:
        responded_s = self._responded_s
        latency_s = self.streamed.latency_s if self.streamed is not None else responded_s
        began = self._clock.now() - responded_s
        self._log.runtime_done(
            self.request,
            status=status,
            error_type=error_type,
            duration_ms=responded_s * 1000,
            produced_bytes=produced_bytes,
            spans=(
                ("responseLatency", began, latency_s * 1000),
                ("responseDuration", began + latency_s, (responded_s - latency_s) * 1000),
            ),
        )
