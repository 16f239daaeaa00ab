"""Untrusted JSON. Nothing but JSON is accepted (Python's own parser accepts `NaN`), and numbers
stay as they are written, however long they are. `parse_loosely` parses as Python does."""

import json
import re
from collections.abc import Callable
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def parse(text: str) -> Any:
    """Parse a document; numbers become `Number`. If a key comes twice, the last one counts. Raises
    `ValueError`, also if the document is nested too deeply."""
    return _decode(_KEEPING, text)


def parse_plain(text: str) -> Any:
    """As `parse`, but with Python's numbers. Ten times as fast, for large documents. Raises
    `ValueError` also for numbers of thousands of digits."""
    return _decode(_PLAIN, text)


def parse_loosely(
    document: str | bytes, make_object: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Parse a document as Python does. `make_object`, if given, makes an object from its members.
    Raises `ValueError`, also if the document is nested too deeply, where Python raises
    RecursionError."""
    try:
        return json.loads(document, object_pairs_hook=make_object)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fault_of(data: bytes) -> str | None:
    """The error in a UTF-8 document, or None if it is valid JSON."""
    try:
        _decode(_CARELESS, data.decode())
    except ValueError as error:
        return str(error)
    return None


def member_as_written(text: str, name: str) -> str | None:
    """The value of a member of an object, as it is written. None if the document is no object or
    has no such member. Raises `ValueError` as `parse` does."""
    if not isinstance(_decode(_CARELESS, text), dict):
        return None
    found = None
    at = text.index("{")
    while text[at] != "}":
        at = _past_space(text, at + 1)
        if text[at] == "}":  # of an object without members
            break
        key, at = _CARELESS.raw_decode(text, at)
        start = _past_space(text, _past_space(text, at) + 1)
        _, end = _CARELESS.raw_decode(text, start)
        if key == name:
            found = text[start:end]
        at = _past_space(text, end)
    return found


def _decode(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _past_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_KEEPING = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)
_CARELESS = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse)
_PLAIN = json.JSONDecoder(parse_constant=_refuse)
