"""Queries in their processes: what they may use, and what becomes of those that want more."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from lambent.kit.clock import SystemClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.peers import NoPeers
from lambent.telemetry import segments
from lambent.telemetry.insights import runner
from lambent.telemetry.insights.gathering import Gathering
from lambent.telemetry.insights.program import Request
from lambent.telemetry.insights.runner import Asked, LogQueries, LogQuery, TooManyQueries
from lambent.telemetry.logs import LogStore, open_logs
from lambent.telemetry.settings import TelemetrySettings

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
GROUP = "/app"
BEGIN_MS = 1_700_000_000_000


def asked(query: str, **more: Any) -> Asked:
    values = {"start_ms": 0, "end_ms": 1 << 60, "limit": None, "groups": {GROUP: 0}, **more}
    return Asked(scope=SCOPE, text=query, **values)


@asynccontextmanager
async def queries(tmp_path: Path) -> AsyncIterator[tuple[LogQueries, LogStore]]:
    async with (
        open_logs(TelemetrySettings(), tmp_path, SystemClock()) as logs,
        anyio.create_task_group() as tasks,
    ):
        yield LogQueries(logs, Gathering(logs, NoPeers(), tmp_path), tasks, SystemClock()), logs
        tasks.cancel_scope.cancel()


async def ended(query: LogQuery) -> LogQuery:
    with anyio.fail_after(60):
        while not query.has_ended:  # noqa: ASYNC110 - a level of another task
            await anyio.sleep(0.01)
    return query


@pytest.mark.anyio
async def test_a_query_reads_what_its_time_and_groups_have(tmp_path: Path) -> None:
    """Both ends are included; events that a group keeps no longer are not."""
    async with queries(tmp_path) as (log_queries, logs):
        writer = logs.open_stream(*SCOPE, GROUP, "s")
        for number in range(5):
            writer.append(BEGIN_MS + number * 1000, b"%d" % number)
        between = asked(
            "fields @message | sort @message", start_ms=BEGIN_MS + 1000, end_ms=BEGIN_MS + 3000
        )
        query = await ended(log_queries.start(between))
        values = [json.loads(row)[0]["value"] for row in query.rows]
        assert values == ["1", "2", "3"]
        kept = dataclasses.replace(between, groups={GROUP: BEGIN_MS + 3000})
        query = await ended(log_queries.start(kept))
        assert [json.loads(row)[0]["value"] for row in query.rows] == ["3"]
        assert query.statistics["recordsScanned"] == 1
        assert log_queries.get(SCOPE, query.id) is query
        assert log_queries.get(Scope(AccountId("111111111111"), SCOPE.region), query.id) is None


@pytest.mark.anyio
async def test_queries_wait_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two run, others wait; an account has thirty. Those that are stopped end at once."""
    async with queries(tmp_path) as (log_queries, logs):
        logs.open_stream(*SCOPE, GROUP, "s").append(BEGIN_MS, b"a" * 40 + b"!")
        endless = asked("filter @message like /^(a|a)*$/")
        started = [log_queries.start(endless) for _ in range(runner.WAITING_MAX)]
        with pytest.raises(TooManyQueries):
            log_queries.start(endless)
        with anyio.fail_after(30):
            while [each.status for each in started].count("Running") < 2:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert [each.status for each in started].count("Scheduled") == runner.WAITING_MAX - 2
        assert all(log_queries.stop(each) for each in started)
        assert not log_queries.stop(started[0])
        assert {each.status for each in started} == {"Cancelled"}


@pytest.mark.anyio
async def test_a_query_that_takes_too_long_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `Timeout`, and its process is gone."""
    monkeypatch.setattr(runner, "SECONDS_MAX", 1)
    async with queries(tmp_path) as (log_queries, logs):
        logs.open_stream(*SCOPE, GROUP, "s").append(BEGIN_MS, b"a" * 40 + b"!")
        query = await ended(log_queries.start(asked("filter @message like /^(a|a)*$/")))
        assert query.status in ("Timeout", "Failed")  # Failed: the kernel's limit was first.


@pytest.mark.anyio
async def test_old_results_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stays, however large."""
    monkeypatch.setattr(runner, "_KEPT_BYTES_MAX", 100)
    async with queries(tmp_path) as (log_queries, logs):
        logs.open_stream(*SCOPE, GROUP, "s").append(BEGIN_MS, b"x" * 200)
        first = await ended(log_queries.start(asked("")))
        second = await ended(log_queries.start(asked("")))
        with anyio.fail_after(10):
            while log_queries.get(SCOPE, first.id) is not None:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert log_queries.get(SCOPE, second.id) is second
        assert second.size > 100


def run_program(directory: Path, query: str, *, memory_mb: int) -> list[Any]:
    """The lines that a query's process writes."""
    request = Request(
        query=query,
        limit=None,
        now_ms=BEGIN_MS,
        start_ms=0,
        end_ms=1 << 60,
        account="000000000000",
        groups=[(GROUP, str(directory), 0, 0)],
        memory_bytes=memory_mb << 20,
        cpu_s=60,
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-m", "lambent.telemetry.insights.program"],
        input=json.dumps(dataclasses.asdict(request)).encode(),
        capture_output=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "query",
    [
        "sort @message | dedup a",
        "stats count(*) by concat(@message, @ptr)",
        "stats count_distinct(concat(@message, @ptr))",
    ],
)
def test_a_query_that_needs_too_much_memory_fails(tmp_path: Path, query: str) -> None:
    """And says so."""
    stream = segments.make_directory(segments.make_directory(tmp_path, GROUP), "s")
    event = segments.encode(BEGIN_MS, BEGIN_MS, b"x" * 3000)
    for number in range(12):
        (stream / segments.segment_name(number)).write_bytes(event * 1300)
    group = segments.directory_of(tmp_path, GROUP)
    assert run_program(group, query, memory_mb=36)[-1]["failure"]
    counted = run_program(group, "stats count(*)", memory_mb=36)
    assert counted[-1][0]["value"] == str(12 * 1300)
