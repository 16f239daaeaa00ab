"""Whether a flood of events on one function delays the events of another."""

import dataclasses
import http.client
import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import botocore.session
from bench import load
from bench.asynchronous import count_left
from bench.own import NO_OP, Report, Row, deploy, lambda_client, measure, row, running_platform

_CLIENTS = 64
_FLOOD = 50_000
_SINGLE = 300
_PAUSE_S = 0.02
_MEMORY_MB = 1769
_AT_ONCE = 16
_DEADLINE_S = 60.0
_PUNCTUAL = """
import time
def handler(event, context):
    print("began", context.aws_request_id, time.time())
"""
_SLOW = "import time\ndef handler(event, context):\n    time.sleep(0.05)\n"


def measure_fairness(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module: single events with and without a flood."""
    flood = max(int(_FLOOD * scale), 2000)
    count = max(int(_SINGLE * scale), 50)
    with (
        TemporaryDirectory(prefix="lambent-bench-") as data,
        running_platform(data) as endpoint,
    ):
        client = lambda_client(endpoint)
        for name, code in (("punctual", _PUNCTUAL), ("noop", NO_OP), ("slow", _SLOW)):
            deploy(client, name, {"app.py": code}, MemorySize=_MEMORY_MB)
        client.put_function_concurrency(FunctionName="slow", ReservedConcurrentExecutions=_AT_ONCE)
        report("single events, quiet")
        _send_singles(endpoint, 20)
        quiet = _send_singles(endpoint, count)
        title = "single event, from the call to its function's start"
        yield row(title, quiet.starts, note=quiet.note)
        for name, function in (
            ("slow", f"wait for a function that may run {_AT_ONCE} at once"),
            ("noop", "keep the processors busy"),
        ):
            report(f"{flood} events for {name}")
            measure(endpoint, [event_request(endpoint, name)], _CLIENTS, flood)
            report("single events meanwhile")
            singles = _send_singles(endpoint, count)
            times = [
                singles.starts.percentile_ms(at) / quiet.starts.percentile_ms(at) for at in (50, 99)
            ]
            yield row(
                f"the same while {flood} events of another {function}",
                singles.starts,
                ratio=f"{times[0]:.1f} x the p50, {times[1]:.1f} x the p99",
                note=f"{singles.note}; {count_left(data)} were left",
            )


def event_request(endpoint: str, function: str) -> bytes:
    """The bytes of one asynchronous Invoke."""
    head = b"\r\nX-Amz-Invocation-Type: Event\r\n\r\n"
    return load.invoke_request(endpoint, function).replace(b"\r\n\r\n", head, 1)


@dataclasses.dataclass(frozen=True)
class _Singles:
    """Events that were sent one at a time, with a pause after each."""

    starts: load.Sample
    """From the call until the function begins."""
    kept: load.Sample
    """From the call until 202."""
    delays: load.Sample
    """From 202 until the function begins; 0 if it began before its caller had read that."""

    @property
    def note(self) -> str:
        """What part of it is what."""
        return (
            f"202 after p50 {self.kept.percentile_ms(50):.1f} ms, p99"
            f" {self.kept.percentile_ms(99):.1f} ms; the start after that: p50"
            f" {self.delays.percentile_ms(50):.1f} ms, p99 {self.delays.percentile_ms(99):.1f} ms"
        )


def _send_singles(endpoint: str, count: int) -> _Singles:
    called_at: dict[str, float] = {}
    kept_at: dict[str, float] = {}
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=_DEADLINE_S)
    path = "/2015-03-31/functions/punctual/invocations"
    began = time.perf_counter()
    for _ in range(count):
        at = time.time()
        connection.request("POST", path, b"{}", {"X-Amz-Invocation-Type": "Event"})
        answer = connection.getresponse()
        request_id = answer.headers["x-amzn-RequestId"]
        called_at[request_id], kept_at[request_id] = at, time.time()
        answer.read()
        time.sleep(_PAUSE_S)  # noqa: TID251 - load on another process, on the wall clock
    duration_s = time.perf_counter() - began
    connection.close()
    began_at = _wait_for_starts(endpoint, called_at)

    def sample(ends: dict[str, float], begins: dict[str, float]) -> load.Sample:
        latencies = [max(ends[call] - at, 0.0) for call, at in begins.items()]
        return load.Sample(latencies, duration_s, 0)

    return _Singles(
        sample(began_at, called_at), sample(kept_at, called_at), sample(began_at, kept_at)
    )


def _wait_for_starts(endpoint: str, expected: dict[str, float]) -> dict[str, float]:
    """When the function began with each event, as it has printed."""
    logs = botocore.session.get_session().create_client(
        "logs",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="000000000000",
        aws_secret_access_key="bench",
    )
    pages = logs.get_paginator("filter_log_events")
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        found: dict[str, float] = {}
        for page in pages.paginate(logGroupName="/aws/lambda/punctual", filterPattern="began"):
            for event in page["events"]:
                _, request_id, at = event["message"].split()
                found[request_id] = float(at)
        if expected.keys() <= found.keys():
            return found
        time.sleep(1)  # noqa: TID251 - another process is measured, on the wall clock
    raise SystemExit(f"{len(expected.keys() - found.keys())} events were not delivered")
