"""Calls of functions whose tracing is active: the sampling decision, the header that the function
gets, and one value for each sampled call when it has ended.

An upstream decision counts. Without one the first call of each second and 5 % of the others are
sampled. The function's header names its own segment as the parent, so whatever it calls becomes a
child.
https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
"""

from collections.abc import Callable

from lambent.invocation.call import Call
from lambent.kit.clock import Clock
from lambent.model.function import FunctionKey
from lambent.model.invocation import InvocationRequest, Outcome, Reply, RunReport
from lambent.model.traces import TraceContext, new_root, new_segment_id, read_header
from lambent.telemetry.traces.calls import TracedCall, event_segment_id, without_payload
from lambent.telemetry.traces.store import TraceStore


class Tracer:
    """See the module."""

    def __init__(self, traces: TraceStore, clock: Clock) -> None:
        self._traces = traces
        self._clock = clock

    def begin(self, call: Call) -> "tuple[str, CallTrace | None]":
        """The trace header for the function, and the call's trace if it is sampled."""
        given = read_header(call.trace_header)
        context = given or TraceContext(new_root(), None, None, "")
        is_sampled = context.is_sampled
        if is_sampled is None:
            is_sampled = self._decide(call.key, call)
        if not is_sampled:
            parent = context.parent or new_segment_id()
            return context._replace(parent=parent, is_sampled=False).header(), None
        trace = CallTrace(self._traces, self._clock, context, call)
        own = context._replace(parent=trace.function_segment_id, is_sampled=True)
        return own.header(), trace

    def _decide(self, key: FunctionKey, call: Call) -> bool:
        sampler = self._traces.sampler
        if call.attempt:
            return sampler.decide_once(key, call.request_id)
        return sampler.decide(key)


class CallTrace:
    """The trace of one attempt of a sampled call. It is the call's reply, too, in front of the
    caller's."""

    __slots__ = (
        "_began_at",
        "_call",
        "_clock",
        "_context",
        "_reply",
        "_request",
        "_traces",
        "function_segment_id",
    )

    _request: InvocationRequest
    _reply: Reply

    def __init__(self, traces: TraceStore, clock: Clock, context: TraceContext, call: Call) -> None:
        self._traces = traces
        self._clock = clock
        self._context = context
        self._call = call
        self._began_at = clock.now()
        self.function_segment_id = new_segment_id()

    def follow(self, request: InvocationRequest, reply: Reply) -> Reply:
        """Follow the call to its end. Returns the reply that takes what comes up."""
        self._request = request
        self._reply = reply
        return self

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `Reply`."""
        self._reply.begin(content_type, resume)

    def write(self, data: bytes) -> bool:
        """See `Reply`."""
        return self._reply.write(data)

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        call, request = self._call, self._request
        is_event = call.attempt > 0
        traced = TracedCall(
            key=call.key,
            invoked_arn=request.invoked_arn,
            request_id=call.request_id,
            trace_id=self._context.root,
            parent_id=self._context.parent,
            segment_id=event_segment_id(call.request_id) if is_event else new_segment_id(),
            function_segment_id=self.function_segment_id,
            accepted_at=min(call.accepted_at, self._began_at) if is_event else self._began_at,
            began_at=self._began_at,
            ended_at=max(self._clock.now(), self._began_at),
            attempt=call.attempt,
            outcome=without_payload(outcome),
            report=report,
        )
        self._traces.record(call.key.scope, traced)
        self._reply.finish(outcome, report)
