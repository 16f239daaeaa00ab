"""`make bench`: how fast functions are called here, and by others on the same machine, as a table.

Starts a platform of its own with an empty data directory, deploys no-op functions and measures
through the public API, load generator included, on the machine as it is. Numbers from different
machines, or from a busy one, say little: compare rows and ratios.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import sys
from pathlib import Path

from bench.apis import measure_apis
from bench.asynchronous import measure_asynchronous
from bench.cells import measure_cells
from bench.control_plane import measure_control_plane
from bench.edge import measure_edge
from bench.environment import measure_environment
from bench.events import measure_events
from bench.fairness import measure_fairness
from bench.mappings import measure_mappings
from bench.nodes import measure_nodes
from bench.own import Bench, Row, running_platform
from bench.peers import measure_peers
from bench.stacks import measure_stacks
from rich.console import Console
from rich.table import Table

_COLUMNS = ("measurement", "count", "errors", "p50 ms", "p99 ms", "per second", "ratio", "note")
_OF_THEIR_OWN = {
    "cells": measure_cells,
    "control-plane": measure_control_plane,
    "environment": measure_environment,
    "asynchronous": measure_asynchronous,
    "http-apis": measure_apis,
    "event-buses": measure_events,
    "edge": measure_edge,
    "fairness": measure_fairness,
    "mappings": measure_mappings,
    "nodes": measure_nodes,
    "stacks": measure_stacks,
}
"""Measurements that start platforms of their own."""
_BEGIN, _END = "<!-- bench:begin -->", "<!-- bench:end -->"


def describe_machine() -> dict[str, str]:
    """What the numbers were measured on."""
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpu[1] if cpu else platform.machine(),
        "cpus": str(os.cpu_count()),
        "memory": f"{memory_gib:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def add_ratios(rows: list[Row], own: dict[str, Row]) -> None:
    """Say of each peer's row how many times better or worse ours is."""
    for row in rows:
        mine = own.get(row.pop("compares", ""))
        if mine is None or not row.get("p50_ms"):
            continue
        if mine["measurement"].endswith("c=16"):
            row["ratio"] = f"{mine['per_second'] / row['per_second']:.1f} x the rate"
        else:
            row["ratio"] = f"{row['p50_ms'] / mine['p50_ms']:.1f} x as fast"


def cells(row: Row) -> list[str]:
    """A row as text."""
    names = ("measurement", "count", "errors", "p50_ms", "p99_ms", "per_second", "ratio", "note")
    return [str(row.get(name, "")) for name in names]


def as_markdown(machine: dict[str, str], rows: list[Row]) -> str:
    """The table for the documentation."""
    lines = [", ".join(f"{name}: {value}" for name, value in machine.items()), ""]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def write_between_marks(file: Path, text: str) -> None:
    """Put the table where the last one was."""
    before, _, rest = file.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    file.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default="", help="part of a measurement's name, e.g. cold")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the usual counts")
    parser.add_argument("--endpoint", help="measure this platform instead of one of our own")
    parser.add_argument("--peers", action="store_true", help="measure others as well")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--markdown", type=Path, help="write the table into this file")
    options = parser.parse_args()
    machine = describe_machine()
    progress = Console(stderr=True)
    own: dict[str, Row] = {}
    rows: list[Row] = []
    with progress.status("starting") as status, contextlib.ExitStack() as stack:
        endpoint = options.endpoint or stack.enter_context(running_platform())
        bench = Bench(endpoint, options.scale, status.update)
        for name, measure in bench.measurements().items():
            if options.only in name:
                rows.append(measure())
                own[name] = rows[-1]
                progress.print("  ".join(cells(rows[-1])))
    for name, measure_all in _OF_THEIR_OWN.items():
        if options.only in name and not options.endpoint:
            with progress.status(name) as status:
                for row in measure_all(options.scale, status.update):
                    rows.append(row)
                    own[row["measurement"]] = row
                    progress.print("  ".join(cells(row)))
    if options.peers:
        with progress.status("others") as status:
            rows += measure_peers(options.scale, status.update)
    add_ratios(rows, own)
    machine["load after"] = f"{os.getloadavg()[0]:.2f}"
    if options.markdown:
        write_between_marks(options.markdown, as_markdown(machine, rows))
    if options.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=2))
        return
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print("  ".join(f"{name}: {value}" for name, value in machine.items()))
    table = Table(*_COLUMNS)
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


if __name__ == "__main__":
    main()
