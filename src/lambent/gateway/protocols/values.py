"""Converts between documents, texts and headers and values as a model types them.

Documents are JSON or CBOR. Both consist of structures, lists and maps; they differ in how they
write a blob or a timestamp.
"""

import base64
import binascii
import datetime
import email.utils
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.utils import parse_timestamp

from lambent.gateway.models import Shape
from lambent.model.errors import ApiError

_DEPTH_MAX = 100
_BLOB_STEP = 1 << 20
"""Characters of base64, a multiple of four."""
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,3})?")
_DOCUMENT_NAMES = {
    str: "STRING_VALUE",
    bool: "TRUE_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
    list: "START_ARRAY",
    dict: "START_OBJECT",
}
"""What AWS's parser calls values in its errors."""

ReadScalar = Callable[[str, Any, str], Any]
"""Converts a scalar in a document: `(type of the shape, written value, path) -> value`. Raises
`SerializationException`."""
WriteScalar = Callable[[Shape, Any], Any]
"""Converts a scalar for a document: `(shape, value) -> written value`."""


# -- documents ---------------------------------------------------------------------------------


def from_document(
    shape: Shape, value: Any, path: str, read_scalar: ReadScalar, depth: int = 0
) -> Any:
    """A value in a document as the shape types it. Unknown members are ignored, nulls are absent.
    Raises `SerializationException`, whose text contains `path`."""
    if depth > _DEPTH_MAX:
        raise serialization_error(f"'{path}' is nested too deeply")
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        document = typed(value, dict, path, "Object")
        return members_from_document(shape.members, document, path, read_scalar, depth)
    if kind == "list":
        items = typed(value, list, path, "List")
        return [from_document(shape.member, item, path, read_scalar, depth + 1) for item in items]
    if kind == "map":
        mapping = typed(value, dict, path, "Map")
        return {
            typed(key, str, path, "String"): from_document(
                shape.value, item, f"{path}.{key}", read_scalar, depth + 1
            )
            for key, item in mapping.items()
            if item is not None
        }
    return read_scalar(kind, value, path)


def members_from_document(
    members: Mapping[str, Shape],
    document: Mapping[str, Any],
    path: str,
    read_scalar: ReadScalar,
    depth: int = 0,
) -> dict[str, Any]:
    """The members of a structure in a document."""
    found: dict[str, Any] = {}
    for name, member in members.items():
        value = document.get(member.serialization.get("name", name))
        if value is not None:
            below = f"{path}.{name}" if path else name
            found[name] = from_document(member, value, below, read_scalar, depth + 1)
    return found


