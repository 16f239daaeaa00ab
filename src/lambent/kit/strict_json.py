"""JSON of strangers: nothing but JSON is accepted (Python's own reader takes `NaN`), and numbers
stay as they are written, however long they are."""

import json
import re
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def parse(text: str) -> Any:
    """A document, in which numbers are `Number`. Of keys that come twice, the last counts. Raises
    `ValueError`, also for what is nested too deeply to be read."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def member_as_written(text: str, name: str) -> str | None:
    """The value of a member of an object that `parse` has read, as it is written; None if there is
    no such member."""
    found = None
    at = text.index("{")
    while text[at] != "}":
        at = _past_space(text, at + 1)
        if text[at] == "}":  # of an object without members
            break
        key, at = _DECODER.raw_decode(text, at)
        start = _past_space(text, _past_space(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        if key == name:
            found = text[start:end]
        at = _past_space(text, end)
    return found


def _past_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)
