"""Pages of lists that are small enough to be made whole."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from lambent.stacks.sources import invalid

T = TypeVar("T")


def page(
    items: Sequence[T], params: Mapping[str, Any], *, size: int
) -> tuple[Sequence[T], Mapping[str, str]]:
    """A page of items and the member that leads to the next one, if there is one. Raises
    `ValidationError`."""
    token = params.get("NextToken")
    if token is not None and not (token.isascii() and token.isdecimal() and len(token) < 10):
        raise invalid("Invalid NextToken. Use the one of a previous response.")
    start = int(token or 0)
    end = start + size
    return items[start:end], ({"NextToken": str(end)} if end < len(items) else {})
