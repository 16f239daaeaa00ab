"""A platform of our own, functions on it, and what is measured of them."""

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.session
import uvloop
from bench import load
from bench.memory import settled_available_mb
from botocore.config import Config

PYTHON = f"python3.{sys.version_info.minor}"
NODE = "nodejs20.x"
MEMORY_MB = 1769
"""One vCPU, so that the CPU share does not set the pace."""
NO_OP = "def handler(event, context):\n    return {'ok': True}\n"
STANDARD_LIBRARY = (
    "import datetime, json, os\ndef handler(event, context):\n    return {'ok': True}\n"
)
BUSY = "import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return {'ok': True}\n"
NODE_NO_OP = "exports.handler = async () => ({ok: true});\n"
BY_EXECUTION = {"LAMBENT_START_MODE": "exec"}
_PAUSE_S = 0.02
_BURST = 200

Row = dict[str, Any]
Report = Callable[[str], None]
"""Told what is being done."""


@contextmanager
def running_platform(
    existing: str | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A platform of our own, with an empty data directory or an existing one; returns its
    endpoint."""
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as empty:
        data_dir = existing or empty
        command = [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", data_dir]
        given = {**os.environ, **(environment or {})}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=given) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if found := re.search(r"ready at (http://\S+)", line):
                        yield found[1]
                        break
                else:
                    raise SystemExit("the platform did not start; see its messages above")
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def pid_of(endpoint: str) -> int:
    """The process that listens on the port of an endpoint."""
    port = endpoint.rpartition(":")[2]
    found = subprocess.check_output(["ss", "-ltnpH", f"sport = :{port}"], text=True)
    match = re.search(r"pid=(\d+)", found)
    assert match is not None, found
    return int(match[1])


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lambda_client(endpoint: str) -> Any:
    """A client of AWS's SDK."""
    return botocore.session.get_session().create_client(
        "lambda",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="000000000000",
        aws_secret_access_key="bench",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=8),
    )