def to_document(shape: Shape, value: Any, write_scalar: WriteScalar) -> Any:
    """A value of the shape for a document, without absent and null members."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        return {
            member.serialization.get("name", name): to_document(member, value[name], write_scalar)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [to_document(shape.member, item, write_scalar) for item in value]
    if kind == "map":
        # A map may say that a key has no value: a slot of Lex without one is null.
        return {
            key: None if item is None else to_document(shape.value, item, write_scalar)
            for key, item in value.items()
        }
    return write_scalar(shape, value)


def scalar_from_json(kind: str, value: Any, path: str) -> Any:
    """A scalar in a JSON document."""
    if kind == "blob":
        return decode_blob(typed(value, str, path, "Blob"), path)
    if kind == "timestamp":
        return timestamp_from(value, path)
    return plain_scalar(kind, value, path)


def plain_scalar(kind: str, value: Any, path: str) -> Any:
    """A text, number or boolean, which all documents write the same way."""
    if kind in ("string", "character"):
        return _without_nul(typed(value, str, path, "String"), path)
    if kind == "boolean":
        return typed(value, bool, path, "Boolean")
    if kind in ("integer", "long", "float", "double"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(value, path, "Integer" if kind in ("integer", "long") else "Double")
        if kind in ("float", "double"):
            return _finite(value, path)
        if isinstance(value, float) and not value.is_integer():
            raise wrong_type(value, path, "Integer")
        return int(value)
    return value


def scalar_to_json(shape: Shape, value: Any) -> Any:
    """A scalar for a JSON document."""
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "timestamp":
        return write_timestamp(value, shape.serialization.get("timestampFormat", "unixTimestamp"))
    return value


def typed(value: Any, wanted: type, path: str, name: str) -> Any:
    """The value, if it is of a type. Raises `SerializationException`."""
    if not isinstance(value, wanted):
        raise wrong_type(value, path, name)
    return value


# -- texts -------------------------------------------------------------------------------------


def from_text(shape: Shape, text: str, path: str) -> Any:
    """A value from a label, a query, a form, a header or an XML element. Raises
    `SerializationException`."""
    kind = shape.type_name
    if kind == "boolean":
        if text not in ("true", "false"):
            raise wrong_type(text, path, "Boolean")
        return text == "true"
    if kind in ("integer", "long"):
        if _INTEGER.fullmatch(text) is None:
            raise wrong_type(text, path, "Integer")
        return int(text)
    if kind in ("float", "double"):
        if _NUMBER.fullmatch(text) is None:
            raise wrong_type(text, path, "Double")
        return _finite(text, path)
    if kind == "blob":
        return decode_blob(text, path)
    if kind == "timestamp":
        return timestamp_from(text, path)
    return _without_nul(text, path)


def to_text(shape: Shape, value: Any, timestamp_format: str) -> str:
    """A value for a header or an XML element. `timestamp_format` applies where the shape has
    none."""
    kind = shape.type_name
    if kind == "timestamp":
        form = shape.serialization.get("timestampFormat", timestamp_format)
        return str(write_timestamp(value, form))
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "blob":
        return base64.b64encode(value).decode()
    return str(value)


def write_timestamp(value: datetime.datetime, form: str) -> Any:
    """A moment in one of the model's formats: text, but for `unixTimestamp`, a number. ISO 8601 has
    milliseconds unless they are zero."""
    if form == "iso8601":
        moment = value.astimezone(datetime.UTC)
        precision = "milliseconds" if moment.microsecond >= 1000 else "seconds"
        return f"{moment.replace(tzinfo=None).isoformat(timespec=precision)}Z"
    if form == "rfc822":
        return email.utils.format_datetime(value.astimezone(datetime.UTC), usegmt=True)
    return value.timestamp()


def timestamp_from(value: Any, path: str) -> datetime.datetime:
    """A moment from a number or a text of any format."""
    if isinstance(value, bool):
        raise wrong_type(value, path, "Timestamp")
    try:
        moment: datetime.datetime = parse_timestamp(value)
        return moment
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise wrong_type(value, path, "Timestamp") from error


def decode_blob(text: str, path: str) -> bytes:
    """The bytes that base64 encodes. Raises `SerializationException`."""
    try:
        if len(text) <= _BLOB_STEP:
            return base64.b64decode(text, validate=True)
        # Step by step: decoding a package at once would hold the interpreter for 300 ms.
        if "=" in text[:-2]:
            raise ValueError("padding before the end")
        decoded = bytearray()
        for start in range(0, len(text), _BLOB_STEP):
            decoded += base64.b64decode(text[start : start + _BLOB_STEP], validate=True)
        return bytes(decoded)
    except (binascii.Error, ValueError) as error:
        raise serialization_error(f"'{path}' is not valid base64") from error


def _without_nul(text: str, path: str) -> str:
    """The text, which must not contain a NUL: no database and no file name can store it."""
    if "\0" in text:
        raise serialization_error(f"'{path}' contains a NUL character")
    return text


def _finite(value: float | str, path: str) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise wrong_type(value, path, "Double") from error
    if not math.isfinite(number):
        raise wrong_type(value, path, "Double")
    return number


# -- errors ------------------------------------------------------------------------------------


def wrong_type(value: Any, path: str, wanted: str) -> ApiError:
    """`SerializationException` for a value of another type than the model's."""
    given = _DOCUMENT_NAMES.get(type(value), "VALUE")
    return serialization_error(f"{given} can not be converted to {wanted} at '{path}'")


def serialization_error(message: str) -> ApiError:
    """400 `SerializationException`: a request that cannot be read."""
    return ApiError("SerializationException", message)
