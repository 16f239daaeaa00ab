"""What operators see of event source mappings."""

import dataclasses
from collections.abc import Callable, Mapping

from lambent.model.arn import Scope
from lambent.model.mapping import EventSourceMapping
from lambent.polling.status import Status
from lambent.store.store import Store


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MappingSummary:
    """One mapping, and what it is doing."""

    uuid: str
    function: str
    """Its name, with the qualifier."""
    source: str
    """ARN or bootstrap servers."""
    state: str
    last_result: str | None
    """Of whatever was tried last, also where the API shows none."""
    reason: str
    """A code, if something is wrong with the source."""
    lag_s: float | None
    """How old the last record was that was done with; None where there are no streams, or nothing
    was read yet."""
    waiting: int | None
    """Records the source has for us, where it tells."""
    in_flight: int
    """Batches that a function works on."""
    rate: float
    """Records per second that the function was called with, over the last minute."""
    counts: Mapping[str, int]
    """Records by AWS's names (`PolledEventCount`, …), since the mapping was last changed or the
    platform started."""


class MappingOperations:
    """Lists them. `statuses` gives those of the mappings that are polled."""

    def __init__(self, store: Store, statuses: Callable[[], Mapping[str, Status]]) -> None:
        self._store = store
        self._statuses = statuses

    async def list(self, scope: Scope) -> "list[MappingSummary]":
        """All of an account and region."""
        mappings = await self._store.read(lambda tx: tx.mappings.list_in(scope))
        statuses = self._statuses()
        return [_show(one, statuses.get(one.uuid)) for one in mappings]


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
