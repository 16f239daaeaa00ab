"""Pages of events, as CloudWatch Logs returns them. All of it blocks: run it in a thread.

A page is bounded in events and in bytes, and no more than about a page is held while a group of any
size is read. Pages continue from a position, not from a count, so that events which arrive or are
trimmed between two pages shift nothing.
"""

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lambent.telemetry import segments
from lambent.telemetry.segments import LogEvent

_EVENT_OVERHEAD_BYTES = 26
CLOCK_SLACK_MS = 60_000
"""How much younger than its segment's last write an event may be."""

EventKey = tuple[int, int, int]
"""Timestamp, a number for the stream, position: unique in a group, and the order of its events."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of a page: events with `start_ms <= timestamp < end_ms`, their number, their size. One
    event is always included."""

    start_ms: int
    end_ms: int
    events_max: int
    bytes_max: int


def event_key(stream: str, event: LogEvent, place: int = 0) -> EventKey:
    """The position of an event in its group. `place` is added to its position in the files of its
    node."""
    number = zlib.crc32(stream.encode("utf-8", "surrogatepass"))
    return event.timestamp_ms, number, place + event.position


def stream_page(
    directory: Path, bounds: Bounds, position: int, *, is_forward: bool
) -> list[LogEvent]:
    """Return events of one stream in the order of ingestion: the first ones from `position` on, or
    the last ones before it."""
    if is_forward:
        events = (
            event
            for path in segments.segments(directory)
            if position < segments.end_of(path)
            for event in _in_time(path, bounds)
            if event.position >= position
        )
        return _fitting(events, bounds)
    events = (
        event
        for path in reversed(segments.segments(directory))
        for event in reversed(list(_in_time(path, bounds)))
        if event.position < position
    )
    return _fitting(events, bounds)[::-1]


def group_page(
    streams: Iterable[tuple[str, Path]],
    bounds: Bounds,
    matches: Callable[[str], bool],
    after: EventKey | None,
    is_late: Callable[[], bool],
    *,
    is_forward: bool = True,
    place: int = 0,
) -> tuple[list[tuple[str, LogEvent]], bool]:
    """Return the first events after `after` for whose text `matches` is true, by time across
    streams, or with the latest first; and whether there are more. Raises `TimeoutError` once
    `is_late`."""
    found: list[tuple[EventKey, str, LogEvent]] = []
    held_bytes = 0
    last: EventKey | None = None
    if after is not None and not is_forward:
        after = _backward(after)
    for name, directory in streams:
        for path in segments.segments(directory):
            for event in _in_time(path, bounds):
                key = event_key(name, event, place)
                if not is_forward:
                    key = _backward(key)
                if (after is not None and key <= after) or (last is not None and key > last):
                    continue
                if is_late():
                    raise TimeoutError
                if not matches(event.message.decode("utf-8", "replace").removesuffix("\n")):
                    continue
                found.append((key, name, event))
                held_bytes += weight(event)
                if len(found) >= 2 * bounds.events_max + 16 or held_bytes > 4 * bounds.bytes_max:
                    found, has_more = _first(found, bounds)
                    held_bytes = sum(weight(event) for _, _, event in found)
                    last = found[-1][0] if has_more else last
    found, has_more = _first(found, bounds)
    return [(name, event) for _, name, event in found], has_more or last is not None


def _backward(key: EventKey) -> EventKey:
    """A key that sorts the other way round."""
    timestamp_ms, number, position = key
    return -timestamp_ms, -number, -position


def _first(
    found: list[tuple[EventKey, str, LogEvent]], bounds: Bounds
) -> tuple[list[tuple[EventKey, str, LogEvent]], bool]:
    found.sort(key=lambda item: item[0])
    count = len(_fitting((event for _, _, event in found), bounds))
    return found[:count], count < len(found)


def _fitting(events: Iterable[LogEvent], bounds: Bounds) -> list[LogEvent]:
    page: list[LogEvent] = []
    total = 0
    for event in events:
        total += weight(event)
        if page and total > bounds.bytes_max:
            break
        page.append(event)
        if len(page) >= bounds.events_max:
            break
    return page


def _in_time(path: Path, bounds: Bounds) -> Iterator[LogEvent]:
    """Yield a segment's events within the limits. No event is younger than its segment's last
    write, so a reader that follows a log reads little."""
    try:
        written_ms = path.stat().st_mtime * 1000
    except FileNotFoundError:
        return
    if written_ms + CLOCK_SLACK_MS >= bounds.start_ms:
        for event in segments.read(path):
            if bounds.start_ms <= event.timestamp_ms < bounds.end_ms:
                yield event


def weight(event: LogEvent) -> int:
    """How much of a page an event takes, in bytes."""
    return len(event.message) + _EVENT_OVERHEAD_BYTES
