"""The order and the pages of lists of objects.

Keys are in the order of their bytes. With a delimiter, all keys that have the same part up to it
are listed as one *common prefix*.
"""

import base64
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lambent.control.buckets.errors import s3_error
from lambent.store.objects import StoredObject

PAGE_MAX = 1000
_BATCH_MAX = 1001

Fetch = Callable[[bytes, bytes | None, int], Sequence[StoredObject]]
"""Objects whose keys are at least the first and below the second, up to a number of them."""


class Listed(NamedTuple):
    """A page."""

    objects: Sequence[StoredObject]
    prefixes: Sequence[str]
    following: bytes | None
    """Where the next page begins; None if this is the last."""
    last: str
    """The last key or common prefix of the page."""


def list_page(fetch: Fetch, *, prefix: str, delimiter: str, begin: bytes, size: int) -> Listed:
    """The page of at most `size` objects and common prefixes that starts at `begin`."""
    begin, end = max(begin, prefix.encode()), _after_all(prefix.encode())
    objects: list[StoredObject] = []
    prefixes: list[str] = []
    last = ""
    while True:
        batch = fetch(begin, end, min(size - len(objects) - len(prefixes) + 1, _BATCH_MAX))
        for stored in batch:
            if len(objects) + len(prefixes) >= size:
                return Listed(objects, prefixes, begin, last)
            common = _common_prefix(stored.key, prefix, delimiter)
            if common is not None:
                prefixes.append(common)
                last, begin = common, _after_all(common.encode()) or b""
                break  # The rest of the batch may have the same.
            objects.append(stored)
            last, begin = stored.key, after_key(stored.key)
        else:
            if not batch:
                return Listed(objects, prefixes, None, last)


def after_key(key: str) -> bytes:
    """The first key after this one."""
    return key.encode() + b"\0"


def after_marker(marker: str, delimiter: str) -> bytes:
    """Where the page after a marker, a key or a common prefix, begins."""
    if delimiter and marker.endswith(delimiter):
        return _after_all(marker.encode()) or b""
    return after_key(marker) if marker else b""


def write_token(begin: bytes | None) -> str | None:
    """A continuation token for where a page begins."""
    return None if begin is None else base64.urlsafe_b64encode(begin).decode()


def read_token(token: str) -> bytes:
    """Where the page of a continuation token begins. Raises `InvalidArgument`."""
    try:
        return base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        raise s3_error("InvalidArgument", "The continuation token provided is incorrect") from None


def _common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if at < 0 else key[: at + len(delimiter)]


def _after_all(prefix: bytes) -> bytes | None:
    """The first key after all that begin with a prefix; None if there is no such key. The bytes of
    UTF-8 are below 0xff."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None
