"""The queries that were started on any node. The id of a query names its node, which has it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.peers import NoAnswer, NodeGone, Peers
from lambent.telemetry.insights.runner import NUMBER_DIGITS, Asked, LogQueries, LogQuery


class Listed(NamedTuple):
    """A query in a list."""

    id: str
    text: str
    status: str
    """`QueryStatus` of the API."""
    groups: Sequence[str]
    created_ms: int
    duration_ms: int
    bytes_scanned: float


class Results(NamedTuple):
    """A part of what a query has found."""

    status: str
    statistics: Mapping[str, float]
    rows: Sequence[bytes]
    """JSON documents, `ResultRows` of the API."""
    total: int
    """How many rows there are."""
    missing: Sequence[int]
    """Nodes whose logs the query has not seen."""


class AllQueries:
    """See the module."""

    def __init__(self, own: LogQueries, peers: Peers) -> None:
        self._own = own
        self._peers = peers
        peers.serve("logs/query-results", self._serve_results)
        peers.serve("logs/query-stop", self._serve_stop)
        peers.serve("logs/queries", self._serve_list)

    def start(self, asked: Asked) -> LogQuery:
        """Start a query here; see `LogQueries`."""
        return self._own.start(asked)

    async def results(self, scope: Scope, id: str, first: int, count: int | None) -> Results | None:
        """What a query has found, from a row on. None if there is no such query."""
        if self._is_here(id):
            return self._results(scope, id, first, count)
        found = await self._ask(id, "logs/query-results", [*scope, id, first, count])
        if found is None:
            return None
        status, statistics, rows, total, missing = found
        return Results(status, statistics, [row.encode() for row in rows], total, missing)

    async def stop(self, scope: Scope, id: str) -> bool | None:
        """End a query; returns whether it was still running, None if there is no such query."""
        if self._is_here(id):
            return self._stop(scope, id)
        stopped: bool | None = await self._ask(id, "logs/query-stop", [*scope, id])
        return stopped

    async def all_of(self, scope: Scope) -> tuple[Sequence[Listed], Sequence[int]]:
        """All queries, newest first, and the nodes whose queries are missing."""
        answers = await self._peers.ask("logs/queries", [*scope])
        found = [*self._list(scope)]
        found += [Listed(*each) for listed in answers.found.values() for each in listed]
        found.sort(key=lambda query: query.created_ms, reverse=True)
        return found, answers.missing

    def _results(self, scope: Scope, id: str, first: int, count: int | None) -> Results | None:
        query = self._own.get(scope, id)
        if query is None:
            return None
        rows = query.rows[first:] if count is None else query.rows[first : first + count]
        return Results(query.status, query.statistics, rows, len(query.rows), query.missing)

    def _stop(self, scope: Scope, id: str) -> bool | None:
        query = self._own.get(scope, id)
        return None if query is None else self._own.stop(query)

    def _list(self, scope: Scope) -> Sequence[Listed]:
        return [
            Listed(
                query.id,
                query.asked.text,
                query.status,
                list(query.asked.groups),
                query.created_ms,
                query.duration_ms,
                query.statistics.get("bytesScanned", 0.0),
            )
            for query in self._own.of(scope)
        ]

    def _is_here(self, id: str) -> bool:
        return _node_of(id) in (None, self._peers.number) or not self._peers.number

    async def _ask(self, id: str, question: str, value: Any) -> Any:
        """What the node of a query answers; None if that node is gone, and with it the query."""
        try:
            return await self._peers.ask_one(_node_of(id) or 0, question, value)
        except NodeGone:
            return None
        except NoAnswer as error:
            raise ApiError(
                "ServiceUnavailableException",
                f"Node {_node_of(id)}, which runs the query, does not answer. Try again.",
                status=503,
            ) from error

    # -- what other nodes ask --------------------------------------------------------------

    async def _serve_results(self, value: Any) -> Any:
        account, region, id, first, count = value
        found = self._results(Scope(account, region), id, first, count)
        if found is None:
            return None
        rows = [row.decode() for row in found.rows]
        return [found.status, found.statistics, rows, found.total, found.missing]

    async def _serve_stop(self, value: Any) -> Any:
        account, region, id = value
        return self._stop(Scope(account, region), id)

    async def _serve_list(self, value: Any) -> Any:
        return self._list(Scope(*value))


def _node_of(id: str) -> int | None:
    try:
        return int(id[-NUMBER_DIGITS:], 16)
    except ValueError:
        return None
