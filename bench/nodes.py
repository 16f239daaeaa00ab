"""Several nodes on one database: what a hop costs, and three nodes against one.

Two machines' worth of work on one machine says nothing about rates, so what counts is processor
time per call, of the platforms' processes alone, without what they use when idle.
"""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import requests
from bench import load
from bench.own import (
    MEMORY_MB,
    NO_OP,
    Row,
    cpu_s,
    deploy,
    lambda_client,
    measure,
    pid_of,
    row,
    running_platform,
)
from tests.databases import running_postgresql

_COUNT = 3_000
_FUNCTIONS = 12
_ROUNDS = 5
_IDLE_S = 3.0


def measure_nodes(scale: float, report: Callable[[str], None]) -> Iterator[Row]:
    """Warm calls."""
    count = max(int(_COUNT * scale), 200)
    with _nodes(3, copies=0) as endpoints:
        report("a hop")
        yield from _measure_hop(endpoints, count)
    found: dict[int, float] = {}
    for number in (1, 3):
        with _nodes(number, copies=5) as endpoints:
            report(f"{number} nodes")
            sample, found[number] = _measure_spread(endpoints, count * 3)
            note = f"{found[number] * 1e6:.0f} µs of processor time of platforms per call"
            if number > 1:
                note += f", {found[number] / found[1]:.2f} x that of one node"
            yield row(f"warm calls, {number} node(s), 12 functions", sample, note=note)


def _measure_hop(endpoints: Sequence[str], count: int) -> Iterator[Row]:
    """The same function through the node that has it and through another, in turn."""
    deploy(lambda_client(endpoints[0]), "hop", {"app.py": NO_OP}, MemorySize=MEMORY_MB)
    for endpoint in endpoints:
        measure(endpoint, [load.invoke_request(endpoint, "hop")], 1, 50)
    home = next(endpoint for endpoint in endpoints if _has_environment(endpoint, "hop"))
    other = next(endpoint for endpoint in endpoints if not _has_environment(endpoint, "hop"))
    pids = [pid_of(endpoint) for endpoint in endpoints]
    samples: dict[str, list[load.Sample]] = {home: [], other: []}
    cpu: dict[str, list[float]] = {home: [], other: []}
    idle = _idle_cpu(pids)
    for _ in range(_ROUNDS):
        for endpoint in (home, other):
            request = [load.invoke_request(endpoint, "hop")]
            before, began = sum(map(cpu_s, pids)), time.monotonic()
            sample = measure(endpoint, request, 1, count // _ROUNDS)
            took = time.monotonic() - began
            samples[endpoint].append(sample)
            used = sum(map(cpu_s, pids)) - before - idle * took
            cpu[endpoint].append(used / (count // _ROUNDS))
    p50 = {
        endpoint: min(sample.percentile_ms(50) for sample in found)
        for endpoint, found in samples.items()
    }
    more_cpu = (statistics.median(cpu[other]) - statistics.median(cpu[home])) * 1e6
    for title, endpoint in (("on its node", home), ("over a hop", other)):
        best = min(samples[endpoint], key=lambda sample: sample.percentile_ms(50))
        note = ""
        if endpoint == other:
            note = f"{p50[other] - p50[home]:+.3f} ms, {more_cpu:+.0f} µs of processor time"
        yield row(f"warm call {title}, c=1", best, note=note)


def _measure_spread(endpoints: Sequence[str], count: int) -> tuple[load.Sample, float]:
    """Calls of some functions through all nodes at the same time; the processor time of a call."""
    names = [f"f{number}" for number in range(_FUNCTIONS)]
    for name in names:
        deploy(lambda_client(endpoints[0]), name, {"app.py": NO_OP}, MemorySize=MEMORY_MB)
    by_node = [[load.invoke_request(endpoint, name) for name in names] for endpoint in endpoints]
    for _ in range(2):  # Until copies are where they are needed.
        for endpoint, asked in zip(endpoints, by_node, strict=True):
            measure(endpoint, asked, 4, 40 * _FUNCTIONS)
    pids = [pid_of(endpoint) for endpoint in endpoints]
    idle = _idle_cpu(pids)
    before, began = sum(map(cpu_s, pids)), time.monotonic()
    samples = [
        measure(endpoint, asked, 4, count // len(endpoints))
        for endpoint, asked in zip(endpoints, by_node, strict=True)
    ]
    used = sum(map(cpu_s, pids)) - before - idle * (time.monotonic() - began)
    together = load.Sample(
        [latency for sample in samples for latency in sample.latencies_s],
        sum(sample.duration_s for sample in samples),
        sum(sample.errors for sample in samples),
    )
    return together, used / len(together.latencies_s)


def _idle_cpu(pids: Sequence[int]) -> float:
    """Processor time per second that platforms use without calls."""
    before = sum(map(cpu_s, pids))
    time.sleep(_IDLE_S)  # noqa: TID251 - it measures
    return (sum(map(cpu_s, pids)) - before) / _IDLE_S


def _has_environment(endpoint: str, name: str) -> bool:
    nodes = requests.get(f"{endpoint}/_lambent/nodes", timeout=20).json()["nodes"]
    number = next(node["node"] for node in nodes if node["this"])
    found = requests.get(f"{endpoint}/_lambent/environments", timeout=20).json()["environments"]
    return any(view["function"] == name and view["node"] == number for view in found)


@contextlib.contextmanager
def _nodes(number: int, *, copies: int) -> Iterator[Sequence[str]]:
    """The endpoints of so many nodes on one database, when each has links to all others."""
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="lambent-bench-"))
        database = stack.enter_context(running_postgresql())
        environment = {
            "LAMBENT_STORE__URL": database.new_database(),
            "LAMBENT_STORE__SHARED": "true",
            "LAMBENT_STORE__BLOBS_DIR": str(Path(made) / "packages"),
            "LAMBENT_INVOCATION__COPY_AFTER_CALLS": str(copies),
        }
        endpoints = [
            stack.enter_context(running_platform(environment=environment)) for _ in range(number)
        ]
        deadline = time.monotonic() + 60
        while not all(_is_linked(endpoint, number) for endpoint in endpoints):
            assert time.monotonic() < deadline, "the nodes have no links"
            time.sleep(0.1)  # noqa: TID251 - a poll of outside processes
        yield endpoints


def _is_linked(endpoint: str, number: int) -> bool:
    nodes = requests.get(f"{endpoint}/_lambent/nodes", timeout=20).json()["nodes"]
    return len(nodes) == number and all(node["running"] is not None for node in nodes)
