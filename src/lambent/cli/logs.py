"""Reads log groups through the CloudWatch Logs API."""

import re
import time
from collections.abc import Iterator
from typing import Any

import botocore.exceptions

from lambent.cli.client import is_missing
from lambent.cli.output import UsageError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
POLL_S = 0.5
"""Seconds between two requests for new events."""
_OVERLAP_MS = 10_000
"""How far back each request goes: streams of one group do not arrive in one order."""


def parse_since(text: str) -> float:
    """Seconds of `30s`, `10m`, `2h`, `1d` or `1w`. Raises `UsageError`."""
    found = re.fullmatch(r"(\d{1,9})([smhdw])", text.strip())
    if found is None:
        raise UsageError(f"cannot use --since {text}: write 30s, 10m, 2h, 1d or 1w")
    return int(found[1]) * _UNITS_S[found[2]]


def read_events(
    client: Any, group: str, *, since_s: float, pattern: str
) -> Iterator[dict[str, Any]]:
    """Events of the last `since_s` seconds, oldest first. Raises botocore's errors."""
    start_ms = max(0, int((time.time() - since_s) * 1000))
    yield from read_group(client, group, start_ms, pattern)


def follow_events(
    client: Any, group: str, *, since_s: float, pattern: str
) -> Iterator[dict[str, Any]]:
    """The same, then each new event, without end."""
    log = FollowedLog(client, group, since_s=since_s, pattern=pattern)
    while True:
        yield from log.new_events()
        time.sleep(POLL_S)  # noqa: TID251 - a poll of another process, on the wall clock


class FollowedLog:
    """A log group, from which each event is read once."""

    def __init__(self, client: Any, group: str, *, since_s: float, pattern: str = "") -> None:
        self._group = group
        self._client = client
        self._pattern = pattern
        self._start_ms = max(0, int((time.time() - since_s) * 1000))
        self._seen: dict[str, int] = {}

    def new_events(self) -> Iterator[dict[str, Any]]:
        """Events that were not read before. Raises botocore's errors."""
        for event in read_group(self._client, self._group, self._start_ms, self._pattern):
            if event["eventId"] not in self._seen:
                self._seen[event["eventId"]] = event["timestamp"]
                yield event
        if self._seen:
            self._start_ms = max(self._start_ms, max(self._seen.values()) - _OVERLAP_MS)
            self._seen = {key: at for key, at in self._seen.items() if at >= self._start_ms}


def group_names(client: Any, prefix: str = "") -> list[str]:
    """The names of all groups. Raises botocore's errors."""
    options = {"logGroupNamePrefix": prefix} if prefix else {}
    pages = client.get_paginator("describe_log_groups").paginate(**options)
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def read_group(
    client: Any, group: str, start_ms: int, pattern: str, **options: Any
) -> Iterator[dict[str, Any]]:
    """Events of a group from `start_ms` on; none if it does not exist. Raises botocore's errors."""
    if pattern:
        options["filterPattern"] = pattern
    token: str | None = None
    while True:
        more = {"nextToken": token} if token else {}
        try:
            page = client.filter_log_events(
                logGroupName=group, startTime=start_ms, **options, **more
            )
        except botocore.exceptions.ClientError as error:
            if is_missing(error):
                return  # The function has not run yet.
            raise
        yield from page["events"]
        token = page.get("nextToken")
        if not token:
            return
