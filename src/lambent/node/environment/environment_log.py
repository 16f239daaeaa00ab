"""The log of one environment, and its subscribers.

Everything that the platform logs about an environment and everything that its processes print
passes here once: to the log stream as text or JSON, to the tail for a caller that asked for one,
and to the extensions that subscribed. Most environments log text and have no subscribers; for them
an invocation is three lines.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lambent.kit.clock import Clock
from lambent.model.function import FunctionVersion
from lambent.model.invocation import InvocationRequest
from lambent.model.traces import SAMPLED_MARK, read_header
from lambent.node.apis.subscriptions import Subscription
from lambent.node.ports import LogSink, LogStream
from lambent.telemetry import events, report
from lambent.telemetry.application_lines import json_line, read_object
from lambent.telemetry.events import Event, Phase, Record
from lambent.telemetry.report import Report

_TAIL_BYTES = 4096
_MB = 1024 * 1024
_EARLY_MAX = 1000
"""Events of init that are kept for extensions that subscribe later in init."""
_EARLY_BYTES_MAX = 262_144

_Entry = tuple[str, float, Any]
"""Kind (`platform`, `function` or `extension`), epoch seconds, and the content: a platform event,
text, or an object."""


def open_environment_log(
    logs: LogSink,
    clock: Clock,
    function: FunctionVersion,
    *,
    environment_id: str,
    initialization_type: str,
) -> "EnvironmentLog":
    """A log in a stream of its own, named as in AWS."""
    today = datetime.fromtimestamp(clock.now(), UTC).date()
    name = report.stream_name(function.version, environment_id, today)
    key = function.key
    return EnvironmentLog(
        name,
        logs.open_stream(key.account, key.region, function.logging.log_group, name),
        clock,
        function,
        environment_id=environment_id,
        initialization_type=initialization_type,
    )


class EnvironmentLog:
    """Writes to the log stream, and publishes to subscribers."""

    def __init__(
        self,
        stream_name: str,
        stream: LogStream,
        clock: Clock,
        function: FunctionVersion,
        *,
        environment_id: str,
        initialization_type: str,
    ) -> None:
        logging = function.logging
        self.stream_name = stream_name
        self.stream = stream
        self._clock = clock
        self._function = function
        self._initialization_type = initialization_type
        self.is_provisioned = initialization_type == "provisioned-concurrency"
        """Whether the environment is one of provisioned concurrency."""
        self._environment_id = environment_id
        self._is_json = logging.log_format == "JSON"
        self._lowest_system = logging.system_log_level
        self._lowest_application = logging.application_log_level
        self._wraps = not (function.runtime or "provided").startswith("provided")
        self._runtime = report.runtime_version(function.runtime, function.key.region)
        self._subscriptions: list[Subscription] = []
        self._early: list[_Entry] | None = []
        self._early_bytes = 0
        self.is_plain = False
        """It is text and has no subscribers: an invocation is nothing but its lines."""
        self._tail: bytearray | None = None
        self._request_id = ""
        self._memory_used_bytes = 0
        self.memory_used_mb = 0
        """The most memory that the environment has used so far, rounded up."""

    # -- init ------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new attempt begins: subscribers of the last one are gone."""
        self._subscriptions.clear()
        self._early, self._early_bytes = [], 0
        self.is_plain = False

    def init_start(self, phase: str) -> None:
        """An init begins."""
        event = events.init_start(
            self._phase(phase), function=self._described(), runtime=self._runtime
        )
        self._emit(event, report.init_start(self._runtime) if phase != "invoke" else None)

    def init_runtime_done(self, phase: str, status: str, error_type: str | None = None) -> None:
        """The runtime's part of init is over."""
        self._emit(events.init_runtime_done(self._phase(phase), status, error_type), None)

    def extension(
        self, name: str, state: str, listens_to: Sequence[str], error_type: str | None = None
    ) -> None:
        """An extension is ready, or failed."""
        self._emit(
            events.extension(name, state, listens_to, error_type),
            report.extension(name, state, listens_to, error_type),
        )

    def init_report(
        self, phase: str, duration_ms: float, status: str, error_type: str | None = None
    ) -> None:
        """An init is over. A text log only shows failures, and inits ahead of demand."""
        text = None
        if status != "success":
            text = report.init_report(duration_ms, phase, status, error_type)
        elif self._initialization_type != "on-demand":
            text = report.init_report(duration_ms, phase, None, None)
        self._emit(events.init_report(self._phase(phase), status, error_type, duration_ms), text)

    def note(self, text: str) -> None:
        """Log a line that subscribers do not get."""
        self._line(text.encode())

    def close_subscriptions(self) -> None:
        """Init is over: no extension can subscribe any more."""
        self._early = None
        self.is_plain = not self._is_json and not self._subscriptions

    def restore_start(self) -> None:
        """A restore from a snapshot begins."""
        event = events.restore_start(function=self._described(), runtime=self._runtime)
        self._emit(event, report.restore_start(self._runtime))

    def restore_report(
        self, duration_ms: float, status: str, error_type: str | None = None
    ) -> None:
        """A restore is over."""
        self._emit(events.restore_runtime_done(status, error_type), None)
        self._emit(
            events.restore_report(status, error_type, duration_ms),
            report.restore_report(duration_ms, None if status == "success" else status, error_type),
        )

    def subscribe(self, subscription: Subscription) -> None:
        """An extension subscribes; it also gets the events of init so far."""
        self._subscriptions = [
            other
            for other in self._subscriptions
            if (other.extension, other.request.is_legacy)
            != (subscription.extension, subscription.request.is_legacy)
        ]
        self._subscriptions.append(subscription)
        self.is_plain = False
        for entry in self._early or ():
            subscription.offer(*entry)
        request = subscription.request
        kind = "logsSubscription" if request.is_legacy else "telemetrySubscription"
        word = "LOGS" if request.is_legacy else "TELEMETRY"
        self._emit(
            events.subscription(kind, subscription.extension, request.types),
            report.subscription(word, subscription.extension, request.types),
        )

    # -- invocations -----------------------------------------------------------------------

    def start(self, request: InvocationRequest) -> None:
        """An invocation starts."""
        self._tail = bytearray() if request.wants_log_tail else None
        self._request_id = request.request_id
        version = self._function.version
        text = report.start(request.request_id, version)
        if self.is_plain:
            self._line(text)
        else:
            tracing = events.tracing(request.trace_id)
            event = events.start(request.request_id, version, tracing, request.tenant_id)
            self._emit(event, text)

    def runtime_done(
        self,
        request: InvocationRequest,
        *,
        status: str,
        error_type: str | None,
        duration_ms: float,
        produced_bytes: int,
        spans: Sequence[tuple[str, float, float]] = (),
    ) -> None:
        """The runtime has done its part. Spans are name, beginning in epoch seconds and
        milliseconds."""
        event = events.runtime_done(
            request.request_id,
            status=status,
            error_type=error_type,
            duration_ms=duration_ms,
            produced_bytes=produced_bytes,
            spans=[events.span(*span) for span in spans],
            tracing=events.tracing(request.trace_id),
            tenant_id=request.tenant_id,
        )
        self._emit(event, None)

    def end(
        self,
        request: InvocationRequest,
        *,
        duration_ms: float,
        init_ms: float | None = None,
        restore_ms: float | None = None,
        status: str | None,
        error_type: str | None,
        reason: str = "",
    ) -> None:
        """The invocation is over. If the platform ended it, `status` is `timeout` or `error`,
        `error_type` is dotted, and `reason` is the text that explains it."""
        memory_mb = self._function.memory_mb
        ran_out = error_type == "Runtime.OutOfMemory"
        # By position, in the order of the fields: names would cost as much again.
        report_ = Report(
            request.request_id,
            duration_ms,
            memory_mb,
            memory_mb if ran_out else self.memory_used_mb,
            init_ms,
            restore_ms,
            status,
            error_type,
        )
        if self._function.is_traced and SAMPLED_MARK in request.trace_id:
            report_.trace = read_header(request.trace_id)
        end, text = report.end(request.request_id), report.report(report_)
        if self.is_plain:
            self._line(end)
            self._line(text)
        else:
            if not self._is_json:
                self._line(end)
            self._emit_legacy("platform.end", {"requestId": request.request_id})
            tracing = events.tracing(request.trace_id)
            self._emit(events.report(report_, tracing=tracing, tenant_id=request.tenant_id), text)
        if status is not None and not self._is_json:
            self._explain(request, status, reason)
        self._request_id = ""

    def _explain(self, request: InvocationRequest, status: str, reason: str) -> None:
        """Explain a failure in the words that people, runbooks and metric filters look for."""
        if status == "timeout":
            at = events.iso_time(self._clock.now())
            timeout_s = self._function.timeout_s
            self._line(report.timed_out(at, request.request_id, timeout_s))
        elif reason:
            self._line(reason.encode())

    def take_tail(self) -> bytes:
        """The end of the invocation's log so far, for a caller that wants it; no more is kept."""
        tail, self._tail = self._tail, None
        return b"" if tail is None else bytes(tail[-_TAIL_BYTES:])

    def fault(self, request_id: str, status: str, error_type: str) -> None:
        """The platform ended an invocation. Only subscribers of the Logs API get this."""
        text = f"RequestId: {request_id} Status: {status}\tErrorType: {error_type}"
        self._emit_legacy("platform.fault", text)

    def note_memory(self, used_bytes: int) -> None:
        """Remember the most memory the environment has used so far."""
        if used_bytes > self._memory_used_bytes:
            self._memory_used_bytes = used_bytes
            self.memory_used_mb = min(-(-used_bytes // _MB), self._function.memory_mb)

    # -- what is printed -------------------------------------------------------------------

    def function_line(self, timestamp_ms: int, level: str, message: bytes) -> None:
        """The function printed a line. An unknown `timestamp_ms` is 0, an unknown `level` empty."""
        document = None
        if self._is_json and level:
            # From AWS's or our runtime client: it is JSON already.
            if not events.is_shown(level, self._lowest_application):
                return
            document = read_object(message) if self._subscriptions else None
        elif self._is_json and not message:
            return
        elif self._is_json:
            logged = json_line(
                message,
                at=timestamp_ms / 1000 or self._clock.now(),
                request_id=self._request_id,
                lowest=self._lowest_application,
                wraps=self._wraps,
            )
            if logged is None:
                return
            message, document = logged
        self._append(timestamp_ms, message)
        if not self.is_plain:
            content = document if document is not None else message.decode(errors="replace")
            self._publish("function", timestamp_ms / 1000 or self._clock.now(), content)

    def extension_line(self, timestamp_ms: int, _level: str, message: bytes) -> None:
        """An external extension printed a line."""
        self._append(timestamp_ms, message)
        if not self.is_plain:
            document = read_object(message) if self._is_json else None
            content = document if document is not None else message.decode(errors="replace")
            self._publish("extension", self._clock.now(), content)

    def close(self) -> None:
        """No more lines will come."""
        self.stream.close()

    # -- where it goes ---------------------------------------------------------------------

    def _emit(self, event: Event, text: bytes | None) -> None:
        if self._is_json:
            if events.is_shown(events.level_of(event), self._lowest_system):
                self._line(events.encode(self._clock.now(), event))
        elif text is not None:
            self._line(text)
        self._publish("platform", self._clock.now(), event)

    def _emit_legacy(self, kind: str, record: Record | str) -> None:
        """Publish an event that only the Logs API has."""
        for subscription in self._subscriptions:
            if subscription.request.is_legacy:
                subscription.offer("platform", self._clock.now(), (kind, record))

    def _publish(self, kind: str, at: float, content: Any) -> None:
        for subscription in self._subscriptions:
            subscription.offer(kind, at, content)
        early = self._early
        if early is not None and len(early) < _EARLY_MAX and self._early_bytes < _EARLY_BYTES_MAX:
            early.append((kind, at, content))
            self._early_bytes += len(content) if isinstance(content, str) else 1000

    def _line(self, message: bytes) -> None:
        self._append(0, message)

    def _append(self, timestamp_ms: int, message: bytes) -> None:
        self.stream.append(timestamp_ms, message)
        tail = self._tail
        if tail is not None:
            tail += message
            tail += b"\n"
            if len(tail) > 16 * _TAIL_BYTES:
                del tail[:-_TAIL_BYTES]

    def _phase(self, phase: str) -> Phase:
        return Phase(initialization_type=self._initialization_type, phase=phase)

    def _described(self) -> Record:
        function = self._function
        return {
            "functionName": function.key.name,
            "functionVersion": function.version,
            "functionArn": function.arn,
            "instanceId": self._environment_id,
            "instanceMaxMemory": function.memory_mb,
        }
