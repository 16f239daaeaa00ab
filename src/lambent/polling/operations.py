"""Event source mappings in the admin API."""

import dataclasses
from collections.abc import Callable, Mapping

from lambent.model.arn import Scope
from lambent.model.mapping import EventSourceMapping
from lambent.polling.status import Status
from lambent.store.store import Store


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MappingSummary:
    """One mapping and its status."""

    uuid: str
    function: str
    """Its name, with the qualifier."""
    source: str
    """ARN or bootstrap servers."""
    state: str
    last_result: str | None
    """The result of the last attempt, even where Lambda's API shows none."""
    reason: str
    """A code, if the source cannot be read; else empty."""
    lag_s: float | None
    """The age of the last record that is done. None if no record is."""
    waiting: int | None
    """The number of records that wait in the source. None if it is unknown."""
    in_flight: int
    """The number of batches that the function is processing."""
    rate: float
    """Records per second that the function was called with, over the last minute."""
    counts: Mapping[str, int]
    """Numbers of records by AWS's names (`PolledEventCount`, …), since the mapping was last changed
    or the platform started."""


class MappingOperations:
    """Lists mappings. `statuses` returns the status of each that is polled, by UUID."""

    def __init__(self, store: Store, statuses: Callable[[], Mapping[str, Status]]) -> None:
        self._store = store
        self._statuses = statuses

    async def list(self, scope: Scope) -> "list[MappingSummary]":
        """All mappings of an account and region."""
        mappings = await self._store.read(lambda tx: tx.mappings.list_in(scope))
        statuses = self._statuses()
        return [_show(mapping, statuses.get(mapping.uuid)) for mapping in mappings]


def _show(mapping: EventSourceMapping, status: Status | None) -> MappingSummary:
    qualifier = mapping.qualifier
    age_ms = None if status is None else status.iterator_age_ms
    return MappingSummary(
        uuid=mapping.uuid,
        function=mapping.function_name + (f":{qualifier}" if qualifier else ""),
        source=mapping.source_id,
        state=mapping.state.value,
        last_result=mapping.last_result if status is None else status.result or mapping.last_result,
        reason="" if status is None else status.reason,
        lag_s=None if age_ms is None else round(age_ms / 1000, 3),
        waiting=None if status is None else status.waiting,
        in_flight=0 if status is None else status.in_flight,
        rate=0.0 if status is None else round(status.rate, 2),
        counts={} if status is None else dict(status.counts),
    )
