"""JSON on the path of every call, quickly: orjson where it does as Python's `json` does, and
Python's where it does not.

The two differ in rare values: orjson has no integer of more than 64 bits, no NaN and no lone
surrogate. Such values take the slow way and are read and written as `json` does, except that NaN is
written as null, which JSON has.
"""

import json
import re
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"[0-9]{19}")
"""orjson would read an integer of so many digits as a float."""


def encode(value: Any) -> bytes:
    """A value of dictionaries, lists, text, numbers, booleans and None as compact JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # An integer or a surrogate that orjson does not write.
        return json.dumps(value, separators=(",", ":")).encode()


def decode(data: bytes) -> Any:
    """The value of a JSON text. Raises ValueError and RecursionError, as `json.loads`."""
    if _LONG_NUMBER.search(data) is None:
        try:
            return orjson.loads(data)
        except ValueError:  # NaN or a surrogate, or no JSON at all.
            pass
    return json.loads(data)
