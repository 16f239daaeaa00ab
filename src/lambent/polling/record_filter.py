"""Which of the records that were read the function gets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.model.filtering import Criteria
from lambent.model.mapping import EventSourceMapping
from lambent.polling.ports import Record
from lambent.polling.status import Status

View = Callable[[Record], tuple[Mapping[str, Any], Any]]
"""See `ports.Part.view`."""


class RecordFilter:
    """The filters of one mapping. Counts what was read and what they remove."""

    def __init__(self, mapping: EventSourceMapping, status: Status) -> None:
        self._criteria = Criteria.compile(mapping.kind.filters, mapping.options.filters)
        self._status = status

    def split(
        self, records: Sequence[Record], view: View
    ) -> tuple[Sequence[Record], Sequence[Record]]:
        """The records that the function gets, and the others. Both keep their order."""
        self._status.count("PolledEventCount", len(records))
        criteria = self._criteria
        if criteria is None:
            return records, ()
        wanted: list[Record] = []
        unwanted: list[Record] = []
        for record in records:
            (wanted if criteria.admits(*view(record)) else unwanted).append(record)
        self._status.count("FilteredOutEventCount", len(unwanted))
        return wanted, unwanted
