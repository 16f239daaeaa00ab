"""What more than one cell costs and brings: processor time of the platform for each call.

A machine with few cores cannot show the rate of many cells. Processor time can be compared there:
twice as many cells serve twice as many calls if each call costs the same. The platforms run at the
same time and take turns, so that a busy machine slows all of them down.
"""

import re
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

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

_VARIANTS = ("1", "auto", "2")
_ROUNDS = 12
_CALLS = 1000
"""In each round."""
_KINDS = (("call", 32), ("event kept, 202", 64))
"""What is measured, with how many connections."""
_MEMORY_MB = 1769


def measure_cells(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    used: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    samples: dict[tuple[str, str], load.Sample] = {}
    shares: dict[tuple[str, str], str] = {}
    with ExitStack() as stack:
        endpoints = {}
        for cells in _VARIANTS:
            report(f"starting with server.cells = {cells}")
            variables = {"LAMBENT_SERVER__CELLS": cells}
            endpoint = stack.enter_context(running_platform(environment=variables))
            deploy(lambda_client(endpoint), "noop", {"app.py": NO_OP}, MemorySize=_MEMORY_MB)
            measure(endpoint, [load.invoke_request(endpoint, "noop")], 32, 2000)
            endpoints[cells] = endpoint
        for number in range(max(int(_ROUNDS * scale), 1)):
            report(f"round {number + 1}")
            for kind, connections in _KINDS:
                for cells, endpoint in endpoints.items():
                    request = load.invoke_request(endpoint, "noop")
                    if kind != "call":
                        head = b"\r\nX-Amz-Invocation-Type: Event\r\n\r\n"
                        request = request.replace(b"\r\n\r\n", head, 1)
                    before = _cpu_of_all(endpoint)
                    sample = measure(endpoint, [request], connections, _CALLS)
                    after = _cpu_of_all(endpoint)
                    part = {pid: after[pid] - before[pid] for pid in before}
                    used[kind, cells].append(sum(part.values()) / _CALLS)
                    samples[kind, cells] = sample
                    total = sum(part.values()) or 1.0
                    shares[kind, cells] = " + ".join(
                        f"{each / total:.0%}" for each in part.values()
                    )
    for (kind, cells), each_s in used.items():
        ratio = statistics.median(each_s) / statistics.median(used[kind, "1"])
        yield row(
            f"{kind}, cells={cells}",
            samples[kind, cells],
            ratio=f"{ratio:.2f} x the CPU",
            note=f"{statistics.median(each_s) * 1e6:.0f} µs; {shares[kind, cells]}",
        )


def _cpu_of_all(endpoint: str) -> Mapping[int, float]:
    """Seconds of processor time of each process that has the platform's socket."""
    port = endpoint.rpartition(":")[2]
    found = subprocess.check_output(["ss", "-ltnpH", f"sport = :{port}"], text=True)
    return {int(pid): cpu_s(int(pid)) for pid in sorted(set(re.findall(r"pid=(\d+)", found)))}
