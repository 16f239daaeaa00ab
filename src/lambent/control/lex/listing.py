"""Pages of lists, with filters and an order."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lambent.control.lex.naming import invalid

Params = Mapping[str, Any]
_PAGE_MAX = 1000


def page(
    params: Params,
    items: Iterable[Params],
    id_of: Callable[[Params], str],
    *,
    named: Mapping[str, str] | None = None,
    sorts: Mapping[str, str] | None = None,
) -> tuple[Sequence[Params], dict[str, Any]]:
    """The items of a page and its `nextToken`. `named` and `sorts` are the members of items by the
    names that filters and orders have for them."""
    found = [item for item in items if _matches(params, item, named or {})]
    order = params.get("sortBy") or {}
    member = (sorts or {}).get(order.get("attribute", ""))
    found.sort(key=id_of)
    if member is not None:
        found.sort(key=lambda item: str(item.get(member, "")))
    if order.get("order") == "Descending":
        found.reverse()
    start, limit = _start(params.get("nextToken")), params.get("maxResults") or _PAGE_MAX
    more = start + limit < len(found)
    token = base64.b64encode(str(start + limit).encode()).decode()
    return found[start : start + limit], {"nextToken": token} if more else {}


def _start(token: str | None) -> int:
    if not token:
        return 0
    try:
        return max(0, int(base64.b64decode(token, validate=True)[:9]))
    except (ValueError, binascii.Error):
        raise invalid("The nextToken is not valid.") from None


def _matches(params: Params, item: Params, named: Mapping[str, str]) -> bool:
    for each in params.get("filters") or ():
        value = str(item.get(named.get(each["name"], ""), ""))
        wanted = each["values"]
        is_equal = value in wanted
        is_part = any(text in value for text in wanted)
        operator = each["operator"]
        if not {"EQ": is_equal, "CO": is_part, "NE": not is_equal}[operator]:
            return False
    return True
