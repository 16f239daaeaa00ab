"""Pages and the tokens with which callers ask for the next one."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from lambent.model.errors import ApiError
from lambent.telemetry.queries import EventKey, event_key
from lambent.telemetry.segments import LogEvent

Item = TypeVar("Item")

END_OF_STREAM = 1 << 62
"""A position after every event of a stream."""


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


def event_id(stream: str, event: LogEvent) -> str:
    """56 digits of time, stream and position: ids are ordered like the events themselves."""
    timestamp_ms, number, position = event_key(stream, event)
    return f"{timestamp_ms:016d}{number:010d}{position:030d}"


def token_after(stream: str, event: LogEvent, *, is_forward: bool) -> str:
    """The token of the page that begins after an event."""
    return _encode(("f" if is_forward else "b") + event_id(stream, event))


def event_after(token: str) -> tuple[bool, EventKey]:
    """Whether the page of a token goes forward, and the event that it begins after."""
    text = _decode(token)
    match = re.fullmatch(r"([fb])(\d{16})(\d{10})(\d{30})", text, re.ASCII)
    if match is None:
        raise _bad_token()
    return match[1] == "f", (int(match[2]), int(match[3]), int(match[4]))


def position_of(token: str | None, from_head: bool) -> tuple[bool, int]:
    """Whether a page of a stream goes forward, and the position it starts at or ends before."""
    if token is None:
        return (True, 0) if from_head else (False, END_OF_STREAM)
    match = re.fullmatch(r"([fb])/(\d{1,18})", token, re.ASCII)
    if match is None:
        raise _bad_token()
    return match[1] == "f", int(match[2])


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode()


def _decode(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError) as error:
        raise _bad_token() from error


def _bad_token() -> ApiError:
    return ApiError("InvalidParameterException", "The specified nextToken is invalid.")
