"""Pages of a list. A marker is an opaque string that says where the next page starts."""

import base64
import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from lambent.model.errors import invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.limits import PAGE_MAX
from lambent.model.names import version_number

Item = TypeVar("Item")
_NAME = re.compile(r"[\x21-\x7e]{0,256}")


class Page(NamedTuple):
    """Some of the versions, and the marker of the next page if there are more."""

    items: Sequence[FunctionVersion]
    next_marker: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class NamePage(Generic[Item]):
    """Some of the items of a list by name, and the marker of the next page if there are more."""

    items: Sequence[Item]
    next_marker: str | None

    def members(self, name: str, shown: Sequence[Any]) -> Mapping[str, Any]:
        """The members of the response of a list operation whose items are called `name`."""
        members: dict[str, Any] = {name: shown}
        if self.next_marker is not None:
            members["NextMarker"] = self.next_marker
        return members


def page_size(max_items: int | None) -> int:
    """The number of items on a page, for the caller's `MaxItems`."""
    return min(max_items or PAGE_MAX, PAGE_MAX)


def make_page(found: Sequence[FunctionVersion], size: int) -> Page:
    """A page of `size` of the items `found`. The caller must pass one more item if there are
    more."""
    if len(found) <= size:
        return Page(found, None)
    last = found[size - 1]
    return Page(found[:size], _encode([last.key.name, version_number(last.version)]))


def make_name_page(
    found: Sequence[Item],
    size: int,
    name: Callable[[Item], str],
    number: Callable[[Item], int] = lambda _: 0,
) -> NamePage[Item]:
    """A page of `size` of the items `found`, which are ordered by `name`, then by `number`. The
    caller must pass more than `size` items if there are more."""
    if len(found) <= size:
        return NamePage(found, None)
    last = found[size - 1]
    return NamePage(found[:size], _encode([name(last), number(last)]))


def read_marker(marker: str | None, start: tuple[str, int]) -> tuple[str, int]:
    """The position (name, version number) in a marker; `start` if there is none.

    Raises `InvalidParameterValueException` for a marker that was not created here.
    """
    if not marker:
        return start
    try:
        name, number = json.loads(base64.b64decode(marker, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        name, number = None, None
    is_ours = isinstance(name, str) and _NAME.fullmatch(name) is not None
    if not is_ours or type(number) is not int or not 0 <= number < 1 << 62:
        raise invalid_parameter("The Marker is invalid. Use the NextMarker of a previous answer.")
    return str(name), number


def read_name_marker(marker: str | None) -> str:
    """The name after which a page starts. Raises as `read_marker`."""
    return read_marker(marker, ("", 0))[0]


def _encode(position: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
