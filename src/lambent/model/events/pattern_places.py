"""Where in the text of a pattern something is wrong, as AWS's errors say it.

AWS reads a pattern token by token, and an error names the place behind the last one it has read: of
a text, the place behind its opening quote, unless it was needed whole.
"""

import json
from collections.abc import Sequence

_DECODER = json.JSONDecoder()
_WHITESPACE = " \t\r\n"


def place_of(text: str, path: Sequence[str | int], *, is_whole: bool) -> str | None:
    """The place of the value at a path, `is_whole` behind all of it, as the end of a message of
    AWS. None if there is no such value, because a name with dots was read as a path. `text` is
    valid JSON."""
    try:
        span = _find(text, path)
    except RecursionError:  # It is nested as deeply as can be read.
        return None
    if span is None:
        return None
    start, end = span
    at = start + 1 if text[start] in '"[{' and not is_whole else end
    line_start = text.rfind("\n", 0, at) + 1
    line, column = text.count("\n", 0, at) + 1, at - line_start + 1
    return f'\n at [Source: (String)"{text}"; line: {line}, column: {column}]'


def _find(text: str, path: Sequence[str | int]) -> tuple[int, int] | None:
    """Where the value begins and ends; of members with the same name, the last counts."""
    at = _skip(text, 0)
    for step in path:
        found = None
        if text[at] not in "[{":
            return None
        is_object, number = text[at] == "{", 0
        at = _skip(text, at + 1)
        while text[at] not in "]}":
            name: str | int = number
            if is_object:
                name, at = _DECODER.raw_decode(text, at)
                at = _skip(text, _skip(text, at) + 1)
            if name == step:
                found = at
            _, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
            if text[at] == ",":
                at = _skip(text, at + 1)
            number += 1
        if found is None:
            return None
        at = found
    return at, _DECODER.raw_decode(text, at)[1]


def _skip(text: str, at: int) -> int:
    """The next place that is no white space."""
    while at < len(text) and text[at] in _WHITESPACE:
        at += 1
    return at
