"""Reads the parts of a mapping and hands their records to lanes, in order. It serves streams,
Kafka and brokers alike.
"""

import zlib
from collections.abc import Sequence

import anyio

from lambent.kit.tasks import start_part
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.batch_calls import BatchCalls
from lambent.polling.item_failures import ReadFailures, failed_items
from lambent.polling.lane import Lane
from lambent.polling.on_failure import Tell
from lambent.polling.ports import EndOfPart, Part, PartLost, Record, Release, SourceError
from lambent.polling.progress import Progress
from lambent.polling.record_filter import RecordFilter
from lambent.polling.tumbling import TumblingLane

AnyLane = Lane | TumblingLane


class Reader:
    """Serves the parts of one mapping. `tell` replaces the destinations that the platform delivers
    to itself. `read_failures` knows how functions name the records of this source. `release` is for
    sources from which others read what this reader leaves."""

    def __init__(
        self,
        polled: ActiveMapping,
        tell: Tell | None = None,
        read_failures: ReadFailures = failed_items,
        release: Release | None = None,
    ) -> None:
        self._polled = polled
        self._tell = tell
        self._calls = BatchCalls(polled, read_failures)
        self._filter = RecordFilter(polled.mapping, polled.status)
        self._release_waiting = release
        self._new_lane = TumblingLane if polled.options.tumbling_s else Lane

    async def serve(self, part: Part) -> bool:
        """See `ports.Serve`."""
        lanes = [
            self._new_lane(self._polled, part, self._tell, self._calls)
            for _ in range(self._polled.options.factor)
        ]
        progress = Progress()
        is_end = False
        async with anyio.create_task_group() as tasks:
            for lane in lanes:
                start_part(tasks, lane.run, progress)
            with self._polled.stop.interrupts():
                is_end = await self._read(part, lanes, progress)
            for lane in lanes:
                lane.close(discard=not is_end)
            if self._release_waiting is not None:
                await self._release_waiting([record for lane in lanes for record in lane.under_way])
        return is_end and progress.is_clear and all(lane.is_clear for lane in lanes)

    async def _read(self, part: Part, lanes: Sequence[AnyLane], progress: Progress) -> bool:
        """Fill the lanes. Returns whether the part is at its end."""
        polled = self._polled
        settings = polled.settings
        backoff = Backoff(settings.backoff_s, settings.backoff_max_s)
        while True:
            try:
                records = await part.read()
            except EndOfPart:
                return True
            except PartLost:
                return False
            except SourceError as error:
                polled.status.note_problem(error)
                await polled.clock.sleep(backoff.failed())
                continue
            backoff.succeeded()
            polled.status.note_source_works()
            if records:
                await self._hand_out(part, records, lanes, progress)
            for lane in lanes:
                lane.note_read()

    async def _hand_out(
        self, part: Part, records: Sequence[Record], lanes: Sequence[AnyLane], progress: Progress
    ) -> None:
        """Put the records that the function gets into the lanes."""
        progress.begin(records)
        wanted, unwanted = self._filter.split(records, part.view)
        if unwanted:
            last = progress.end(unwanted)
            if last is not None:
                await lanes[0].commit(last)
        if len(lanes) == 1:
            await lanes[0].buffer.put(wanted)
            return
        for number, lane in enumerate(lanes):
            share = [record for record in wanted if _lane_of(record, len(lanes)) == number]
            if share:
                await lane.buffer.put(share)


def _lane_of(record: Record, lanes: int) -> int:
    # Not `hash`, which changes with each start.
    return zlib.crc32(record.key.encode()) % lanes
