"""Event source mappings in the admin API."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.model.arn import Scope
from lambent.model.mapping import EventSourceMapping
from lambent.model.peers import Peers
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


_UNKNOWN: Mapping[str, Any] = {
    "last_result": None,
    "reason": "",
    "lag_s": None,
    "waiting": None,
    "in_flight": 0,
    "rate": 0.0,
    "counts": {},
}
"""Of a mapping that no node polls."""


class MappingOperations:
    """Lists mappings, with what the nodes that poll them know. `statuses` returns the status of
    each that is polled here, by UUID."""

    def __init__(
        self, store: Store, statuses: Callable[[], Mapping[str, Status]], peers: Peers
    ) -> None:
        self._store = store
        self._statuses = statuses
        self._peers = peers
        peers.serve("mappings/statuses", self._serve)

    async def list(self, scope: Scope) -> "tuple[list[MappingSummary], Sequence[int]]":
        """All mappings of an account and region, and the nodes whose statuses are missing."""
        mappings = await self._store.read(lambda tx: tx.mappings.list_in(scope))
        uuids = [mapping.uuid for mapping in mappings]
        answers = await self._peers.ask("mappings/statuses", uuids)
        known: dict[str, Any] = await self._serve(uuids)
        for found in answers.found.values():
            known.update(found)
        shown = [_show(mapping, known.get(mapping.uuid)) for mapping in mappings]
        return shown, answers.missing

    async def _serve(self, uuids: Any) -> dict[str, Any]:
        statuses = self._statuses()
        return {uuid: _plain(statuses[uuid]) for uuid in uuids if uuid in statuses}


def _plain(status: Status) -> dict[str, Any]:
    age_ms = status.iterator_age_ms
    return {
        "last_result": status.result,
        "reason": status.reason,
        "lag_s": None if age_ms is None else round(age_ms / 1000, 3),
        "waiting": status.waiting,
        "in_flight": status.in_flight,
        "rate": round(status.rate, 2),
        "counts": dict(status.counts),
    }


def _show(mapping: EventSourceMapping, status: Mapping[str, Any] | None) -> MappingSummary:
    qualifier = mapping.qualifier
    known = _UNKNOWN if status is None else status
    return MappingSummary(
        uuid=mapping.uuid,
        function=mapping.function_name + (f":{qualifier}" if qualifier else ""),
        source=mapping.source_id,
        state=mapping.state.value,
        last_result=known["last_result"] or mapping.last_result,
        reason=known["reason"],
        lag_s=known["lag_s"],
        waiting=known["waiting"],
        in_flight=known["in_flight"],
        rate=known["rate"],
        counts=known["counts"],
    )
