"""Pages of IAM's lists."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from lambent.model.errors import ApiError

Item = TypeVar("Item")
_PAGE_MAX = 1000
_PAGE = 100


def iam_page(
    items: Sequence[Item], params: Mapping[str, Any], name: Callable[[Item], str]
) -> tuple[Sequence[Item], Mapping[str, Any]]:
    """The items on the page that a request's `Marker` and `MaxItems` ask for, in the order of
    `name`, and the output members that say whether more follow.

    Raises `ApiError`: `ValidationError` for a marker that was not created here.
    """
    after = _read(params.get("Marker"))
    rest = sorted((item for item in items if name(item) > after), key=name)
    size = min(params.get("MaxItems") or _PAGE, _PAGE_MAX)
    page = rest[:size]
    if len(rest) == len(page):
        return page, {"IsTruncated": False}
    marker = base64.urlsafe_b64encode(name(page[-1]).encode()).decode()
    return page, {"IsTruncated": True, "Marker": marker}


def _read(marker: str | None) -> str:
    if not marker:
        return ""
    try:
        return base64.b64decode(marker.encode("ascii"), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise ApiError("ValidationError", "Invalid Marker.") from None
