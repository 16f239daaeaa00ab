"""What asynchronous invocation costs: being accepted for good, and being delivered."""

import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench import load
from bench.own import NO_OP, Report, Row, deploy, lambda_client, measure, row, running_platform

_CLIENTS = 64
_EVENTS = 60_000
_BACKLOG = 1_000_000
_MEMORY_MB = 1769


def measure_asynchronous(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    count = max(int(_EVENTS * scale), 1000)
    with (
        tempfile.TemporaryDirectory(prefix="lambent-bench-") as data,
        running_platform(data) as endpoint,
    ):
        deploy(lambda_client(endpoint), "noop", {"app.py": NO_OP}, MemorySize=_MEMORY_MB)
        invoke = load.invoke_request(endpoint, "noop")
        measure(endpoint, [invoke], 16, 3000)
        report("synchronous, to compare with")
        rate = measure(endpoint, [invoke], 16, count // 3).rate
        event = invoke.replace(b"\r\n\r\n", b"\r\nX-Amz-Invocation-Type: Event\r\n\r\n", 1)
        report("accepting events")
        accepted = measure(endpoint, [event], _CLIENTS, count)
        yield row(f"event kept, 202, c={_CLIENTS}", accepted)
        report("delivering them")
        began, left = time.perf_counter(), count_left(data)
        while count_left(data):
            time.sleep(0.1)  # noqa: TID251 - another process is measured, on the wall clock
        drained = left / (time.perf_counter() - began)
        yield {
            "measurement": "events delivered",
            "count": left,
            "errors": 0,
            "per_second": round(drained, 1),
            "note": f"{drained / rate:.0%} of the synchronous rate at c=16",
        }
    yield _measure_backlog(scale, report)


def _measure_backlog(scale: float, report: Report) -> Row:
    """A platform that finds a long queue when it starts."""
    count = max(int(_BACKLOG * scale), 1000)
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as data:
        with running_platform(data) as endpoint:
            deploy(lambda_client(endpoint), "noop", {"app.py": NO_OP}, MemorySize=_MEMORY_MB)
        report(f"filling a queue with {count} events")
        _fill(data, count)
        report("starting with it")
        began = time.perf_counter()
        with running_platform(data):
            while _has_first(data):
                time.sleep(0.01)  # noqa: TID251 - another process is measured, on the wall clock
            first_s = time.perf_counter() - began
            time.sleep(5)  # noqa: TID251 - for memory to grow, if it does
            memory_mb = _memory_mb(data)
    return {
        "measurement": f"start with {count} events",
        "count": 1,
        "errors": 0,
        "p50_ms": round(first_s * 1000, 1),
        "note": f"until some are delivered; then {memory_mb} MB of memory",
    }


def _database(data: str) -> sqlite3.Connection:
    return sqlite3.connect(Path(data) / "state" / "lambent.db", timeout=30)


def count_left(data: str) -> int:
    """How many events a platform has in its database."""
    with closing(_database(data)) as database:
        found: int = database.execute("SELECT count(*) FROM async_events").fetchone()[0]
        return found


def _has_first(data: str) -> bool:
    """Whether all of the events that are due first are there. To count them all takes the
    platform's processors for longer than it takes to start."""
    with closing(_database(data)) as database:
        query = "SELECT count(*) FROM async_events WHERE id <= 64"
        found: int = database.execute(query).fetchone()[0]
        return found == 64


def _fill(data: str, count: int) -> None:
    now = time.time()
    columns = "id, request_id, account, region, name, payload, is_beside, trace_id, tenant_id,"
    columns += " accepted_at, due_at, function_errors, system_errors"
    with closing(_database(data)) as database:
        database.executemany(
            f"INSERT INTO async_events ({columns}) VALUES"
            " (?, ?, '000000000000', 'us-east-1', 'noop', ?, 0, 'Root=1-0-0', '', ?, ?, 0, 0)",
            (
                (number, f"00000000-0000-4000-8000-{number:012}", b"{}" + b" " * 200, now, now)
                for number in range(1, count + 1)
            ),
        )
        database.commit()


def _memory_mb(data: str) -> int:
    pid = subprocess.check_output(["pgrep", "-f", f"lambent up.*{data}"]).split()[0].decode()
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) // 1024
