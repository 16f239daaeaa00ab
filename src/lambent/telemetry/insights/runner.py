"""Runs queries of CloudWatch Logs Insights, and keeps their results for a while.

Two run at a time, each in a process of its own (`program.py`); others wait. Results stay in memory,
within a limit; the oldest are forgotten.
"""

import dataclasses
import json
import logging
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.strict_json import parse_loosely
from lambent.kit.tasks import start_part, start_task
from lambent.model.arn import Scope
from lambent.telemetry.insights.gathering import Gathered, Gathering, TooLarge
from lambent.telemetry.insights.program import ROWS_BYTES_MAX, Request
from lambent.telemetry.logs import LogStore

logger = logging.getLogger(__name__)

SECONDS_MAX = 60
"""How long a query may run."""
WAITING_MAX = 30
"""Queries of one account that have not ended, as in AWS."""
NUMBER_DIGITS = 12
_AT_ONCE = 2
_MEMORY_BYTES = 512 << 20
_KEPT_MAX = 200
_KEPT_BYTES_MAX = 64 << 20
_LINE_BYTES_MAX = 64 * 1024

_PROGRAM = "lambent.telemetry.insights.program"


class TooManyQueries(Exception):
    """An account has as many queries as it may."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What StartQuery asks for. Times are in epoch milliseconds, both inclusive."""

    scope: Scope
    text: str
    groups: Mapping[str, int]
    """The names of groups, and since when each keeps events."""
    start_ms: int
    end_ms: int
    limit: int | None


@dataclasses.dataclass(slots=True)
class LogQuery:
    """A query and what is known of it."""

    id: str
    asked: Asked
    created_ms: int
    status: str = "Scheduled"
    """`QueryStatus` of the API."""
    statistics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    rows: Sequence[bytes] = ()
    """JSON documents, `ResultRows` of the API."""
    duration_ms: int = 0
    missing: Sequence[int] = ()
    """Nodes whose logs it has not seen."""
    _scope: anyio.CancelScope = dataclasses.field(default_factory=anyio.CancelScope)

    @property
    def has_ended(self) -> bool:
        """Whether the status stays."""
        return self.status not in ("Scheduled", "Running")

    @property
    def size(self) -> int:
        """Bytes of the result."""
        return sum(map(len, self.rows))

    @property
    def cancel_scope(self) -> anyio.CancelScope:
        """Ends its process."""
        return self._scope


