"""Members of operations as JSON documents, by the names that botocore uses, whatever protocol the
service speaks: blobs are base64, timestamps are seconds since the epoch."""

import base64
from typing import Any

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, Shape
from lambent.gateway.protocols.documents import decode_json, encode_json
from lambent.gateway.protocols.values import scalar_from_json, serialization_error, typed

_DEPTH_MAX = 100


def read_members(operation: OperationModel, body: bytes) -> Members:
    """The input members, typed and not validated. Raises `SerializationException`."""
    document = decode_json(body) if body.strip() else {}
    shape = operation.input_shape
    if shape is None:
        return {}
    members: dict[str, Any] = _read(shape, document, "", 0)
    return members


def write_members(operation: OperationModel, output: Members) -> bytes:
    """The output members."""
    shape = operation.output_shape
    return encode_json({} if shape is None else _written(shape, output))


def _read(shape: Shape, value: Any, path: str, depth: int) -> Any:
    if depth > _DEPTH_MAX:
        raise serialization_error(f"'{path}' is nested too deeply")
    kind, below = shape.type_name, depth + 1
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        given = typed(value, dict, path, "Object")
        if unknown := given.keys() - shape.members.keys():
            raise serialization_error(f"'{path}' has no member '{min(unknown)[:100]}'")
        return {
            name: _read(shape.members[name], item, f"{path}.{name}", below)
            for name, item in given.items()
            if item is not None
        }
    if kind == "list":
        items = typed(value, list, path, "List")
        return [_read(shape.member, item, path, below) for item in items]
    if kind == "map":
        given = typed(value, dict, path, "Map")
        return {
            name: _read(shape.value, item, f"{path}.{name}", below)
            for name, item in given.items()
            if item is not None
        }
    return scalar_from_json(kind, value, path)


def _written(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        return {
            name: _written(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [_written(shape.member, item) for item in value]
    if kind == "map":
        return {name: _written(shape.value, item) for name, item in value.items()}
    if kind == "blob" and isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if kind == "timestamp" and hasattr(value, "timestamp"):
        return value.timestamp()
    return value
