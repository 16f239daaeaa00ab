"""The polling of one mapping as it is configured now."""

import logging
from collections.abc import Sequence

import anyio

from lambent.model.mapping import EventSourceMapping
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.drivers import Poll
from lambent.polling.ports import SourceError

logger = logging.getLogger(__name__)


class Poller:
    """Reads a source, again after each failure, with a growing pause."""

    def __init__(self, polled: ActiveMapping, poll: Poll) -> None:
        self.polled = polled
        self._poll = poll
        self._ended = anyio.Event()

    @property
    def mapping(self) -> EventSourceMapping:
        """The mapping as it was when this poller began."""
        return self.polled.mapping

    async def run(self, after: "Sequence[Poller]") -> None:
        """Poll until `stop` is called. First waits for `after`, earlier pollers of the same
        mapping, to end: so the records of a stream stay in order."""
        polled = self.polled
        settings = polled.settings
        backoff = Backoff(settings.backoff_s, settings.backoff_max_s)
        for earlier in after:
            await earlier.wait_ended()
        while not polled.stop.is_set:
            began = polled.clock.monotonic()
            await self._poll_once()
            if polled.clock.monotonic() - began > settings.backoff_max_s:
                backoff.succeeded()
            with polled.stop.interrupts():
                await polled.clock.sleep(backoff.failed())
        self._ended.set()

    async def _poll_once(self) -> None:
        try:
            await self._poll(self.polled)
        except SourceError as error:
            self.polled.status.note_problem(error)
            logger.info("event source mapping %s: %s", self.mapping.uuid, error)
        except Exception as error:  # A bug of ours, or of a library, in one mapping only.
            logger.exception("event source mapping %s failed", self.mapping.uuid)
            text = f"PROBLEM: The event source cannot be read: {type(error).__name__}"
            self.polled.status.note_problem(SourceError(text))

    def stop(self) -> None:
        """Stop reading. Batches in progress continue to their end."""
        self.polled.stop.set()

    async def wait_quiet(self, grace_s: float) -> None:
        """Wait until no batch is in progress, for at most `grace_s` seconds."""
        await self.polled.stop.wait_quiet(self.polled.clock, grace_s)

    async def wait_ended(self) -> None:
        """Wait until this poller has ended."""
        await self._ended.wait()
