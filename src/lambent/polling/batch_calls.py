"""Calling the function with a batch, as all sources do: calls and records are counted, and the
response says which records failed."""

from collections.abc import Sequence

from lambent.invocation.call import CallResult
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.item_failures import ReadFailures, failed_items, read_failures
from lambent.polling.ports import Record
from lambent.polling.status import INVOKE_ERROR


class BatchCalls:
    """Calls the function of one mapping. `read` knows how functions name the records of the source
    in a response."""

    def __init__(self, polled: ActiveMapping, read: ReadFailures = failed_items) -> None:
        self._calls = polled.calls
        self._status = polled.status
        self._reports_failures = polled.options.reports_failures
        self._read = read

    async def call(self, event: bytes, count: int, trace_header: str | None = None) -> CallResult:
        """Call it with an event that has `count` records, and wait for the outcome."""
        status = self._status
        status.in_flight += 1
        try:
            called = await self._calls.call(event, trace_header)
        finally:
            status.in_flight -= 1
        has_failed = not called.outcome.has_succeeded
        status.note_call(has_failed=has_failed)
        if has_failed:
            status.count_error(INVOKE_ERROR)
        if called.outcome.has_run or called.is_loop:
            status.count("InvokedEventCount", count)
        return called

    async def failed(self, payload: bytes, records: Sequence[Record]) -> frozenset[str] | None:
        """The ids of the records that a successful response reports as failed. None if the response
        makes the whole batch fail."""
        if not self._reports_failures:
            return frozenset()
        return await read_failures(self._read, payload, [record.id for record in records])
