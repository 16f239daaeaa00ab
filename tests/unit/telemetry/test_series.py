"""Metrics over time: what is recorded is read by period, with true statistics."""

import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry.series.database import MetricDatabase
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import MetricKey, dimensions_of
from lambent.telemetry.series.store import MetricStore, open_metric_store
from lambent.telemetry.settings import TelemetrySettings

pytestmark = pytest.mark.anyio

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
KEY = MetricKey(SCOPE, "AWS/Lambda", "Duration", (("FunctionName", "f"),), "Milliseconds")
NOON = 1_800_000_000.0 // 86400 * 86400 + 43200
VALUES = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=200)


def distribution(values: list[float]) -> Distribution:
    made = Distribution()
    for value in values:
        made.add(value)
    return made


@given(VALUES, st.floats(0, 100))
def test_percentiles_are_near_the_true_ones(values: list[float], percent: float) -> None:
    """Within 1 % and a little for rounding, whatever the values."""
    found = distribution(values).percentile(percent)
    true = sorted(values)[max(math.ceil(percent / 100 * len(values)) - 1, 0)]
    assert found is not None
    assert found == pytest.approx(true, rel=0.0101)


@given(VALUES, VALUES)
def test_distributions_merge_and_are_stored_without_loss(
    first: list[float], second: list[float]
) -> None:
    """Two minutes make the hour that holds both."""
    merged = distribution(first)
    merged.merge(distribution(second))
    whole = distribution(first + second)
    assert merged.buckets == whole.buckets
    assert (merged.count, merged.min, merged.max) == (whole.count, whole.min, whole.max)
    assert merged.sum == pytest.approx(whole.sum)
    loaded = Distribution.load(merged.count, merged.sum, merged.min, merged.max, merged.dump())
    assert loaded == merged


def test_values_without_percentiles() -> None:
    """Summaries of different values, and negative values, have none, as in CloudWatch."""
    summary = Distribution()
    summary.add_summary(3, 12.0, 2.0, 6.0)
    assert (summary.count, summary.average, summary.percentile(50)) == (3, 4.0, None)
    equal = Distribution()
    equal.add_summary(3, 12.0, 4.0, 4.0)
    assert equal.percentile(50) == pytest.approx(4.0)
    assert distribution([-1.0, 2.0]).percentile(50) is None
    assert distribution([0.0, 0.0, 5.0]).percentile(50) == 0.0
    assert Distribution().percentile(50) is None


@asynccontextmanager
async def opened(tmp_path: Path, clock: ManualClock, **settings: int) -> AsyncIterator[MetricStore]:
    async with open_metric_store(
        tmp_path / "metrics.db", TelemetrySettings(**settings), clock
    ) as store:
        yield store


async def test_values_are_read_by_period(tmp_path: Path) -> None:
    """Each minute alone, or several together; a period without values is left out."""
    clock = ManualClock(NOON)
    async with opened(tmp_path, clock) as store:
        for minute, value in ((0, 1.0), (0, 3.0), (1, 5.0), (7, 9.0)):
            store.record(KEY, value, at=NOON + 60 * minute + 5)
        by_minute = await store.read(KEY, NOON, NOON + 600, 60)
        assert [(at - NOON, v.sum, v.count) for at, v in by_minute] == [
            (0, 4.0, 2),
            (60, 5.0, 1),
            (420, 9.0, 1),
        ]
        by_five = await store.read(KEY, NOON, NOON + 600, 300)
        assert [(at - NOON, v.sum, v.max) for at, v in by_five] == [(0, 9.0, 5.0), (300, 9.0, 9.0)]
        assert await store.read(KEY, NOON + 60, NOON + 120, 60) == by_minute[1:2]
        other = KEY._replace(dimensions=())
        assert await store.read(other, NOON, NOON + 600, 60) == []


async def test_values_of_one_minute_add_up_over_writes_and_restarts(tmp_path: Path) -> None:
    """What was written stays; what comes later is added to it."""
    clock = ManualClock(NOON)
    async with opened(tmp_path, clock) as store:
        store.record(KEY, 1.0)
        await store.write()
        store.record(KEY, 2.0, count=3)
    async with opened(tmp_path, clock) as store:
        store.record_summary(KEY, 2, 10.0, 4.0, 6.0, NOON + 1)
        [(at, values)] = await store.read(KEY, NOON, NOON + 60, 60)
        assert (at, values.count, values.sum, values.min, values.max) == (NOON, 6, 17.0, 1.0, 6.0)
        assert await store.units(KEY) == ["Milliseconds"]


async def test_metrics_are_listed_page_by_page(tmp_path: Path) -> None:
    """Of one account and region, while they have values of the last two weeks."""
    clock = ManualClock(NOON)
    async with opened(tmp_path, clock, metrics_days=30) as store:
        keys = [
            KEY._replace(dimensions=dimensions_of({"Resource": f"f:{n}", "FunctionName": "f"}))
            for n in range(5)
        ]
        for key in keys:
            store.record(key, 1.0)
        store.record(KEY._replace(scope=Scope(AccountId("2" * 12), SCOPE.region)), 1.0)
        store.record(KEY._replace(name="Old"), 1.0, at=NOON - 15 * 86400)
        first = await store.list(SCOPE, since=0, after=None, limit=3)
        rest = await store.list(SCOPE, since=0, after=first[-1], limit=3)
        assert first + rest == keys
        assert keys[0].dimensions[0] == ("FunctionName", "f")


