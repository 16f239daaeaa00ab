"""Responses from the cache: conditions, ranges, and heads that are prepared."""

import os
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import anyio.to_thread

from lambent.triggers.edge.cache import Entry
from lambent.triggers.edge.messages import Answer, HeaderItems, Whole, find_header, without
from lambent.triggers.edge.storing import FileContent

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_LENGTH = frozenset({"content-length"})
_NOT_IN_304 = frozenset({"content-length", "content-encoding", "content-type", "content-range"})


class Wanted(NamedTuple):
    """What a request wants of a response: all of it, a part, or nothing because it has it."""

    status: int
    begin: int
    end: int


def wanted(entry: Entry, headers: Mapping[str, str]) -> Wanted:
    """What a request with these headers, by lower-case name, wants."""
    whole = Wanted(entry.status, 0, entry.size)
    if entry.status != 200:
        return whole
    tag = find_header(entry.headers, "etag")
    date = find_header(entry.headers, "last-modified")
    if _is_known(headers, tag, date):
        return Wanted(304, 0, 0)
    given = headers.get("range")
    if given is None or not _is_of(headers.get("if-range"), tag, date):
        return whole
    match = _RANGE.fullmatch(given.strip())
    if match is None or not (match[1] or match[2]):
        return whole  # Several ranges, or none that is known: the whole is always right.
    if match[1]:
        begin = int(match[1])
        end = min(int(match[2]) + 1, entry.size) if match[2] else entry.size
    else:
        begin, end = max(0, entry.size - int(match[2])), entry.size
    if match[1] and match[2] and int(match[2]) < begin:
        return whole
    if begin >= entry.size:
        return Wanted(416, 0, 0)
    return Wanted(206, begin, end)


def _is_known(headers: Mapping[str, str], tag: str | None, date: str | None) -> bool:
    """Whether the viewer has the response already."""
    tags = headers.get("if-none-match")
    if tags is not None:
        known = {each.strip().removeprefix("W/") for each in tags.split(",")}
        return "*" in known or (tag is not None and tag.removeprefix("W/") in known)
    since = headers.get("if-modified-since")
    if since is None or date is None:
        return False
    try:
        return parsedate_to_datetime(date) <= parsedate_to_datetime(since)
    except (ValueError, TypeError, OverflowError):
        return False


def _is_of(given: str | None, tag: str | None, date: str | None) -> bool:
    """Whether `If-Range` names this response."""
    if given is None:
        return True
    return not given.startswith("W/") and given in (tag, date)


def headers_of(entry: Entry, what: Wanted) -> HeaderItems:
    """The headers of a response from the cache."""
    if what.status == 304:
        return without(entry.headers, _NOT_IN_304)
    if what.status == 416:
        return [("Content-Range", f"bytes */{entry.size}")]
    if what.status == 206:
        shown = f"bytes {what.begin}-{what.end - 1}/{entry.size}"
        return [*without(entry.headers, _LENGTH), ("Content-Range", shown)]
    return list(entry.headers)


async def answer_from(
    stack: AsyncExitStack, entry: Entry, what: Wanted, now: float, cache: str
) -> Answer:
    """A response from the cache, whose file is open until the stack closes. Raises OSError."""
    headers, age = headers_of(entry, what), entry.age(now)
    if what.begin >= what.end:
        return Answer(what.status, headers, Whole(b""), cache, age)
    if entry.body is not None:
        part = Whole(entry.body[what.begin : what.end])
        return Answer(what.status, headers, part, cache, age)
    assert entry.file is not None
    descriptor = await anyio.to_thread.run_sync(os.open, entry.file, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return Answer(what.status, headers, FileContent(descriptor, what.begin, what.end), cache, age)
