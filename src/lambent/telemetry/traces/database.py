"""Traces on disk: one row for each trace and each segment, in an SQLite file of their own.

The file is not part of the platform's database: it may be deleted, and a node's traces are its own.
Every method blocks; `TraceStore` calls them in one thread.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from lambent.kit.strict_json import parse_loosely
from lambent.model.arn import Scope
from lambent.telemetry.own_file import open_own_file, transaction
from lambent.telemetry.traces.documents import Document, Segment

_SCHEMA = """
CREATE TABLE IF NOT EXISTS traces (
    account TEXT NOT NULL, region TEXT NOT NULL, trace TEXT NOT NULL, began REAL NOT NULL,
    started REAL NOT NULL, ended REAL NOT NULL, bytes INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (account, region, trace)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS traces_by_beginning ON traces (account, region, began, trace);
CREATE INDEX IF NOT EXISTS traces_by_age ON traces (began);
CREATE TABLE IF NOT EXISTS segments (
    account TEXT NOT NULL, region TEXT NOT NULL, trace TEXT NOT NULL, id TEXT NOT NULL,
    own INTEGER NOT NULL, progress INTEGER NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (account, region, trace, id)
) STRICT, WITHOUT ROWID;
"""
_VERSION = 1
_ID = "account = ? AND region = ? AND trace = ?"
TRACE_BYTES_MAX, TRACE_SEGMENTS_MAX = 500 * 1024, 2_000
"""Of one trace; AWS has the first limit."""
_IS_NEAR_S = 30 * 86400.0


class Listed(NamedTuple):
    """A trace in a list."""

    trace_id: str
    began: float
    """Epoch seconds; lists are ordered by it."""


class TraceDatabase:
    """The open file."""

    def __init__(self, file: Path) -> None:
        """Opens or creates the file. One that is damaged or of another version is set aside."""
        self._connection = open_own_file(file, _SCHEMA, _VERSION)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, segments: Iterable[tuple[Scope, Segment]]) -> int:
        """Store segments; returns how many were dropped because their traces are too large."""
        dropped = 0
        with transaction(self._connection) as cursor:
            for scope, segment in segments:
                dropped += not _add(cursor, scope, segment)
        return dropped

    def list(
        self,
        scope: Scope,
        *,
        start: float,
        end: float,
        by_event: bool,
        before: Listed | None,
        limit: int,
    ) -> list[Listed]:
        """Traces, the latest first, after the one named by `before`: those that began between two
        moments or, `by_event`, have a segment that touches that time."""
        position = (before.began, before.trace_id) if before is not None else (float("inf"), "")
        when = "started < ? AND ended >= ?" if by_event else "began < ? AND began >= ?"
        rows = self._connection.execute(
            "SELECT trace, began FROM traces WHERE account = ? AND region = ?"
            f" AND {when} AND (began, trace) < (?, ?)"
            " ORDER BY began DESC, trace DESC LIMIT ?",
            (*scope, end, start, *position, limit),
        )
        return [Listed(*row) for row in rows]

    def documents(self, scope: Scope, trace_id: str) -> Sequence[Document]:
        """The segments of a trace, and the subsegments that were sent on their own; none if there
        is no such trace."""
        rows = self._connection.execute(
            f"SELECT document FROM segments WHERE {_ID} ORDER BY own DESC, id", (*scope, trace_id)
        )
        return [parse_loosely(text) for (text,) in rows]

    def forget(self, before: float, bytes_max: int) -> None:
        """Delete traces that began before a moment; if the file is larger than `bytes_max`, the
        oldest tenth as well."""
        self._delete("began < ?", before)
        (pages,), (size,), (free,) = (
            self._connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "page_size", "freelist_count")
        )
        if (pages - free) * size > bytes_max:
            (count,) = self._connection.execute("SELECT count(*) FROM traces").fetchone()
            row = self._connection.execute(
                "SELECT began FROM traces ORDER BY began LIMIT 1 OFFSET ?", (count // 10,)
            ).fetchone()
            if row is not None:
                self._delete("began <= ?", row[0])

    def _delete(self, where: str, moment: float) -> None:
        with transaction(self._connection) as cursor:
            cursor.execute(
                "DELETE FROM segments WHERE (account, region, trace) IN"
                f" (SELECT account, region, trace FROM traces WHERE {where})",
                (moment,),
            )
            cursor.execute(f"DELETE FROM traces WHERE {where}", (moment,))


def _add(cursor: sqlite3.Cursor, scope: Scope, segment: Segment) -> bool:
    """Store a segment; returns whether its trace has room for it."""
    about = (*scope, segment.trace_id)
    row = cursor.execute(
        f"SELECT began, started, ended, bytes, count FROM traces WHERE {_ID}", about
    ).fetchone()
    size = len(segment.text)
    if row is None:
        began = started = _beginning(segment)
        ended, total, count = segment.end, 0, 0
    else:
        began, started, ended, total, count = row
    is_full = total + size > TRACE_BYTES_MAX or count >= TRACE_SEGMENTS_MAX
    if is_full and not segment.is_own:
        return False
    cursor.execute(
        "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " own = excluded.own, progress = excluded.progress, document = excluded.document"
        # What the platform has made stays, and so does what is complete.
        " WHERE excluded.own >= segments.own AND excluded.progress <= segments.progress",
        (*about, segment.id, segment.is_own, segment.is_in_progress, segment.text),
    )
    cursor.execute(
        "INSERT OR REPLACE INTO traces VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *about,
            began,
            min(started, segment.start),
            max(ended, segment.end),
            total + size,
            count + 1,
        ),
    )
    return True


def _beginning(segment: Segment) -> float:
    """When the trace began, by its ID; IDs of W3C contain no time."""
    named = float(int(segment.trace_id[2:10], 16))
    return named if abs(named - segment.start) < _IS_NEAR_S else segment.start
