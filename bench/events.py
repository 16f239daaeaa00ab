"""Event buses with many rules, and many schedules that wait."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
from bench import load
from bench.own import Report, Row, cpu_s, pid_of, row, running_platform

from lambent.control.schedules.groups import SCHEDULE, root_of
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.events.patterns import Event, Pattern, read_event, read_pattern
from lambent.model.events.rule_index import RuleIndex
from lambent.store.settings import StoreSettings
from lambent.store.store import Transaction, open_store
from lambent.store.ticks import Tick

RULES = 1_000
SCHEDULES = 10_000
_EVENTS = 20_000
_IDLE_S = 60.0


def measure_events(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    report("matching")
    yield _measure_matching("exact texts", [_exact(number) for number in range(RULES)], scale)
    yield _measure_matching("all other operators", [_other(n) for n in range(RULES)], scale)
    report(f"making {SCHEDULES} schedules")
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as data_dir:
        state = Path(data_dir) / "state"
        state.mkdir()
        anyio.run(_fill, state)
        report("waiting")
        yield _measure_idle(data_dir, scale)


def _exact(number: int) -> Pattern:
    return _read({"source": ["shop"], "detail": {"text": [f"k{number}-abc-x"]}})


def _other(number: int) -> Pattern:
    """One of seven kinds of patterns without an exact text."""
    kinds: list[dict[str, Any]] = [
        {"text": [{"prefix": f"k{number}-"}]},
        {"text": [{"suffix": f"-{number}"}]},
        {"text": [{"wildcard": f"*k{number}-*-x"}]},
        {"number": [{"numeric": [">=", number * 10, "<", number * 10 + 10]}]},
        {"text": [{"anything-but": {"prefix": "k"}}], "none": [{"exists": False}]},
        {
            "$or": [
                {"text": [{"equals-ignore-case": f"K{number}-ABC-X"}]},
                {"number": [{"numeric": ["<", -number]}]},
            ]
        },
        {"none": [{"exists": True}], "text": [{"prefix": {"equals-ignore-case": f"K{number}-"}}]},
    ]
    return _read({"detail": kinds[number % len(kinds)]})


def _read(pattern: Any) -> Pattern:
    return read_pattern(json.dumps(pattern))


def _event(number: int) -> Event:
    detail = {"text": f"k{number}-abc-x", "number": number * 10 + 3, "others": {"a": [1, 2, 3]}}
    envelope = {"source": "shop", "detail-type": "order", "account": "0", "resources": ["a", "b"]}
    return read_event(json.dumps({**envelope, "detail": detail}))


def _measure_matching(what: str, patterns: list[Pattern], scale: float) -> Row:
    index = RuleIndex(enumerate(patterns))
    events = [_event(number % RULES) for number in range(max(int(_EVENTS * scale), RULES))]
    latencies, matched = [], 0
    for event in events:
        before = time.perf_counter()
        matched += len(index.matching(event))
        latencies.append(time.perf_counter() - before)
    sample = load.Sample(latencies_s=latencies, errors=0, duration_s=sum(latencies))
    note = f"{matched / len(events):.2f} rules match an event"
    return row(f"one event, {RULES} rules, {what}", sample, note=note)


async def _fill(state: Path) -> None:
    """A database as if so many schedules had been created, all due in a year."""
    root = root_of(Scope(AccountId("000000000000"), Region("us-east-1")), "default")
    now = time.time()
    body = {
        "State": "ENABLED",
        "ActionAfterCompletion": "NONE",
        "ScheduleExpression": "rate(365 days)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "RoleArn": ""},
        **dict.fromkeys(("created", "modified", "anchor"), now),
    }

    def write(tx: Transaction) -> None:
        for number in range(SCHEDULES):
            due_at = now + 365 * 86_400 + number
            tx.documents.put(root, SCHEDULE, f"s{number}", body)
            tx.ticks.put(Tick(root, f"s{number}", due_at, due_at))

    async with open_store(StoreSettings(synchronous="OFF"), state) as store:
        await store.transact(write)


def _measure_idle(data_dir: str, scale: float) -> Row:
    with running_platform(data_dir) as endpoint:
        pid = pid_of(endpoint)
        time.sleep(10)  # noqa: TID251 - for what was only to begin with
        duration_s = max(_IDLE_S * scale, 5.0)
        before = cpu_s(pid)
        time.sleep(duration_s)  # noqa: TID251
        used = (cpu_s(pid) - before) / duration_s
    note = f"{100 * used:.2f} % of a core in {duration_s:.0f} s"
    return {"measurement": f"{SCHEDULES} idle schedules", "count": SCHEDULES, "note": note}
