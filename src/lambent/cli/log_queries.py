"""Runs queries of CloudWatch Logs Insights, and finds what was logged about one request."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import botocore.exceptions

from lambent.cli.logs import group_names, read_group
from lambent.cli.output import CliError, UsageError

_GROUPS_MAX = 50
_POLL_S = 0.2
_RUNNING = ("Scheduled", "Running")

Row = Mapping[str, str]


def run_query(client: Any, groups: Sequence[str], query: str, since_s: float) -> list[Row]:
    """The rows of a query over the last `since_s` seconds, without pointers. Raises `CliError` and
    botocore's errors."""
    if len(groups) > _GROUPS_MAX:
        raise UsageError(f"cannot query {len(groups)} log groups: name a function, or fewer groups")
    now = time.time()
    try:
        started = client.start_query(
            logGroupIdentifiers=list(groups),
            startTime=int(now - since_s),
            endTime=int(now) + 60,
            queryString=query,
        )
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "MalformedQueryException":
            raise UsageError(_explained(query, error.response)) from error
        raise
    while True:
        found = client.get_query_results(queryId=started["queryId"])
        if found["status"] not in _RUNNING:
            break
        time.sleep(_POLL_S)  # noqa: TID251 - a poll of another process, on the wall clock
    if found["status"] != "Complete":
        raise CliError(f"the query ended with the status {found['status']}")
    return [
        {each["field"]: each["value"] for each in row if each["field"] != "@ptr"}
        for row in found["results"]
    ]


def columns_of(rows: Sequence[Row]) -> list[str]:
    """All columns, in the order in which they appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def events_of_request(
    client: Any, request_id: str, since_s: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Groups and events: those that name a request, and what was logged between them in the stream
    of the environment that served it. By time within each group."""
    start_ms = int((time.time() - since_s) * 1000)
    pattern = '"' + request_id.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for group in group_names(client):
        spans: dict[str, list[int]] = {}
        for event in read_group(client, group, start_ms, pattern):
            spans.setdefault(event["logStreamName"], []).append(event["timestamp"])
        for stream, times in spans.items():
            options = {"logStreamNames": [stream], "endTime": max(times)}
            events = list(read_group(client, group, min(times), "", **options))
            named = [at for at, event in enumerate(events) if request_id in event["message"]]
            if named:
                yield from ((group, event) for event in events[named[0] : named[-1] + 1])


def _explained(query: str, response: Mapping[str, Any]) -> str:
    """The error of a query, with a mark below the place."""
    error = response.get("queryCompileError", {})
    location = error.get("location", {})
    start = location.get("startCharOffset", 0)
    line_start = query.rfind("\n", 0, start) + 1
    line = query[line_start:].partition("\n")[0]
    message = error.get("message", response["Error"]["Message"])
    return f"cannot use the query: {message}\n  {line}\n  {' ' * (start - line_start)}^"
