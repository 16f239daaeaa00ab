"""`lambent logs`: a function's log through the CloudWatch Logs API."""

import re
import time
from collections.abc import Iterator
from typing import Any

import botocore.exceptions

from lambent.cli.client import is_missing
from lambent.cli.output import UsageError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_POLL_S = 0.5
_OVERLAP_MS = 10_000
"""How far back each request goes: streams of one group do not arrive in one order."""


def parse_since(text: str) -> float:
    """Seconds of `30s`, `10m`, `2h`, `1d` or `1w`. Raises `UsageError`."""
    found = re.fullmatch(r"(\d{1,9})([smhdw])", text.strip())
    if found is None:
        raise UsageError(f"cannot use --since {text}: write 30s, 10m, 2h, 1d or 1w")
    return int(found[1]) * _UNITS_S[found[2]]


def read_events(
    client: Any, function: str, *, since_s: float, pattern: str
) -> Iterator[dict[str, Any]]:
    """Events of the last `since_s` seconds, oldest first. Raises botocore's errors."""
    start_ms = max(0, int((time.time() - since_s) * 1000))
    yield from _events(client, function, start_ms, pattern)


def follow_events(
    client: Any, function: str, *, since_s: float, pattern: str
) -> Iterator[dict[str, Any]]:
    """The same, then each new event, without end."""
    start_ms = max(0, int((time.time() - since_s) * 1000))
    seen: dict[str, int] = {}
    while True:
        for event in _events(client, function, start_ms, pattern):
            if event["eventId"] not in seen:
                seen[event["eventId"]] = event["timestamp"]
                yield event
        if seen:
            start_ms = max(start_ms, max(seen.values()) - _OVERLAP_MS)
            seen = {event: at for event, at in seen.items() if at >= start_ms}
        time.sleep(_POLL_S)  # noqa: TID251 - a poll of another process, on the wall clock


def _events(client: Any, function: str, start_ms: int, pattern: str) -> Iterator[dict[str, Any]]:
    options = {"filterPattern": pattern} if pattern else {}
    token: str | None = None
    while True:
        more = {"nextToken": token} if token else {}
        try:
            page = client.filter_log_events(
                logGroupName=f"/aws/lambda/{function}", startTime=start_ms, **options, **more
            )
        except botocore.exceptions.ClientError as error:
            if is_missing(error):
                return  # The function has not run yet.
            raise
        yield from page["events"]
        token = page.get("nextToken")
        if not token:
            return
