"""A killed platform has the log lines of everything that counts as completed: of calls that
returned, and of events and records that are not delivered again."""

import base64
import http.client
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambent.telemetry import segments
from tests.crash.streams import new_stream
from tests.platforms import Platform, deploy, wait_for

KILLS = int(os.environ.get("CRASH_KILLS") or 5)
CALLERS = 4
SOURCE = """
def handler(event, context):
    print("begin", context.aws_request_id, flush=True)
    print("two\\nlines")
    for record in event.get("Records", ()) if event else ():
        print("record", record["kinesis"]["data"])
    print("done", context.aws_request_id)
"""


class Work:
    """What certainly happened, as seen by clients and sources."""

    def __init__(self, streams: Any) -> None:
        self._streams = streams
        self._stop = threading.Event()
        self.answered: list[str] = []
        """Request ids of calls."""
        self.accepted: list[str] = []
        """Of events."""
        self.records: list[tuple[int, str]] = []
        """Sequence numbers and data."""

    @contextmanager
    def running(self, endpoint: str) -> Iterator[None]:
        """For as long as the context lasts, or the platform lives."""
        self._stop.clear()
        runs = [(self._call, "called", "", self.answered)] * CALLERS
        runs += [(self._call, "sent", "Event", self.accepted)] * 2
        threads = [threading.Thread(target=run, args=(endpoint, *more)) for run, *more in runs]
        threads.append(threading.Thread(target=self._put))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(30)

    def _call(self, endpoint: str, name: str, kind: str, done: list[str]) -> None:
        connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=30)
        headers = {"Content-Type": "application/json"}
        if kind:
            headers["X-Amz-Invocation-Type"] = kind
        try:
            while not self._stop.is_set():
                connection.request("POST", f"/2015-03-31/functions/{name}/invocations",
                                   b"{}", headers)  # fmt: skip
                answer = connection.getresponse()
                answer.read()
                if answer.status in (200, 202):
                    done.append(answer.headers["x-amzn-RequestId"])
        except (OSError, http.client.HTTPException):
            pass  # It was killed.

    def _put(self) -> None:
        while not self._stop.wait(0.01):
            data = f"record-{len(self.records)}"
            answer = self._streams.put_record(
                StreamName="records", Data=data.encode(), PartitionKey="k"
            )
            coded = base64.b64encode(data.encode()).decode()
            self.records.append((int(answer["SequenceNumber"]), coded))


def lines_of(data: Path) -> list[str]:
    """All lines of all functions, as they are on disk."""
    return [
        event.message.decode()
        for path in sorted((data / "state" / "logs").rglob("*.log"))
        for event in segments.read(path)
    ]


def query_left(data: Path, query: str) -> list[Any]:
    """The first column of a query on the database that the platform left."""
    database = sqlite3.connect(data / "state" / "lambent.db")
    try:
        return [row[0] for row in database.execute(query)]
    finally:
        database.close()


def _after(document: str) -> int:
    return int(json.loads(document)["after"] or 0)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_what_counts_as_done_has_its_lines(
    start_platform: Callable[..., Platform], tmp_path: Path, streams: Any
) -> None:
    """Complete and in order, at whatever moment the kill comes."""
    data = tmp_path / "data"
    arn = new_stream(streams, "records")
    environment = {"LAMBENT_AWS__KINESIS__ENDPOINT_URL": streams.meta.endpoint_url}
    work = Work(streams)
    events = batches = 0
    for turn in range(KILLS):
        platform = start_platform(data, environment=environment)
        client = platform.client("lambda")
        if turn == 0:
            for name in ("called", "sent", "polled"):
                deploy(client, name, {"app.py": SOURCE})
            client.create_event_source_mapping(
                FunctionName="polled", EventSourceArn=arn, StartingPosition="TRIM_HORIZON",
                BatchSize=5,
            )  # fmt: skip
        answered = len(work.answered)
        with work.running(platform.endpoint):
            wait_for(lambda: len(work.answered) > answered + 50, "calls are answered")  # noqa: B023
            time.sleep(0.5 + 0.037 * turn % 0.1)  # noqa: TID251 - load, until the kill
            platform.kill()
        waiting = set(query_left(data, "SELECT request_id FROM async_events"))
        at = max(map(_after, query_left(data, "SELECT document FROM mapping_positions")), default=0)
        lines = lines_of(data)
        done = {line.split()[1] for line in lines if line.startswith("done ")}
        ended = {line.split()[2] for line in lines if line.startswith("END RequestId: ")}
        reported = {line.split()[2] for line in lines if line.startswith("REPORT RequestId: ")}
        whole = done & ended & reported
        printed = {line.split()[1] for line in lines if line.startswith("record ")}
        concluded = set(work.accepted) - waiting
        read = {coded for number, coded in work.records if number <= at}
        events, batches = len(concluded), len(read)
        assert set(work.answered) <= whole
        assert concluded <= whole
        assert read <= printed
    assert len(work.answered) > 50 * KILLS
    assert events > 20
    assert batches > 20