class LogQueries:
    """The queries of all accounts."""

    def __init__(
        self,
        logs: LogStore,
        gathering: Gathering,
        tasks: anyio.abc.TaskGroup,
        clock: Clock,
    ) -> None:
        self._logs = logs
        self._gathering = gathering
        self._tasks = tasks
        self._clock = clock
        self._queries: dict[str, LogQuery] = {}
        """By id, oldest first."""
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    def start(self, asked: Asked) -> LogQuery:
        """Start a query that compiles. Raises `TooManyQueries`."""
        waiting = [query for query in self.of(asked.scope) if not query.has_ended]
        if len(waiting) >= WAITING_MAX:
            raise TooManyQueries
        query = LogQuery(_new_id(self._gathering.number), asked, int(self._clock.now() * 1000))
        self._queries[query.id] = query

        def failed(_: Exception) -> None:
            query.status = "Failed"

        start_task(self._tasks, failed, self._run, query)
        return query

    def get(self, scope: Scope, id: str) -> LogQuery | None:
        """A query of an account and region."""
        query = self._queries.get(id)
        return query if query is not None and query.asked.scope == scope else None

    def of(self, scope: Scope) -> list[LogQuery]:
        """The queries of an account and region, newest first."""
        return [query for query in reversed(self._queries.values()) if query.asked.scope == scope]

    def stop(self, query: LogQuery) -> bool:
        """End a query; returns whether it was still running."""
        if query.has_ended:
            return False
        query.status = "Cancelled"
        query.cancel_scope.cancel()
        return True

    async def _run(self, query: LogQuery) -> None:
        try:
            with query.cancel_scope:
                async with self._limiter:
                    query.status = "Running"
                    began = self._clock.monotonic()
                    with anyio.move_on_after(SECONDS_MAX) as limit:
                        await self._run_process(query)
                    query.duration_ms = int((self._clock.monotonic() - began) * 1000)
                    if limit.cancelled_caught:
                        query.status = "Timeout"
        finally:
            self._forget_oldest()

    async def _run_process(self, query: LogQuery) -> None:
        await self._logs.flush()
        asked = query.asked
        about = (query.id, asked.scope, list(asked.groups), asked.start_ms)
        try:
            async with self._gathering.gathered(*about) as gathered:
                query.missing = gathered.missing
                await self._run_on(query, gathered)
        except (TooLarge, OSError) as error:
            _fail(query, str(error))

    async def _run_on(self, query: LogQuery, gathered: Gathered) -> None:
        with anyio.CancelScope(shield=True):  # A start that is cancelled would leave a process.
            process = await anyio.open_process(
                [sys.executable, "-I", "-B", "-m", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
        try:
            async with anyio.create_task_group() as tasks:
                start_part(tasks, _send, process, self._request(query.asked, gathered))
                await _receive(process, query)
                tasks.cancel_scope.cancel()
        finally:
            if process.returncode is None:
                process.kill()
            with anyio.CancelScope(shield=True):
                await process.aclose()

    def _request(self, asked: Asked, gathered: Gathered) -> bytes:
        request = Request(
            query=asked.text,
            limit=asked.limit,
            now_ms=int(self._clock.now() * 1000),
            start_ms=asked.start_ms,
            end_ms=asked.end_ms,
            account=asked.scope.account,
            groups=[
                (group, str(directory.absolute()), asked.groups[group], place)
                for group, directory, place in gathered.groups
            ],
            memory_bytes=_MEMORY_BYTES,
            cpu_s=SECONDS_MAX,
        )
        return json.dumps(dataclasses.asdict(request)).encode()

    def _forget_oldest(self) -> None:
        ended = [query for query in self._queries.values() if query.has_ended]
        size = sum(query.size for query in ended)
        for query in ended[:-1]:
            if len(self._queries) <= _KEPT_MAX and size <= _KEPT_BYTES_MAX:
                break
            size -= query.size
            del self._queries[query.id]


def _new_id(number: int) -> str:
    """A UUID; among several nodes, its last digits are the number of this one."""
    id = str(uuid.uuid4())
    return f"{id[:-NUMBER_DIGITS]}{number:0{NUMBER_DIGITS}x}" if number else id


async def _send(process: anyio.abc.Process, document: bytes) -> None:
    assert process.stdin is not None
    try:
        await process.stdin.send(document)
        await process.stdin.aclose()
    except (OSError, anyio.BrokenResourceError):
        return  # It has ended; its output says so.


async def _receive(process: anyio.abc.Process, query: LogQuery) -> None:
    """Follow the output of a process to its end, and note the result."""
    assert process.stdout is not None
    received = bytearray()
    done: Mapping[str, Any] | None = None
    async for chunk in process.stdout:
        received += chunk
        while done is None and b"\n" in received:
            line, _, rest = received.partition(b"\n")
            received = bytearray(rest)
            document = parse_loosely(bytes(line))
            done = document if "done" in document else None
            query.statistics = document if done is None else done["done"]
        if len(received) > (_LINE_BYTES_MAX if done is None else 2 * ROWS_BYTES_MAX):
            return _fail(query, "its output is too large")
    if query.has_ended:
        return None
    if done is None:
        return _fail(query, "its process ended early")
    if "failure" in done:
        return _fail(query, done["failure"])
    query.rows = bytes(received).split(b"\n") if received else ()
    query.status = "Complete"
    return None


def _fail(query: LogQuery, reason: str) -> None:
    logger.warning("a query of log groups failed: %s", reason)
    query.status = "Failed"
