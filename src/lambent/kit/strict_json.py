"""JSON of strangers: nothing but JSON is accepted (Python's own reader takes `NaN`), and numbers
stay as they are written, however long they are. `parse_loosely` reads as Python does."""

import json
import re
from collections.abc import Callable
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def parse(text: str) -> Any:
    """A document, in which numbers are `Number`. Of keys that come twice, the last counts. Raises
    `ValueError`, also for what is nested too deeply to be read."""
    return _decode(_KEEPING, text)


def parse_plain(text: str) -> Any:
    """As `parse`, with numbers as Python has them, for large documents: ten times as fast. Numbers
    of thousands of digits are a `ValueError`, too."""
    return _decode(_PLAIN, text)


def parse_loosely(
    document: str | bytes, make_object: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """What Python's own reader makes of a document of a stranger's; `make_object` may make objects
    of their members. Raises `ValueError`, also for what is nested too deeply to be read, where
    Python raises RecursionError."""
    try:
        return json.loads(document, object_pairs_hook=make_object)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fault_of(data: bytes) -> str | None:
    """What is wrong with a document, in UTF-8; None if nothing is."""
    try:
        _decode(_CARELESS, data.decode())
    except ValueError as error:
        return str(error)
    return None


def member_as_written(text: str, name: str) -> str | None:
    """The value of a member of an object, as it is written; None if there is no such member, or no
    object. Raises `ValueError` as `parse` does."""
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
