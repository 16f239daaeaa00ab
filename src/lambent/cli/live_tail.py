"""Follows the logs of all functions: with StartLiveTail, ten log groups in a session.

Groups that appear meanwhile are followed from their first event on.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import botocore.exceptions

from lambent.cli.logs import group_names, read_group

_GROUPS_PER_SESSION = 10
_LOOK_EVERY_S = 2.0
_LINES_MAX = 10_000
_OVERLAP_S = 5.0


class Followed(NamedTuple):
    """An event of a group; without one, some events of a session were left out."""

    group: str
    event: dict[str, Any] | None


def follow_all(client: Any, *, pattern: str, since_s: float) -> Iterator[Followed]:
    """Events of all groups: of the last `since_s` seconds, then as they are logged, without end.
    Raises botocore's errors."""
    lines: queue.Queue[Followed | Exception] = queue.Queue(_LINES_MAX)
    known: set[str] = set()
    start_ms = max(0, int((time.time() - since_s) * 1000))
    while True:
        new = [name for name in group_names(client) if name not in known]
        known.update(new)
        for at in range(0, len(new), _GROUPS_PER_SESSION):
            _open_session(client, new[at : at + _GROUPS_PER_SESSION], pattern, lines)
        # Sessions are open before the past is read, so that no event is missed.
        past = [
            Followed(name, event)
            for name in new
            for event in read_group(client, name, start_ms, pattern)
        ]
        yield from sorted(past, key=_time_of)
        shown = {_key(followed) for followed in past}
        start_ms = int((time.time() - _OVERLAP_S) * 1000)
        for followed in _until(lines, time.monotonic() + _LOOK_EVERY_S):
            if _key(followed) not in shown:
                yield followed


def _time_of(followed: Followed) -> int:
    return 0 if followed.event is None else int(followed.event["timestamp"])


def _key(followed: Followed) -> tuple[object, ...]:
    event = followed.event or {}
    message = event.get("message", "").rstrip("\n")
    return followed.group, event.get("logStreamName"), event.get("timestamp"), message


def _until(lines: "queue.Queue[Followed | Exception]", deadline: float) -> Iterator[Followed]:
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            found = lines.get(timeout=left_s)
        except queue.Empty:
            return
        if isinstance(found, Exception):
            raise found
        yield found


def _open_session(
    client: Any,
    groups: Sequence[str],
    pattern: str,
    lines: "queue.Queue[Followed | Exception]",
) -> None:
    options = {"logEventFilterPattern": pattern} if pattern else {}
    stream = client.start_live_tail(logGroupIdentifiers=list(groups), **options)["responseStream"]

    def read() -> None:
        try:
            for update in stream:
                _take(update.get("sessionUpdate"), lines)
            lines.put(botocore.exceptions.ConnectionClosedError(endpoint_url="the platform"))
        except Exception as error:
            lines.put(error)

    threading.Thread(target=read, daemon=True).start()


def _take(update: dict[str, Any] | None, lines: "queue.Queue[Followed | Exception]") -> None:
    if update is None:
        return
    for event in update["sessionResults"]:
        lines.put(Followed(event["logGroupIdentifier"].partition(":")[2], event))
    if update["sessionMetadata"]["sampled"]:
        lines.put(Followed("", None))
