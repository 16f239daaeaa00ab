"""Checks of texts and numbers that the service's model does not have."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar, TypeVarTuple, Unpack

from lambent.control.apis.errors import bad_request
from lambent.model.document import Body

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
HTTP = "HTTP"
WEBSOCKET = "WEBSOCKET"

Lengths = Mapping[str, tuple[int, int]]
"""The fewest and the most characters, by member."""


def check_lengths(body: Body, lengths: Lengths) -> None:
    """Raise `BadRequestException` for texts that are too long or too short."""
    for member, (least, most) in lengths.items():
        value = body.get(member)
        if isinstance(value, str) and not least <= len(value) <= most:
            raise bad_request(
                f"Invalid {member} specified: it must have {least} to {most} characters, and has"
                f" {len(value)}."
            )


def check_pattern(member: str, value: str, pattern: re.Pattern[str], rule: str) -> None:
    """Raise `BadRequestException` for a text that does not match as a whole."""
    if pattern.fullmatch(value) is None:
        raise bad_request(f"Invalid {member} specified: {value[:200]!r} {rule}.")


def parsed(parse: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """What `parse` returns; its ValueError becomes `BadRequestException`."""
    try:
        return parse(*arguments)
    except ValueError as error:
        raise bad_request(str(error)) from error


def is_http(api: Body) -> bool:
    """Whether an API is an HTTP API; else it is a WebSocket API."""
    return bool(api["ProtocolType"] == HTTP)
