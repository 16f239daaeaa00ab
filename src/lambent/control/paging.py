"""Pages of a list. A marker says where the next page starts; callers must not look inside."""

import base64
import json
from collections.abc import Sequence
from typing import NamedTuple

from lambent.model.errors import invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.limits import PAGE_MAX
from lambent.model.names import version_number


class Page(NamedTuple):
    """Some of the items, and the marker of the next page if there are more."""

    items: Sequence[FunctionVersion]
    next_marker: str | None


def page_size(max_items: int | None) -> int:
    """How many items a page has, for the caller's `MaxItems`."""
    return min(max_items or PAGE_MAX, PAGE_MAX)


def make_page(found: Sequence[FunctionVersion], size: int) -> Page:
    """A page of `size` of the items `found`, which must be one more if there are more."""
    if len(found) <= size:
        return Page(found, None)
    last = found[size - 1]
    position = json.dumps([last.key.name, version_number(last.version)])
    return Page(found[:size], base64.urlsafe_b64encode(position.encode()).decode())


def read_marker(marker: str | None, start: tuple[str, int]) -> tuple[str, int]:
    """The position (name, version number) a marker stands for; `start` if there is none.

    Raises `InvalidParameterValueException` for anything `make_page` did not make.
    """
    if not marker:
        return start
    try:
        name, number = json.loads(base64.b64decode(marker, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        name, number = None, None
    if not isinstance(name, str) or type(number) is not int or not 0 <= number < 1 << 62:
        raise invalid_parameter("The Marker is invalid. Use the NextMarker of a previous answer.")
    return name, number
