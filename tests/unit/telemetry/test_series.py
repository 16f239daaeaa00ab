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
        first = await store.list(SCOPE, since=0, after=0, limit=3)
        rest = await store.list(SCOPE, since=0, after=first[-1][0], limit=3)
        assert [key for _, key in first + rest] == keys
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
    assert left[0] == minute + 1000 + 99
    assert left[-1] == minute + 1999
    database.forget(minute + 2000, 1 << 40)
    assert database.list(SCOPE, since=0, after=0, limit=9) == []
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
        assert len(await store.list(SCOPE, since=0, after=0, limit=9)) == 2


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
