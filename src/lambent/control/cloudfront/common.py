"""What the use cases of CloudFront share: errors, ETags, pages, times."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model.document import Body
from lambent.model.errors import ApiError

Params = Mapping[str, Any]
PAGE_MAX = 100


def invalid(message: str, code: str = "InvalidArgument") -> ApiError:
    """400: a value is not acceptable."""
    return ApiError(code, message)


def unsupported(what: str) -> ApiError:
    """400: what would be configured and have no effect."""
    return ApiError("InvalidArgument", f"Lambent does not offer {what}.")


def check_etag(body: Body, given: str | None) -> None:
    """Raise unless a change names the current version: `InvalidIfMatchVersion` without any,
    `PreconditionFailed` with another."""
    if not given:
        raise ApiError(
            "InvalidIfMatchVersion",
            "The If-Match version is missing or not valid for the resource.",
        )
    if given.strip('"') != body["etag"]:
        raise ApiError(
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more"
            " request-header fields.",
        )


def moment(seconds: float) -> datetime.datetime:
    """A time as the API shows it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def items(structure: Params | None) -> Sequence[Any]:
    """The items of a list with a quantity."""
    found = (structure or {}).get("Items") or ()
    return tuple(found)


def listed(values: Sequence[Any]) -> dict[str, Any]:
    """A list with its quantity."""
    return {"Quantity": len(values), **({"Items": list(values)} if values else {})}


def page(
    found: Sequence[tuple[str, Any]], params: Params, *, has_marker: bool = True
) -> dict[str, Any]:
    """One page of items, each with the id that is its marker, in their order."""
    text = params.get("MaxItems") or str(PAGE_MAX)
    if not text.isascii() or not text.isdecimal() or not int(text[:6]) > 0:
        raise invalid("The parameter MaxItems is not valid.")
    size, marker = min(int(text[:6]), PAGE_MAX), params.get("Marker") or ""
    ids = [id for id, _ in found]
    start = ids.index(marker) + 1 if marker in ids else 0
    shown = found[start : start + size]
    more = start + size < len(found)
    members: dict[str, Any] = {"MaxItems": size, **listed([view for _, view in shown])}
    if has_marker:
        members |= {"Marker": marker, "IsTruncated": more}
    if more:
        members["NextMarker"] = shown[-1][0]
    return members
