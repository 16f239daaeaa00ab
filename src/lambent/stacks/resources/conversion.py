"""From values of templates to members of operations: names and types as the service model says.

Templates write numbers and booleans as texts, and documents as objects. A shape is compact JSON: a
letter for a scalar, `["list", shape]`, `["map", shape]`, or members by name.
"""

import datetime
import json
from collections.abc import Mapping
from typing import Any

from lambent.model.errors import ApiError

Shape = Any
"""`s` string, `i` integer, `f` float, `b` boolean, `B` blob, `t` timestamp, `x` anything."""


def member_of(shape: Mapping[str, Shape], name: str) -> str | None:
    """The member that a property is copied to: of the same name, but for the first letter's case;
    None if there is none."""
    if name in shape:
        return name
    other = (name[:1].lower() if name[:1].isupper() else name[:1].upper()) + name[1:]
    return other if other in shape else None


def convert(value: Any, shape: Shape, where: str) -> Any:
    """A value as the shape wants it; `where` is its path, for errors. Raises `ApiError`."""
    if isinstance(shape, Mapping):
        return _structure(value, shape, where)
    if isinstance(shape, list):
        kind, inner = shape
        if kind == "map":
            if not isinstance(value, Mapping):
                raise invalid(where, "an object")
            return {name: convert(each, inner, f"{where}/{name}") for name, each in value.items()}
        listed = value if isinstance(value, list) else [value]
        return [convert(each, inner, f"{where}/{n}") for n, each in enumerate(listed)]
    return _scalar(value, shape, where)


def _structure(value: Any, shape: Mapping[str, Shape], where: str) -> Any:
    if "Quantity" in shape and "Items" in shape:
        value = _counted(value)
    if not isinstance(value, Mapping):
        raise invalid(where, "an object")
    converted = {}
    for name, inner in value.items():
        if inner is None:
            continue
        member = member_of(shape, str(name))
        if member is None:
            raise ApiError("ValidationError", f"Encountered unsupported property {name}")
        converted[member] = convert(inner, shape[member], f"{where}/{name}")
    return converted


def _counted(value: Any) -> Any:
    """A list as CloudFront's API has it: with its quantity, which templates may leave out."""
    if isinstance(value, list):
        value = {"Items": value}
    if isinstance(value, Mapping) and isinstance(value.get("Items"), list):
        return {"Quantity": len(value["Items"]), **value}
    return value


def _scalar(value: Any, shape: str, where: str) -> Any:
    match shape:
        case "s":
            return as_text(value)
        case "i":
            return _number(value, int, where)
        case "f":
            return _number(value, float, where)
        case "b":
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lower() in ("true", "false"):
                return value.lower() == "true"
            raise invalid(where, "a Boolean")
        case "B":
            return value if isinstance(value, bytes) else as_text(value).encode()
        case "t":
            return _time(value, where)
        case _:
            return value


def as_text(value: Any) -> str:
    """A value as text: documents as JSON, booleans as `true` and `false`."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def _number(value: Any, kind: type[int] | type[float], where: str) -> int | float:
    try:
        if isinstance(value, bool) or (kind is int and int(value) != float(value)):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        raise invalid(where, "an Integer" if kind is int else "a Number") from None


def _time(value: Any, where: str) -> datetime.datetime:
    try:
        if isinstance(value, (int, float)) or str(value).isdigit():
            return datetime.datetime.fromtimestamp(float(value), datetime.UTC)
        time = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        raise invalid(where, "a timestamp: seconds since 1970, or as in ISO 8601") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=datetime.UTC)


def invalid(where: str, expected: str) -> ApiError:
    """`ValidationError`: the value of a property has another type."""
    return ApiError("ValidationError", f"Value of property {where} must be {expected}.")