def deploy(client: Any, name: str, files: Mapping[str, str | bytes], **more: Any) -> None:
    """Create a function and wait until it can be invoked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    options: dict[str, Any] = {"Runtime": PYTHON, "Handler": "app.handler", "Timeout": 30}
    client.create_function(
        FunctionName=name,
        Role="arn:aws:iam::000000000000:role/bench",
        Code={"ZipFile": packed.getvalue()},
        **{**options, **more},
    )
    client.get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1000}
    )


def row(title: str, sample: load.Sample, **more: Any) -> Row:
    """What a sample comes to."""
    return {
        "measurement": title,
        "count": len(sample.latencies_s),
        "errors": sample.errors,
        "p50_ms": round(sample.percentile_ms(50), 3),
        "p99_ms": round(sample.percentile_ms(99), 3),
        "per_second": round(sample.rate, 1),
        **more,
    }


def measure(
    endpoint: str, requests: Sequence[bytes], connections: int, count: int, pause_s: float = 0
) -> load.Sample:
    """Send requests and wait for the answers."""
    return uvloop.run(
        load.run(endpoint, list(requests), connections=connections, count=count, pause_s=pause_s)
    )


class Bench:
    """Measures one platform."""

    def __init__(self, endpoint: str, scale: float, report: Report) -> None:
        self._endpoint = endpoint
        self._scale = scale
        self._report = report
        self._client = lambda_client(endpoint)

    def measurements(self) -> dict[str, Callable[[], Row]]:
        """All that can be measured, by name."""
        cold_python = "cold start, Python"
        sustained = "new environments, sustained, c=8"
        return {
            "cold-python": lambda: self._cold(cold_python, 200, pause_s=_PAUSE_S),
            "cold-python-back-to-back": lambda: self._cold(f"{cold_python}, back to back", 200),
            "cold-python-exec": lambda: self._cold(
                f"{cold_python}, by execution", 50, variables=BY_EXECUTION
            ),
            "cold-node": lambda: self._cold(
                "cold start, Node.js", 200, runtime=NODE, pause_s=2 * _PAUSE_S
            ),
            "cold-node-exec": lambda: self._cold(
                "cold start, Node.js, by execution", 30, runtime=NODE, variables=BY_EXECUTION
            ),
            "warm-1": lambda: self._warm("warm invoke, Python, c=1", 1, 5_000),
            "warm-16": lambda: self._warm("throughput, Python, c=16", 16, 60_000),
            "warm-1-exec": lambda: self._warm(
                "warm invoke, Python, AWS's client, c=1", 1, 5_000, variables=BY_EXECUTION
            ),
            "warm-16-exec": lambda: self._warm(
                "throughput, Python, AWS's client, c=16", 16, 30_000, variables=BY_EXECUTION
            ),
            "warm-16-node": lambda: self._warm(
                "throughput, Node.js, c=16", 16, 20_000, runtime=NODE
            ),
            "sustained": lambda: self._cold(sustained, 500, connections=8),
            "burst": lambda: self._burst(f"burst of {_BURST} first calls, {_BURST} functions"),
            "burst-one": lambda: self._burst_of_one(
                f"burst of {_BURST} first calls, one function that takes 0.2 s"
            ),
            "density": self._density,
        }

    def _warm(
        self,
        title: str,
        connections: int,
        count: int,
        runtime: str = PYTHON,
        variables: Mapping[str, str] | None = None,
    ) -> Row:
        with self._functions(1, NO_OP, runtime, variables) as names:
            requests = [load.invoke_request(self._endpoint, names[0])]
            measure(self._endpoint, requests, connections, max(connections * 200, 1000))
            count = max(int(count * self._scale), 100)
            return row(title, measure(self._endpoint, requests, connections, count))

    def _cold(
        self,
        title: str,
        count: int,
        runtime: str = PYTHON,
        variables: Mapping[str, str] | None = None,
        connections: int = 1,
        pause_s: float = 0,
    ) -> Row:
        """First calls, each of a function that never ran."""
        count = max(int(count * self._scale), 10)
        with self._functions(count, STANDARD_LIBRARY, runtime, variables) as names:
            requests = [load.invoke_request(self._endpoint, name) for name in names]
            return row(title, measure(self._endpoint, requests, connections, count, pause_s))

    def _burst(self, title: str) -> Row:
        with self._functions(_BURST, STANDARD_LIBRARY) as names:
            requests = [load.invoke_request(self._endpoint, name) for name in names]
            sample = measure(self._endpoint, requests, _BURST, _BURST)
            return row(title, sample, note=f"all answered in {sample.duration_s:.2f} s")

    def _burst_of_one(self, title: str) -> Row:
        with self._functions(1, BUSY) as names:
            requests = [load.invoke_request(self._endpoint, names[0])]
            sample = measure(self._endpoint, requests, _BURST, _BURST)
            return row(title, sample, note=f"all answered in {sample.duration_s:.2f} s")

    def _density(self) -> Row:
        """Idle environments per GiB, by what the whole system has left."""
        count = _BURST
        with self._functions(count, STANDARD_LIBRARY) as names:
            self._report("waiting for memory to settle")
            before_mb = settled_available_mb()
            requests = [load.invoke_request(self._endpoint, name) for name in names]
            sample = measure(self._endpoint, requests, 4, count)
            each_mb = (before_mb - settled_available_mb()) / count
            note = f"{1024 / each_mb:.0f} environments per GiB, {each_mb:.2f} MiB each"
            return row("idle environments, Python", sample, note=note)

    @contextmanager
    def _functions(
        self,
        count: int,
        code: str,
        runtime: str = PYTHON,
        variables: Mapping[str, str] | None = None,
    ) -> Iterator[list[str]]:
        """Deploy functions, wait until runtimes for them are prepared, delete them afterwards."""
        names = [f"bench-{number}" for number in range(count)]
        with ThreadPoolExecutor(4) as threads:
            self._report(f"deploying {count} functions")
            list(threads.map(lambda name: self._deploy(name, code, runtime, variables), names))
            settled_available_mb()
            self._report("measuring")
            yield names
            self._report("deleting them")
            list(threads.map(lambda name: self._client.delete_function(FunctionName=name), names))
        settled_available_mb()

    def _deploy(
        self, name: str, code: str, runtime: str, variables: Mapping[str, str] | None
    ) -> None:
        files = {"app.js": NODE_NO_OP} if runtime == NODE else {"app.py": code}
        more = {"Environment": {"Variables": dict(variables or {})}}
        deploy(self._client, name, files, Runtime=runtime, MemorySize=MEMORY_MB, **more)
