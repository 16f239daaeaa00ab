"""JSON patches (RFC 6902) of properties. The patch is a stranger's text: its size is bounded before
and after each operation."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from lambent.kit import strict_json
from lambent.model.errors import ApiError

OPERATIONS_MAX: Final = 100
BYTES_MAX: Final = 262_144
"""Of properties as JSON, as in AWS."""
_MISSING: Final = object()


def parse_properties(text: str, what: str) -> dict[str, Any]:
    """An object of properties; `what` names it in errors. Raises `InvalidRequestException`."""
    found = _parse(text, what)
    if not isinstance(found, dict):
        raise invalid_request(f"{what} must be a JSON object.")
    _measure(found)
    return found


def patched(properties: Mapping[str, Any], patch: str) -> dict[str, Any]:
    """Properties after a patch document. Raises `InvalidRequestException`: then nothing of the
    patch counts."""
    operations = _parse(patch, "PatchDocument")
    if not isinstance(operations, list) or not 0 < len(operations) <= OPERATIONS_MAX:
        raise invalid_request(
            f"PatchDocument must be a JSON array of 1 to {OPERATIONS_MAX} operations."
        )
    document: Any = _copied(dict(properties))
    for operation in operations:
        document = _apply(document, operation)
        _measure(document)
    if not isinstance(document, dict):
        raise invalid_request("A patch must leave an object of properties.")
    return document


def invalid_request(message: str) -> ApiError:
    """400 `InvalidRequestException`."""
    return ApiError("InvalidRequestException", message)


def _parse(text: str, what: str) -> Any:
    try:
        return strict_json.parse_plain(text)
    except ValueError:
        raise invalid_request(f"{what} is not valid JSON.") from None


def _measure(document: Any) -> bytes:
    """A document as JSON. Raises `ApiError` for what is too large or nested too deeply, and for
    numbers and texts that JSON of other programs cannot have."""
    try:
        text = orjson.dumps(document)
    except TypeError:
        raise invalid_request(
            "Properties are nested too deeply, or have a value that cannot be stored."
        ) from None
    if len(text) > BYTES_MAX:
        raise invalid_request(f"Properties have at most {BYTES_MAX} bytes.")
    return text


def _copied(value: Any) -> Any:
    return orjson.loads(_measure(value))


def _apply(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict):
        raise invalid_request("An operation of a patch must be an object.")
    name = operation.get("op")
    apply = _OPERATIONS.get(name) if isinstance(name, str) else None
    if apply is None:
        raise invalid_request(f"op of a patch must be one of {', '.join(_OPERATIONS)}.")
    return apply(document, operation, _path(operation, "path"))


def _add(document: Any, operation: Mapping[str, Any], path: list[str]) -> Any:
    return _put(document, path, _value(operation))


def _remove(document: Any, _: Mapping[str, Any], path: list[str]) -> Any:
    return _without(document, path)


def _replace(document: Any, operation: Mapping[str, Any], path: list[str]) -> Any:
    value = _value(operation)
    if not path:
        return value
    parent, key = _place(document, path)
    parent[key] = value
    return document


def _move(document: Any, operation: Mapping[str, Any], path: list[str]) -> Any:
    source = _path(operation, "from")
    if path[: len(source)] == source and path != source:
        raise invalid_request("A patch cannot move a value into itself.")
    value = _find(document, source)
    return _put(_without(document, source), path, value) if path != source else document


def _copy(document: Any, operation: Mapping[str, Any], path: list[str]) -> Any:
    return _put(document, path, _copied(_find(document, _path(operation, "from"))))


def _test(document: Any, operation: Mapping[str, Any], path: list[str]) -> Any:
    if not _is_equal(_find(document, path), _value(operation)):
        raise invalid_request(f"The test of a patch fails at {_text(path)}.")
    return document


_OPERATIONS: Final[Mapping[str, Callable[[Any, Mapping[str, Any], list[str]], Any]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _value(operation: Mapping[str, Any]) -> Any:
    value = operation.get("value", _MISSING)
    if value is _MISSING:
        raise invalid_request(f"The operation {operation['op']} of a patch needs a value.")
    return _copied(value)


def _path(operation: Mapping[str, Any], member: str) -> list[str]:
    """A JSON pointer (RFC 6901) as names; the whole document is empty."""
    pointer = operation.get(member)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise invalid_request(f"{member} of a patch must be a JSON pointer, such as /Description.")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _find(document: Any, path: list[str]) -> Any:
    if not path:
        return document
    parent, key = _place(document, path)
    return parent[key]


def _place(document: Any, path: list[str]) -> tuple[Any, Any]:
    """Where an existing value is: the object or list, and its key or index."""
    for depth, name in enumerate(path):
        parent, key = document, _key(document, name)
        is_there = (key is not None and (isinstance(parent, list) and key < len(parent))) or (
            isinstance(parent, dict) and key in parent
        )
        if not is_there:
            raise invalid_request(
                f"A patch names {_text(path[: depth + 1])}, which does not exist."
            )
        document = parent[key]
    return parent, key


def _put(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    key = _key(parent, path[-1])
    if isinstance(parent, dict):
        parent[key] = value
        return document
    if isinstance(parent, list):
        index = len(parent) if path[-1] == "-" else key
        if index is not None and index <= len(parent):
            parent.insert(index, value)
            return document
    raise invalid_request(f"A patch cannot add a value at {_text(path)}.")


def _without(document: Any, path: list[str]) -> Any:
    if not path:
        raise invalid_request("A patch cannot remove all properties.")
    parent, key = _place(document, path)
    del parent[key]
    return document


def _key(parent: Any, name: str) -> Any:
    """A member's name, or an index without leading zeros; None if it is none."""
    if isinstance(parent, dict):
        return name
    is_index = name.isascii() and name.isdecimal() and len(name) < 9
    return int(name) if is_index and (name == "0" or name[0] != "0") else None


def _is_equal(value: Any, other: Any) -> bool:
    """As JSON: `true` is not 1, and 1.0 is."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        other, option=orjson.OPT_SORT_KEYS
    ) or (
        all(
            isinstance(each, (int, float)) and not isinstance(each, bool) for each in (value, other)
        )
        and value == other
    )


def _text(path: list[str]) -> str:
    """A path for errors, shortened."""
    return ("/" + "/".join(path))[:256]
