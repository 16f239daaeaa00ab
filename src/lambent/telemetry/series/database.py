"""Metrics on disk: one row for each metric and minute, in an SQLite file of their own.

The file is not part of the platform's database: it may be deleted, and a node's metrics are its
own. Every method blocks; `MetricStore` calls them in one thread.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lambent.model.arn import Scope
from lambent.telemetry.own_file import open_own_file, transaction
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import MetricKey

Point = tuple[MetricKey, int]
"""A metric and a minute since the epoch."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, dimensions TEXT NOT NULL, unit TEXT NOT NULL, last_minute INTEGER NOT NULL,
    UNIQUE (account, region, namespace, name, dimensions, unit)
) STRICT;
CREATE TABLE IF NOT EXISTS points (
    metric INTEGER NOT NULL, minute INTEGER NOT NULL, count REAL NOT NULL, sum REAL NOT NULL,
    min REAL NOT NULL, max REAL NOT NULL, buckets TEXT NOT NULL, PRIMARY KEY (metric, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS points_by_minute ON points (minute);
"""
_VERSION = 1
_MERGED_MAX = 50_000
"""Rows that are merged at once: less than a second in the thread."""
_FIND = "account = ? AND region = ? AND namespace = ? AND name = ? AND dimensions = ? AND unit = ?"


class MetricDatabase:
    """The open file."""

    def __init__(self, file: Path) -> None:
        """Opens or creates the file. One that is damaged or of another version is set aside."""
        self._connection = open_own_file(file, _SCHEMA, _VERSION)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, points: Iterable[tuple[Point, Distribution]]) -> None:
        """Add values to what minutes have."""
        with transaction(self._connection) as cursor:
            for (key, minute), values in points:
                self._add(cursor, key, minute, values)

    def _add(
        self, cursor: sqlite3.Cursor, key: MetricKey, minute: int, values: Distribution
    ) -> None:
        row = cursor.execute(f"SELECT id FROM metrics WHERE {_FIND}", _columns(key)).fetchone()
        if row is None:
            cursor.execute(
                "INSERT INTO metrics (account, region, namespace, name, dimensions, unit,"
                " last_minute) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*_columns(key), minute),
            )
            metric = cursor.lastrowid
        else:
            (metric,) = row
            cursor.execute(
                "UPDATE metrics SET last_minute = ? WHERE id = ? AND last_minute < ?",
                (minute, metric, minute),
            )
        _add_values(cursor, int(metric or 0), minute, values)

    def points(self, key: MetricKey, start: int, end: int) -> Iterator[tuple[int, Distribution]]:
        """What a metric has in each minute from `start` to before `end`, in order."""
        rows = self._connection.execute(
            "SELECT minute, count, sum, min, max, buckets FROM points JOIN metrics ON id = metric"
            f" WHERE {_FIND} AND minute >= ? AND minute < ? ORDER BY minute",
            (*_columns(key), start, end),
        )
        for minute, *values in rows:
            yield minute, Distribution.load(*values)

    def units(self, key: MetricKey) -> list[str]:
        """The units a metric of this name and these dimensions was recorded in."""
        *columns, _ = _columns(key)
        rows = self._connection.execute(
            f"SELECT unit FROM metrics WHERE {_FIND.removesuffix(' AND unit = ?')} ORDER BY unit",
            columns,
        )
        return [unit for (unit,) in rows]

    def list(
        self, scope: Scope, *, since: int, after: MetricKey | None, limit: int
    ) -> list[MetricKey]:
        """Metrics with values since a minute, by namespace, name, dimensions and unit: up to
        `limit` of those after `after`."""
        begin = ("", "", "", "") if after is None else _columns(after)[2:]
        rows = self._connection.execute(
            "SELECT namespace, name, dimensions, unit FROM metrics WHERE account = ? AND"
            " region = ? AND last_minute >= ? AND (namespace, name, dimensions, unit) >"
            " (?, ?, ?, ?) ORDER BY namespace, name, dimensions, unit LIMIT ?",
            (*scope, since, *begin, limit),
        )
        return [
            MetricKey(scope, namespace, name, _dimensions(text), unit)
            for namespace, name, text, unit in rows
        ]

    def forget(self, before: int, bytes_max: int) -> None:
        """Delete what is older than a minute. If the rest takes more than `bytes_max`, the older
        half is merged into hours, and then the oldest tenth is deleted."""
        self._delete(before)
        if self.used_bytes <= bytes_max:
            return
        oldest, newest = self._connection.execute(
            "SELECT min(minute), max(minute) FROM points"
        ).fetchone()
        if oldest is None:
            return
        # Two steps at once: the next writes need space, too.
        self._merge_into_hours(oldest + (newest - oldest) // 2)
        if self.used_bytes > bytes_max:
            self._delete(oldest + max((newest - oldest) // 10, 1))

    @property
    def used_bytes(self) -> int:
        """The size of what is in the file. Deleted rows leave space that is used again."""
        (pages,), (size,), (free,) = (
            self._connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "page_size", "freelist_count")
        )
        return int((pages - free) * size)

    def _merge_into_hours(self, before: int) -> None:
        """Merge the values of minutes before one into those of their hours, the oldest first and
        some at a time. An hour's values are those of its first minute."""
        with transaction(self._connection) as cursor:
            rows = cursor.execute(
                "SELECT metric, minute, count, sum, min, max, buckets FROM points"
                " WHERE minute < ? AND minute % 60 != 0 ORDER BY minute LIMIT ?",
                (before - before % 60, _MERGED_MAX),
            ).fetchall()
            merged: dict[tuple[int, int], Distribution] = {}
            for metric, minute, *values in rows:
                hour = (metric, minute - minute % 60)
                merged.setdefault(hour, Distribution()).merge(Distribution.load(*values))
            cursor.executemany(
                "DELETE FROM points WHERE metric = ? AND minute = ?",
                [(metric, minute) for metric, minute, *_ in rows],
            )
            for (metric, hour_), summed in merged.items():
                _add_values(cursor, metric, hour_, summed)

    def _delete(self, before: int) -> None:
        self._connection.execute("DELETE FROM points WHERE minute < ?", (before,))
        self._connection.execute("DELETE FROM metrics WHERE last_minute < ?", (before,))


def _add_values(cursor: sqlite3.Cursor, metric: int, minute: int, values: Distribution) -> None:
    """Add values to what a minute of a metric has."""
    known = cursor.execute(
        "SELECT count, sum, min, max, buckets FROM points WHERE metric = ? AND minute = ?",
        (metric, minute),
    ).fetchone()
    if known is not None:
        values.merge(Distribution.load(*known))
    cursor.execute(
        "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?)",
        (metric, minute, values.count, values.sum, values.min, values.max, values.dump()),
    )


def _columns(key: MetricKey) -> tuple[str, ...]:
    return (
        *key.scope,
        key.namespace,
        key.name,
        json.dumps(key.dimensions, ensure_ascii=False),
        key.unit,
    )


def _dimensions(text: str) -> tuple[tuple[str, str], ...]:
    pairs: list[Any] = json.loads(text)
    return tuple((name, value) for name, value in pairs)
