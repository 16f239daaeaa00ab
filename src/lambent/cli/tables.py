"""Reads tables of TOML into dataclasses.

A dataclass says which keys a table has; the type of a field says what its value may be. Where a
table is expected, a text stands for its first key; where a list is expected, a single
item stands for a list of one.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from lambent.cli.output import UsageError

Table = TypeVar("Table")
_NAMES: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
}


def read_table(kind: type[Table], table: Mapping[str, Any], where: str) -> Table:
    """A table as a dataclass. `where` names the table in errors. Raises `UsageError` for a key that
    the dataclass does not have, for a value of another type and for a key that is missing."""
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    for key in table:
        if key not in hints:
            raise UsageError(
                f"cannot use {key} in {where}: there is no such key.{nearest(key, hints)}"
            )
    for field in fields:
        if field.name not in table and is_required(field):
            raise UsageError(f"cannot use {where}: it has no {field.name}")
    return kind(**{key: _value(hints[key], value, key, where) for key, value in table.items()})


def nearest(key: str, known: Iterable[str]) -> str:
    """The sentence that names the known key next to one, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(key, names, 1)
    return f" Did you mean {close[0]}?" if close else f" Known are {', '.join(names)}."


def type_name(kind: Any) -> str:
    """What a value of a type is called in errors and in the documentation."""
    kind = _required(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return f"{type_name(arguments[0])}, or a list of these"
    if origin is not None:
        return "a table of texts" if arguments[1:] == (str,) else "a table"
    if dataclasses.is_dataclass(kind):
        return "text or a table" if _short_key(kind) else "a table"
    return _NAMES.get(kind, "any value")


def _value(kind: Any, value: Any, key: str, where: str) -> Any:
    kind = _required(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    inside = f"{key} of {where}"
    if origin is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(_value(arguments[0], item, key, where) for item in items)
    if _is_mapping(kind) and isinstance(value, dict):
        return {name: _value(arguments[1], item, name, inside) for name, item in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, dict):
            return read_table(kind, value, inside)
        if isinstance(value, str) and (first := _short_key(kind)):
            return read_table(kind, {first: value}, inside)
    if kind is Any or type(value) is kind:
        return value
    raise UsageError(f"cannot use {key} = {value!r} in {where}: it must be {type_name(kind)}")


def is_required(field: "dataclasses.Field[Any]") -> bool:
    """Whether a table must have the key."""
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _short_key(kind: Any) -> str | None:
    """The key of a table that a text may stand for: the first, if it is required and a text."""
    first = dataclasses.fields(kind)[0]
    is_text = typing.get_type_hints(kind)[first.name] is str
    return first.name if is_text and is_required(first) else None


def _required(kind: Any) -> Any:
    """The type without `None`."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return next(part for part in typing.get_args(kind) if part is not type(None))
    return kind


def _is_mapping(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)
