"""From a request's bytes to an operation's input members, as the model types them."""

import base64
import binascii
import datetime
import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from botocore.utils import parse_timestamp

from lambent.gateway.protocol.models import OperationModel, Shape
from lambent.kit.computing import is_dense
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

_DEPTH_MAX = 100
_DIGITS_MAX = 400
_VALUES_MAX = 100_000
"""In a request; the largest that clients send have some thousands, and text."""
_BLOB_STEP = 1 << 20
"""Characters of base64, a multiple of four."""
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,3})?")
_FORM_DEPTH_MAX = 8
_POSITION = re.compile(r"[1-9][0-9]{0,5}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

_Node = dict[str | None, Any]
"""Of a form: what is below a name, by the next part of the name; its own value under None."""


def parse_rest_json(
    operation: OperationModel, exchange: Exchange, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Input members of a rest-json request. Raises `SerializationException`."""
    shape = operation.input_shape
    if shape is None:
        return {}
    params: dict[str, Any] = {}
    query: dict[str, list[str]] | None = None
    payload = shape.serialization.get("payload")
    in_body = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        wire_name = member.serialization.get("name", name)
        if location == "uri":
            params[name] = _from_text(member, labels[wire_name], name)
        elif location == "querystring":
            if query is None:
                query = parse_qs(exchange.query, keep_blank_values=True)
            if wire_name in query:
                params[name] = _from_query(member, query[wire_name], name)
        elif location == "header":
            value = exchange.headers.get(wire_name.lower())
            if value is not None:
                params[name] = _from_text(member, value, name)
        elif location == "headers":
            prefix = wire_name.lower()
            params[name] = {
                header[len(prefix) :]: value
                for header, value in exchange.headers.items()
                if header.startswith(prefix)
            }
        elif name != payload:
            in_body[name] = member
    if payload is not None:
        member = shape.members[payload]
        if member.type_name == "blob":
            params[payload] = exchange.body
        elif exchange.body:
            params[payload] = from_json(member, decode_json(exchange.body), payload)
    elif in_body and exchange.body.strip():
        document = decode_json(exchange.body)
        if not isinstance(document, dict):
            raise _serialization_error("the body is not a JSON object")
        _members(in_body, document, params, "", 0)
    return params


def parse_json(operation: OperationModel, exchange: Exchange) -> dict[str, Any]:
    """Input members of a json request. Raises `SerializationException`."""
    shape = operation.input_shape
    if shape is None or not exchange.body.strip():
        return {}
    params: dict[str, Any] = from_json(shape, decode_json(exchange.body), "")
    return params


def parse_query(operation: OperationModel, form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Input members of a query request, where `Tags.member.1.Key` is the key of the first tag."""
    shape = operation.input_shape
    if shape is None:
        return {}
    tree: _Node = {}
    for name, values in form.items():
        node = tree
        for part in name.split(".", _FORM_DEPTH_MAX):
            node = node.setdefault(part, {})
        node[None] = values[0]
    found = _from_form(shape, tree, "")
    assert isinstance(found, dict)
    return found


def _from_form(shape: Shape, node: _Node, path: str) -> Any:
    """The value of a shape below a name of a form, None if there is none."""
    if shape.type_name == "structure":
        members = {
            name: _from_form(member, node[name], f"{path}.{name}" if path else name)
            for name, member in shape.members.items()
            if name in node
        }
        return {name: value for name, value in members.items() if value is not None}
    if shape.type_name == "list":
        items = node.get("member", {})
        numbers = sorted((one for one in items if one and _POSITION.fullmatch(one)), key=int)
        return [_from_form(shape.member, items[one], f"{path}.{one}") for one in numbers]
    if None not in node:
        return None
    return _from_text(shape, node[None], path)


def decode_json(body: bytes) -> Any:
    """The body as JSON. Raises `SerializationException`."""
    if is_dense(body, _VALUES_MAX):
        raise _serialization_error(f"the body has more than {_VALUES_MAX} values")
    try:
        document = json.loads(
            body.decode(), parse_constant=_refuse_constant, parse_int=_read_integer
        )
        if _SURROGATE.search(body):
            # Half a character is JSON, but no text that could be stored or shown again.
            json.dumps(document, ensure_ascii=False).encode()
        return document
    except (ValueError, RecursionError) as error:
        raise _serialization_error(f"cannot parse the body as JSON: {error}") from error


def from_json(shape: Shape, value: Any, path: str, depth: int = 0) -> Any:
    """A JSON value as the shape types it; unknown members are ignored, nulls are absent."""
    if depth > _DEPTH_MAX:
        raise _serialization_error(f"'{path}' is nested too deeply")
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        params: dict[str, Any] = {}
        _members(shape.members, _typed(value, dict, path, "Object"), params, path, depth)
        return params
    if kind == "list":
        items = _typed(value, list, path, "List")
        return [from_json(shape.member, item, path, depth + 1) for item in items]
    if kind == "map":
        mapping = _typed(value, dict, path, "Map")
        return {
            key: from_json(shape.value, item, f"{path}.{key}", depth + 1)
            for key, item in mapping.items()
            if item is not None
        }
    return _scalar(kind, value, path)


def _members(
    members: Mapping[str, Shape],
    document: Mapping[str, Any],
    params: dict[str, Any],
    path: str,
    depth: int,
) -> None:
    for name, member in members.items():
        value = document.get(member.serialization.get("name", name))
        if value is not None:
            below = f"{path}.{name}" if path else name
            params[name] = from_json(member, value, below, depth + 1)


def _scalar(kind: str, value: Any, path: str) -> Any:
    if kind in ("string", "character"):
        return _plain(_typed(value, str, path, "String"), path)
    if kind == "boolean":
        return _typed(value, bool, path, "Boolean")
    if kind in ("integer", "long", "float", "double"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type(value, path, "Integer" if kind in ("integer", "long") else "Double")
        if kind in ("float", "double"):
            return _finite(value, path)
        if isinstance(value, float) and not value.is_integer():
            raise _wrong_type(value, path, "Integer")
        return int(value)
    if kind == "blob":
        return _decode_blob(_typed(value, str, path, "Blob"), path)
    if kind == "timestamp":
        return _timestamp(value, path)
    return value


def _typed(value: Any, wanted: type, path: str, name: str) -> Any:
    if not isinstance(value, wanted):
        raise _wrong_type(value, path, name)
    return value


def _from_query(shape: Shape, values: list[str], path: str) -> Any:
    if shape.type_name == "list":
        return [_from_text(shape.member, value, path) for value in values]
    return _from_text(shape, values[0], path)


def _from_text(shape: Shape, text: str, path: str) -> Any:
    """A value from a label, the query or a header."""
    kind = shape.type_name
    if kind == "boolean":
        if text not in ("true", "false"):
            raise _wrong_type(text, path, "Boolean")
        return text == "true"
    if kind in ("integer", "long"):
        if _INTEGER.fullmatch(text) is None:
            raise _wrong_type(text, path, "Integer")
        return int(text)
    if kind in ("float", "double"):
        if _NUMBER.fullmatch(text) is None:
            raise _wrong_type(text, path, "Double")
        return _finite(text, path)
    if kind == "blob":
        return _decode_blob(text, path)
    if kind == "timestamp":
        return _timestamp(text, path)
    return _plain(text, path)


def _plain(text: str, path: str) -> str:
    """The text, which must not have a NUL: no database and no file name can hold it."""
    if "\0" in text:
        raise _serialization_error(f"'{path}' contains a NUL character")
    return text


def _finite(value: float | str, path: str) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise _wrong_type(value, path, "Double") from error
    if not math.isfinite(number):
        raise _wrong_type(value, path, "Double")
    return number


def _decode_blob(text: str, path: str) -> bytes:
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
        raise _serialization_error(f"'{path}' is not valid base64") from error


def _timestamp(value: Any, path: str) -> datetime.datetime:
    if isinstance(value, bool):
        raise _wrong_type(value, path, "Timestamp")
    try:
        moment: datetime.datetime = parse_timestamp(value)
        return moment
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise _wrong_type(value, path, "Timestamp") from error


def _read_integer(text: str) -> int:
    if len(text) > _DIGITS_MAX:
        raise ValueError("a number is too long")
    return int(text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_JSON_NAMES = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}
_JSON_NAMES |= {list: "START_ARRAY", dict: "START_OBJECT"}


def _wrong_type(value: Any, path: str, wanted: str) -> ApiError:
    given = _JSON_NAMES.get(type(value), "VALUE")
    return _serialization_error(f"{given} can not be converted to {wanted} at '{path}'")


def _serialization_error(message: str) -> ApiError:
    return ApiError("SerializationException", message)
