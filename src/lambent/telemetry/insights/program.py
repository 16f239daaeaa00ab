"""The program of a query's process: segments of logs in, rows out.

Queries are hostile: a regular expression may never end, statistics may need any memory. So each
query has a process, whose memory and time are limited, and which writes nothing. Stdin is a JSON
document, see `Request`. Stdout is lines of JSON: first the statistics so far, now and then; then
`{"done": …}`, with the last statistics; then the rows, as GetQueryResults shows them.
"""

import dataclasses
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from lambent.telemetry import segments
from lambent.telemetry.insights.query import Row, compile_query
from lambent.telemetry.insights.records import Record, Source
from lambent.telemetry.insights.steps import TooMuch
from lambent.telemetry.queries import CLOCK_SLACK_MS

ROWS_BYTES_MAX = 8 << 20
"""Bytes of a result; rows beyond are left out."""
_REPORT_EVERY_S = 0.5
_NICENESS = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A query and what it reads."""

    query: str
    limit: int | None
    now_ms: int
    start_ms: int
    end_ms: int
    """Inclusive."""
    account: str
    groups: list[tuple[str, str, int, int]]
    """Names and directories, since when each group keeps events, and the places of the nodes that
    have logged them."""
    memory_bytes: int
    cpu_s: int


class _Scan:
    """Reads events and counts them."""

    def __init__(self, request: Request, output: TextIO) -> None:
        self._request = request
        self._output = output
        self._scanned = self._bytes = 0
        self._matched = 0
        self._reported = time.monotonic()

    def records(self) -> Iterator[Record]:
        """All events in the query's time."""
        request = self._request
        for group, directory, oldest_ms, place in request.groups:
            start_ms = max(request.start_ms, oldest_ms)
            for stream, path in segments.list_directories(Path(directory)):
                source = Source(request.account, group, stream, place)
                for segment in segments.segments(path):
                    yield from self._of_segment(source, segment, start_ms)

    def _of_segment(self, source: Source, segment: Path, start_ms: int) -> Iterator[Record]:
        end_ms = self._request.end_ms
        try:
            if segment.stat().st_mtime * 1000 + CLOCK_SLACK_MS < start_ms:
                return
        except FileNotFoundError:
            return
        for event in segments.read(segment):
            if start_ms <= event.timestamp_ms <= end_ms:
                self._scanned += 1
                self._bytes += len(event.message)
                yield Record(source, event)
        if time.monotonic() - self._reported >= _REPORT_EVERY_S:
            self._reported = time.monotonic()
            print(json.dumps(self.statistics()), file=self._output, flush=True)

    def count_matched(self) -> None:
        """A record has passed all filters."""
        self._matched += 1

    def statistics(self) -> dict[str, float]:
        """`QueryStatistics` of the API."""
        return {
            "recordsMatched": float(self._matched),
            "recordsScanned": float(self._scanned),
            "estimatedRecordsSkipped": 0.0,
            "bytesScanned": float(self._bytes),
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": float(len({name for name, *_ in self._request.groups})),
        }


def main() -> None:
    request = Request(**json.load(sys.stdin))
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (request.memory_bytes, request.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (request.cpu_s, request.cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    scan = _Scan(request, sys.stdout)
    try:
        query = compile_query(request.query, limit=request.limit, now_ms=request.now_ms)
        rows = _encode(query.run(scan.records(), scan.count_matched))
    except (MemoryError, TooMuch, RecursionError) as error:
        print(json.dumps({"done": scan.statistics(), "failure": _reason(error)}), flush=True)
        return
    print(json.dumps({"done": scan.statistics()}))
    sys.stdout.write("\n".join(rows))


def _reason(error: BaseException) -> str:
    return str(error) or "The query needs too much memory."


def _encode(rows: Iterable[Row]) -> list[str]:
    found: list[str] = []
    size = 0
    for row in rows:
        text = json.dumps([{"field": name, "value": value} for name, value in row])
        size += len(text)
        if size > ROWS_BYTES_MAX:
            break
        found.append(text)
    return found


if __name__ == "__main__":
    main()
