"""Pages and the tokens with which callers ask for the next one."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from lambent.model.errors import ApiError
from lambent.telemetry.all_logs import END_OF_STREAM, Cursor, Positions
from lambent.telemetry.queries import EventKey

Item = TypeVar("Item")

_POSITIONS = re.compile(r"[fb]/(?:[0-9a-f]{8}:)?\d{1,19}(?:,[0-9a-f]{8}:\d{1,19}){0,255}", re.ASCII)
_CURSOR = re.compile(r"[fb](?:\d{56})?(?:;\d{1,18}=(?:\d{56})?){0,255}", re.ASCII)


def page_of(
    items: Sequence[Item],
    params: Mapping[str, Any],
    limit_max: int,
    key: Callable[[Item], str],
    *,
    default: int | None = None,
) -> tuple[Sequence[Item], str | None]:
    """A page of a list and the token of the next: the key of the page's last item.

    Items that are added between two pages shift nothing.
    """
    limit = min(params.get("limit", default or limit_max), limit_max)
    token = params.get("nextToken")
    begin = 0
    if token is not None:
        last = _decode(token)
        keys = [key(item) for item in items]
        if last not in keys:
            raise _bad_token()
        begin = keys.index(last) + 1
    page = items[begin : begin + limit]
    has_more = begin + limit < len(items)
    return page, _encode(key(page[-1])) if has_more and page else None


def with_token(output: dict[str, Any], token: str | None) -> dict[str, Any]:
    """The output with the token of the next page, if there is one."""
    if token is not None:
        output["nextToken"] = token
    return output


def event_id(key: EventKey) -> str:
    """56 digits of time, stream and position: ids are ordered like the events themselves."""
    timestamp_ms, number, position = key
    return f"{timestamp_ms:016d}{number:010d}{position:030d}"


def cursor_token(cursor: Cursor, *, is_forward: bool) -> str:
    """The token of the page that a cursor begins."""
    late = [
        f";{number}={'' if key is None else event_id(key)}"
        for number, key in sorted(cursor.late.items())
    ]
    after = "" if cursor.after is None else event_id(cursor.after)
    return _encode(("f" if is_forward else "b") + after + "".join(late))


def cursor_of(token: str) -> tuple[bool, Cursor]:
    """Whether the page of a token goes forward, and where it begins."""
    text = _decode(token)
    if _CURSOR.fullmatch(text) is None:
        raise _bad_token()
    after, *late = text[1:].split(";")
    pairs = (each.split("=") for each in late)
    return text[0] == "f", Cursor(_key(after), {int(number): _key(key) for number, key in pairs})


def _key(id: str) -> EventKey | None:
    """The key of an event's id; None for an empty one."""
    return (int(id[:16]), int(id[16:26]), int(id[26:])) if id else None


def position_of(token: str | None, from_head: bool) -> tuple[bool, Positions, int]:
    """Whether a page of a stream goes forward, the positions that it starts at or ends before, and
    that of places that have none."""
    if token is None:
        return (True, {}, 0) if from_head else (False, {}, END_OF_STREAM)
    if _POSITIONS.fullmatch(token) is None:
        raise _bad_token()
    pairs = (each.rpartition(":") for each in token[2:].split(","))
    return token[0] == "f", {int(place or "0", 16): int(at) for place, _, at in pairs}, 0


def position_token(way: str, positions: Positions) -> str:
    """The token of these positions; `way` is `f` for forward or `b` for backward. A place has a
    name where there are several nodes."""
    named = (f"{place:08x}:{at}" if place else str(at) for place, at in sorted(positions.items()))
    return f"{way}/{','.join(named)}"


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode()


def _decode(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError) as error:
        raise _bad_token() from error


def _bad_token() -> ApiError:
    return ApiError("InvalidParameterException", "The specified nextToken is invalid.")
