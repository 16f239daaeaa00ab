"""Pages of lists of EventBridge and of EventBridge Scheduler: after a name."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from lambent.model.errors import ApiError

T = TypeVar("T")
PAGE_MAX = 100


def read_token(token: str | None) -> str:
    """The name after which a page starts. Raises `ValidationException`."""
    if not token:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ApiError("ValidationException", "The NextToken is not valid.") from error


def page(found: Sequence[T], names: Sequence[str], size: int | None) -> tuple[Sequence[T], Any]:
    """The first `size` items, and the members of the response that lead to the next page."""
    size = min(size or PAGE_MAX, PAGE_MAX)
    if len(found) <= size:
        return found, {}
    token = base64.urlsafe_b64encode(names[size - 1].encode()).decode()
    return found[:size], {"NextToken": token}
