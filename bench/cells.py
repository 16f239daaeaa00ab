"""What more than one cell costs and brings: processor time of the platform for each call.

A machine with few cores cannot show the rate of many cells. Processor time can be compared there:
twice as many cells serve twice as many calls if each call costs the same.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping

from bench import load
from bench.own import (
    NO_OP,
    Report,
    Row,
    cpu_s,
    deploy,
    lambda_client,
    measure,
    row,
    running_platform,
)

_CALLERS, _CLIENTS = 32, 64
_CALLS = 12_000
_EVENTS = 12_000
_MEMORY_MB = 1769


def measure_cells(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    of_one: dict[str, float] = {}
    for cells in ("1", "auto", "2", "3"):
        report(f"cells = {cells}")
        with running_platform(environment={"LAMBENT_SERVER__CELLS": cells}) as endpoint:
            deploy(lambda_client(endpoint), "noop", {"app.py": NO_OP}, MemorySize=_MEMORY_MB)
            invoke = load.invoke_request(endpoint, "noop")
            event = invoke.replace(b"\r\n\r\n", b"\r\nX-Amz-Invocation-Type: Event\r\n\r\n", 1)
            measure(endpoint, [invoke], _CALLERS, 3000)
            for what, request, clients, count in (
                ("call", invoke, _CALLERS, _CALLS),
                ("event kept, 202", event, _CLIENTS, _EVENTS),
            ):
                before = _cpu_of_all(endpoint)
                sample = measure(endpoint, [request], clients, max(int(count * scale), 1000))
                after = _cpu_of_all(endpoint)
                each_us = sum(after[pid] - before[pid] for pid in before) / len(sample.latencies_s)
                each_us *= 1e6
                ratio = each_us / of_one.setdefault(what, each_us)
                yield row(
                    f"{what}, cells={cells}, c={clients}",
                    sample,
                    ratio=f"{ratio:.2f} x the CPU",
                    note=f"{each_us:.0f} µs of {len(before)} processes: {_parts(before, after)}",
                )


def _cpu_of_all(endpoint: str) -> Mapping[int, float]:
    """Seconds of processor time of each process that has the platform's socket."""
    port = endpoint.rpartition(":")[2]
    found = subprocess.check_output(["ss", "-ltnpH", f"sport = :{port}"], text=True)
    return {
        pid: cpu_s(pid) for pid in sorted({int(pid) for pid in re.findall(r"pid=(\d+)", found)})
    }


def _parts(before: Mapping[int, float], after: Mapping[int, float]) -> str:
    used = {pid: after[pid] - before[pid] for pid in before}
    total = sum(used.values()) or 1.0
    return ", ".join(f"{part / total:.0%}" for part in used.values())
