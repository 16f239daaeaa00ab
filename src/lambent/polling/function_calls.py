"""Calling the function of a mapping with a batch, and waiting for what comes of it."""

import dataclasses
from collections.abc import Awaitable, Callable

import anyio

from lambent.invocation.invoker import Invoker
from lambent.kit.ids import new_request_id
from lambent.model.errors import ApiError, FunctionNotFound
from lambent.model.function import FunctionVersion
from lambent.model.invocation import (
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    RunReport,
    WholeReply,
)
from lambent.model.mapping import EventSourceMapping
from lambent.model.recursion import recursive
from lambent.model.traces import LOOPS_MAX, extend_lineage, trace_id_of
from lambent.telemetry.metrics import Metrics


@dataclasses.dataclass(frozen=True, slots=True)
class CallResult:
    """A call that is over."""

    request_id: str
    outcome: Outcome
    function: FunctionVersion | None
    """The version that was called; None if there was none."""
    trace_id: str = ""
    """The trace header of the call; empty if it was not made."""

    @property
    def was_taken(self) -> bool:
        """Whether the function ran: not if it was throttled, or could not be started."""
        return self.outcome.has_run

    @property
    def is_loop(self) -> bool:
        """Whether it was refused because the function called itself too often."""
        return isinstance(self.outcome, Refused) and self.outcome.reason is Refusal.LOOP


class FunctionCalls:
    """Calls the function of one mapping. `settle_logs` writes lines that a disk was too slow for
    when the outcome was told."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        invoker: Invoker,
        metrics: Metrics,
        settle_logs: Callable[[], Awaitable[None]],
    ) -> None:
        self._key = mapping.function_key
        self._qualifier = mapping.qualifier
        self._invoker = invoker
        self._metrics = metrics
        self._settle_logs = settle_logs

    async def call(self, event: bytes, trace_header: str | None = None) -> CallResult:
        """Call it. Cancelled, the function runs on and nobody hears of its outcome."""
        request_id = new_request_id()
        function: FunctionVersion | None = None
        trace_id = ""
        outcomes: list[Outcome] = []
        is_done = anyio.Event()

        def finish(outcome: Outcome, _: RunReport) -> None:
            outcomes.append(outcome)
            is_done.set()

        try:
            function = self._invoker.resolve_nowait(self._key, self._qualifier)
            if function is None:
                function = await self._invoker.resolve(self._key, self._qualifier)
            trace_id, loops = extend_lineage(trace_id_of(trace_header), self._key.arn)
            if loops >= LOOPS_MAX and not self._invoker.may_loop(self._key, self._qualifier):
                self._metrics.add("RecursiveInvocationsDropped", self._key)
                refused = Refused(recursive(self._key), Refusal.LOOP)
                return CallResult(request_id, refused, function, trace_id)
        except FunctionNotFound as error:
            return CallResult(request_id, Refused(error, Refusal.NOT_FOUND), function, trace_id)
        except ApiError as error:
            return CallResult(request_id, Refused(error), function, trace_id)
        request = InvocationRequest(
            request_id=request_id,
            kind=InvocationKind.MAPPING,
            function=function,
            qualifier=self._qualifier,
            event=event,
            trace_id=trace_id,
        )
        self._invoker.invoke(request, WholeReply(finish))
        await is_done.wait()
        await self._settle_logs()
        return CallResult(request_id, outcomes[0], function, trace_id)
