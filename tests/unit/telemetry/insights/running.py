"""Runs queries over events, in this process."""

from collections.abc import Sequence

from lambent.telemetry.insights.query import compile_query
from lambent.telemetry.insights.records import Record, Source
from lambent.telemetry.segments import LogEvent

BEGIN_MS = 1_700_000_000_000
SOURCE = Source("111111111111", "/aws/lambda/f", "2024/01/31/[$LATEST]abc")


def records(messages: Sequence[str], *, every_ms: int = 1000) -> list[Record]:
    """Events with these texts, one after the other."""
    return [
        Record(
            SOURCE,
            LogEvent(BEGIN_MS + at * every_ms, BEGIN_MS, f"{message}\n".encode(), at),
        )
        for at, message in enumerate(messages)
    ]


def run(
    query: str, messages: Sequence[str], *, every_ms: int = 1000, limit: int | None = None
) -> list[dict[str, str]]:
    """The rows of a query, without pointers."""
    compiled = compile_query(query, limit=limit, now_ms=BEGIN_MS)
    rows = compiled.run(records(messages, every_ms=every_ms), lambda: None)
    return [{name: value for name, value in row if name != "@ptr"} for row in rows]
