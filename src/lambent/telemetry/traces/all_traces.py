"""The traces of all nodes as one store.

Each node keeps the segments that were made on it or sent to it; those of one trace may be on
several. A reader asks all nodes and merges.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.kit.computing import computed
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.peers import SCAN_S, Peers
from lambent.telemetry.traces.database import TRACE_BYTES_MAX, Listed
from lambent.telemetry.traces.documents import Document
from lambent.telemetry.traces.store import TraceStore

_BYTES_MAX = 8 << 20
"""About so much of documents is in one answer."""


class ListedPage(NamedTuple):
    """Traces, the latest first."""

    found: Sequence[Listed]
    is_last: bool


class AllTraces:
    """See the module."""

    def __init__(self, own: TraceStore, peers: Peers) -> None:
        self._own = own
        self._peers = peers
        peers.serve("traces/list", self._serve_list)
        peers.serve("traces/read", self._serve_read)

    def reading(self) -> "TraceReading":
        """For one request."""
        return TraceReading(self._own, self._peers)

    async def _serve_list(self, value: Any) -> Any:
        scope, start, end, by_event, before, limit = value
        return await self._own.list(
            _scope_of(scope),
            start=start,
            end=end,
            by_event=by_event,
            before=None if before is None else Listed(*before),
            limit=limit,
        )

    async def _serve_read(self, value: Any) -> Any:
        scope, trace_ids = value
        # A trace has a limit, so that is how many fit.
        count = _BYTES_MAX // TRACE_BYTES_MAX
        found = await self._own.read(_scope_of(scope), trace_ids[:count])
        return found, trace_ids[count:]


class TraceReading:
    """Reads traces for one request, and knows which nodes did not answer."""

    def __init__(self, own: TraceStore, peers: Peers) -> None:
        self._own = own
        self._peers = peers
        self._silent: set[int] = set()

    @property
    def missing(self) -> Sequence[int]:
        """The nodes whose traces are missing."""
        return sorted({*self._silent, *self._peers.lost})

    async def list(
        self,
        scope: Scope,
        *,
        start: float,
        end: float,
        by_event: bool = False,
        before: Listed | None = None,
        limit: int,
    ) -> ListedPage:
        """See `TraceStore.list`."""
        value = [[*scope], start, end, by_event, before, limit]
        answers = await self._peers.ask("traces/list", value, within_s=SCAN_S)
        self._silent.update(answers.missing)
        own = await self._own.list(
            scope, start=start, end=end, by_event=by_event, before=before, limit=limit
        )
        parts = [own, *([Listed(*each) for each in part] for part in answers.found.values())]
        return _merged(parts, limit)

    async def read(self, scope: Scope, trace_ids: Sequence[str]) -> dict[str, Sequence[Document]]:
        """See `TraceStore.read`."""
        merged: dict[str, dict[Any, Document]] = {}
        _add(merged, await self._own.read(scope, trace_ids))
        values: dict[int, Any] = {n: [[*scope], list(trace_ids)] for n in self._peers.numbers()}
        while values:
            answers = await self._peers.ask_each("traces/read", values, within_s=SCAN_S)
            self._silent.update(answers.missing)
            values = {}
            for number, (found, rest) in answers.found.items():
                await computed(_add, merged, found)
                if rest:
                    values[number] = [[*scope], rest]
        return {
            trace_id: list(merged[trace_id].values())
            for trace_id in trace_ids
            if trace_id in merged
        }


def _merged(parts: Sequence[Sequence[Listed]], limit: int) -> ListedPage:
    """The page that parts of several nodes make. It ends where a part ends that may have more."""
    listed: dict[str, Listed] = {}
    for each in sorted((each for part in parts for each in part), key=_order, reverse=True):
        listed.setdefault(each.trace_id, each)
    found = list(listed.values())
    ends = [_order(part[-1]) for part in parts if len(part) >= limit]
    if ends:
        found = [each for each in found if _order(each) >= max(ends)]
    return ListedPage(found[:limit], not ends and len(found) <= limit)


def _order(listed: Listed) -> tuple[float, str]:
    return listed.began, listed.trace_id


def _add(merged: dict[str, dict[Any, Document]], found: Mapping[str, Sequence[Document]]) -> None:
    """Add the segments of traces. What is complete replaces what is in progress."""
    for trace_id, documents in found.items():
        known = merged.setdefault(trace_id, {})
        for document in documents:
            present = known.get(document.get("id"))
            if present is None or (present.get("in_progress") and not document.get("in_progress")):
                known[document.get("id")] = document


def _scope_of(plain: Sequence[str]) -> Scope:
    account, region = plain
    return Scope(AccountId(account), Region(region))
