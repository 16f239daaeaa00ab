"""Records that a mapping discards, and the on-failure destination that gets a record of them."""

import logging
from collections.abc import Awaitable, Callable

from lambent.invocation.call import CallResult
from lambent.model.delivery import Delivery, DeliveryKind
from lambent.model.function import LATEST
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.failure_records import make_failure_record
from lambent.polling.ports import DATABASE_AWAY, Part, SourceError
from lambent.polling.retries import EXPIRED, Discard
from lambent.polling.status import DELIVERY_ERROR
from lambent.polling.stop import Stop
from lambent.store.problems import StoreUnavailable

logger = logging.getLogger(__name__)

Tell = Callable[[bytes, str], Awaitable[None]]
"""Sends a failure record, with the trace header of the last call (empty if there was none). Returns
when the record is durable. Raises `SourceError` if it cannot be sent now."""


class OnFailure:
    """Discards records of one part. `tell` replaces the destinations that the platform delivers
    to itself."""

    def __init__(self, polled: ActiveMapping, part: Part, tell: Tell | None, stop: Stop) -> None:
        self._polled = polled
        self._part = part
        self._tell = tell or self._keep
        self._stop = stop
        settings = polled.settings
        self._backoff = Backoff(settings.backoff_s, settings.backoff_max_s)

    @property
    def wants_event(self) -> bool:
        """Whether the destination gets the event, too."""
        return self._polled.options.on_failure.startswith(("kafka://", "arn:aws:s3:"))

    async def discard(
        self, discard: Discard, called: CallResult | None, event: bytes | None
    ) -> bool:
        """Discard records, once the destination's record of them is durable. Returns False, and
        discards nothing, if polling stops before that."""
        polled = self._polled
        records = discard.chunk.records
        if polled.options.on_failure and not await self._report(discard, called, event):
            return False
        polled.status.count("DroppedEventCount", len(records))
        if discard.condition == EXPIRED:
            logger.warning(
                "event source mapping %s: %d messages expired", polled.mapping.uuid, len(records)
            )
        return True

    async def _report(
        self, discard: Discard, called: CallResult | None, event: bytes | None
    ) -> bool:
        polled = self._polled
        records = discard.chunk.records
        body = make_failure_record(
            discard,
            called,
            self._part.describe(records),
            function_arn=polled.mapping.function_arn,
            now=polled.clock.now(),
            payload=event,
        )
        while True:
            try:
                await self._tell(body, "" if called is None else called.trace_id)
            except SourceError as error:
                polled.status.note_problem(error, DELIVERY_ERROR)
                if self._stop.is_set:
                    return False
                with self._stop.interrupts():
                    await polled.clock.sleep(self._backoff.failed())
            else:
                break
        self._backoff.succeeded()
        polled.status.count("OnFailureDestinationDeliveredEventCount", len(records))
        return True

    async def _keep(self, body: bytes, trace_id: str) -> None:
        polled = self._polled
        mapping = polled.mapping
        now = polled.clock.now()
        delivery = Delivery(
            key=mapping.function_key,
            arn=f"{mapping.function_key.arn}:{mapping.qualifier or LATEST}",
            target=polled.options.on_failure,
            kind=DeliveryKind.ON_FAILURE,
            body=body,
            object_prefix=f"{mapping.object_prefix}{self._part.name}/",
            trace_id=trace_id,
            role=polled.aws.role,
            created_at=now,
            due_at=now,
        )
        try:
            await polled.keep([delivery])
        except StoreUnavailable as error:
            raise SourceError(DATABASE_AWAY) from error
