"""Metric filters: what they record of lines, within bounds."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.changes import Changes
from lambent.model.resources import LogGroupKey
from lambent.telemetry.logs import LogStore, open_logs
from lambent.telemetry.metric_filters import MetricFilter, MetricRecorder
from lambent.telemetry.series.keys import MetricKey
from lambent.telemetry.series.store import MetricStore, open_metric_store
from lambent.telemetry.settings import TelemetrySettings

pytestmark = pytest.mark.anyio

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
GROUP = LogGroupKey(SCOPE, "/app")
START = 1_700_000_000.0


def filter_of(pattern: str, value: str = "1", **more: Any) -> MetricFilter:
    transformation = {"metricNamespace": "n", "metricName": "m", "metricValue": value, **more}
    return MetricFilter.of(GROUP, "f", pattern, transformation)


class World:
    """A recorder with its filters."""

    def __init__(self, logs: LogStore, metrics: MetricStore, clock: ManualClock) -> None:
        self.logs, self.metrics, self.clock = logs, metrics, clock
        self.filters: Sequence[MetricFilter] = ()
        self.recorder = MetricRecorder(self._load, logs, metrics, clock)

    async def _load(self) -> Sequence[MetricFilter]:
        return self.filters

    async def use(self, *filters: MetricFilter) -> None:
        self.filters = filters
        await self.recorder.refresh()

    async def log(self, *lines: str) -> None:
        writer = self.logs.open_stream(*SCOPE, GROUP.name, "s")
        for line in lines:
            writer.append(0, line.encode())
        await self.recorder.handle()

    async def values(self, *dimensions: tuple[str, str]) -> tuple[float, float]:
        """Number and sum of values."""
        key = MetricKey(SCOPE, "n", "m", dimensions, "None")
        found = await self.metrics.read(key, START - 3600, START + 7200, 86400)
        return sum(each.count for _, each in found), sum(each.sum for _, each in found)


@asynccontextmanager
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock, settings = ManualClock(START), TelemetrySettings(flush_every_s=1e9)
    async with (
        open_logs(settings, tmp_path / "logs", clock) as logs,
        open_metric_store(tmp_path / "metrics.db", settings, clock) as metrics,
    ):
        yield World(logs, metrics, clock)


async def test_values_of_lines(tmp_path: Path) -> None:
    """Numbers are recorded; other texts and lines that do not match are not."""
    async with world(tmp_path) as recorder:
        await recorder.use(filter_of("{ $.n = * }", "$.n"))
        await recorder.log('{"n": 1.5}', '{"n": "2"}', '{"n": "x"}', '{"n": 1e999}', "no")
        assert await recorder.values() == (2, 3.5)


async def test_a_default_is_recorded_once_a_minute(tmp_path: Path) -> None:
    """If lines of that minute do not match, and none of them did before."""
    async with world(tmp_path) as recorder:
        await recorder.use(filter_of("ERROR", defaultValue=0.0))
        await recorder.log("fine")
        await recorder.log("fine")
        assert await recorder.values() == (1, 0)
        recorder.clock.advance(60)
        await recorder.log("ERROR")
        await recorder.log("fine")
        assert await recorder.values() == (2, 1)


async def test_combinations_of_dimensions_are_bounded(tmp_path: Path) -> None:
    """A function chooses what it logs: a thousand combinations an hour are recorded."""
    async with world(tmp_path) as recorder:
        await recorder.use(filter_of("{ $.id = * }", dimensions={"Id": "$.id"}))
        await recorder.log(*(json.dumps({"id": f"i{number}"}) for number in range(1100)))
        assert await recorder.values(("Id", "i999")) == (1, 1)
        assert await recorder.values(("Id", "i1000")) == (0, 0)
        recorder.clock.advance(3600)
        await recorder.log('{"id": "i1000"}')
        assert await recorder.values(("Id", "i1000")) == (1, 1)


async def test_filters_come_and_go(tmp_path: Path) -> None:
    """Without filters nothing is collected."""
    async with world(tmp_path) as recorder:
        await recorder.use(filter_of(""))
        await recorder.log("one")
        await recorder.use()
        assert not recorder.logs.taps
        await recorder.log("two")
        assert await recorder.values() == (1, 1)
        recorder.recorder.note_changes(Changes(is_everything=True))
