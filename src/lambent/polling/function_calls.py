"""Calling the function of a mapping with a batch, and waiting for the outcome."""

from collections.abc import Awaitable, Callable

from lambent.invocation.call import Call, CallResult
from lambent.invocation.invoker import Invoker
from lambent.kit.ids import new_request_id
from lambent.model.invocation import InvocationKind
from lambent.model.mapping import EventSourceMapping
from lambent.telemetry.metrics import Metrics


class FunctionCalls:
    """Calls the function of one mapping. `settle_logs` writes the log lines that the disk was too
    slow for when the call ended."""

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
        """Call the function. If this is cancelled, the function continues to run and its outcome is
        lost."""
        result = await self._invoker.call(
            Call(
                request_id=new_request_id(),
                kind=InvocationKind.MAPPING,
                key=self._key,
                qualifier=self._qualifier,
                event=event,
                trace_header=trace_header,
            )
        )
        if result.is_loop:
            self._metrics.add("RecursiveInvocationsDropped", self._key)
        if result.outcome.has_run:
            await self._settle_logs()
        return result