def test_old_metrics_go(tmp_path: Path) -> None:
    """By age, and the oldest of too many."""
    database = MetricDatabase(tmp_path / "metrics.db")
    minute = int(NOON // 60)
    database.add(((KEY, minute + number), distribution([1.0])) for number in range(2000))
    database.forget(minute + 1000, 1 << 40)
    assert next(at for at, _ in database.points(KEY, 0, minute * 2)) == minute + 1000
    database.forget(0, 1024)
    left = [at for at, _ in database.points(KEY, 0, minute * 2)]
    # The older half is kept by the hour, and the first whole hour after the oldest tenth is left.
    assert left[0] == minute + 1140
    assert left[-1] == minute + 1999
    database.forget(minute + 2000, 1 << 40)
    assert database.list(SCOPE, since=0, after=None, limit=9) == []
    database.close()


async def test_too_many_at_once_are_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory has a bound, and the log says what is missing."""
    monkeypatch.setattr("lambent.telemetry.series.store._PENDING_MAX", 2)
    async with opened(tmp_path, ManualClock(NOON)) as store:
        for number in range(5):
            store.record(KEY._replace(name=f"m{number}"), 1.0)
        store.record(KEY._replace(name="m0"), 1.0)
        await store.write()
        assert "3 metrics were not recorded" in caplog.text
        assert len(await store.list(SCOPE, since=0, after=None, limit=9)) == 2


async def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    """Metrics are no reason not to start."""
    file = tmp_path / "metrics.db"
    file.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    async with opened(tmp_path, ManualClock(NOON)) as store:
        store.record(KEY, 1.0)
        assert len(await store.read(KEY, NOON, NOON + 60, 60)) == 1
    assert file.with_name("metrics.db.damaged").exists()
    with pytest.raises(sqlite3.OperationalError):
        MetricDatabase(tmp_path / "missing" / "metrics.db")


async def test_a_file_that_is_full_keeps_hours_of_the_past(tmp_path: Path) -> None:
    """Fifteen days of twenty functions, 200 MB for a thousand: the file stays within its share,
    old values are merged into hours, and none of them is lost while there is room."""
    bytes_max = 200 * (1 << 20) * 20 // 1000
    database = MetricDatabase(tmp_path / "metrics.db")
    keys = [KEY._replace(dimensions=(("FunctionName", f"f{n}"),)) for n in range(20)]
    first, days, each_day = int(NOON // 60), 15, 36
    written = 0
    for day in range(days):
        points = []
        for call in range(each_day):
            minute = first + day * 1440 + call * 37
            points += [((key, minute), distribution([12.5, 14.0])) for key in keys]
        database.add(points)
        written += len(points) // len(keys) * 2
        database.forget(first - 1, bytes_max)
        assert database.used_bytes <= bytes_max
    found = dict(database.points(keys[0], first, first + days * 1440))
    assert sum(values.count for values in found.values()) == written
    # The same again in a fifth of the space: minutes become hours, then the oldest go.
    small = bytes_max // 16
    for _ in range(30):
        database.forget(first - 1, small)
    assert database.used_bytes <= small
    left = dict(database.points(keys[0], first, first + days * 1440))
    assert 0 < len(left) < len(found)
    database.close()


async def test_merging_into_hours_loses_no_value(tmp_path: Path) -> None:
    """Count, sum, extremes and percentiles of a day are the same before and after."""
    database = MetricDatabase(tmp_path / "metrics.db")
    first = int(NOON // 60) // 60 * 60
    for minute in range(0, 1440, 7):
        database.add([((KEY, first + minute), distribution([float(minute + 1), 5.0]))])

    def whole() -> tuple[Distribution, int]:
        merged, rows = Distribution(), 0
        for _, values in database.points(KEY, first, first + 1440):
            merged.merge(values)
            rows += 1
        return merged, rows

    before, rows = whole()
    database._merge_into_hours(first + 1440)
    after, fewer = whole()
    assert (after.count, after.min, after.max) == (before.count, before.min, before.max)
    assert after.sum == pytest.approx(before.sum)
    assert after.buckets == before.buckets
    assert fewer <= 24 < rows
    database.close()


async def test_a_full_disk_costs_metrics_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file has a limit that stands for the disk's: what is written is lost and counted, the
    log says so once, reads work, and metrics are written again when there is room."""
    clock = ManualClock(NOON)
    async with open_metric_store(tmp_path / "metrics.db", TelemetrySettings(), clock) as store:
        store.record(KEY, 1.0)
        await store.write()
        connection = store._database._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(3):
            for other in range(300):
                store.record(KEY._replace(name=f"{number}-{other}"), 1.0)
            await store.write()
        assert store.is_failing
        assert store.lost == 900
        assert len([record for record in caplog.records if "cannot write" in record.message]) == 1
        (found,) = await store.read(KEY, NOON - 60, NOON + 60, 60)
        assert found[1].count == 1
        connection.execute("PRAGMA max_page_count = 1000000")
        store.record(KEY, 1.0)
        await store.write()
        assert not store.is_failing
        assert store.lost == 900
