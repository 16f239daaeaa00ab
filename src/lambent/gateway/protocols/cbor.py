"""smithy-rpc-v2-cbor: requests name the operation in their path, documents are CBOR. CloudWatch
speaks it with newer SDKs.
https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

import datetime
import io
from typing import Any

import cbor2

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, ServiceModel, Shape
from lambent.gateway.protocols.protocol import Labels, WireResponse, unknown_operation
from lambent.gateway.protocols.rpc import NamedOperations, error_shape, query_error_header
from lambent.gateway.protocols.values import (
    from_document,
    plain_scalar,
    serialization_error,
    to_document,
    typed,
)
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

_PROTOCOL = "rpc-v2-cbor"
_BYTES_MAX = 2 << 20
"""The maximum for a request. Every byte may be a value, so this limits the memory that the values
take. CloudWatch's largest requests have 1 MB."""
_DEPTH_MAX = 100
_EPOCH_SECONDS = 1
"""The tag of a timestamp, the only tag in this protocol."""
_OTHER_TAGS = (
    *(0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004),
    *(43000, 55799),
)
"""Tags that the decoder would turn into values of types that no model has."""


class SmithyCbor:
    """See `WireProtocol`."""

    name = "smithy-rpc-v2-cbor"
    is_rest = False

    def is_spoken_in(self, exchange: Exchange) -> bool:
        return exchange.headers.get("smithy-protocol") == _PROTOCOL

    def router(self, service: ServiceModel) -> NamedOperations:
        begin = f"/service/{service.metadata.get('targetPrefix', '')}/operation/"

        def read_name(exchange: Exchange) -> str:
            is_ours = exchange.method == "POST" and exchange.path.startswith(begin)
            return exchange.path.removeprefix(begin) if is_ours else ""

        return NamedOperations(service, read_name)

    def unknown_operation(self, exchange: Exchange) -> ApiError:
        name = operation_in_path(exchange)[1]
        return unknown_operation(name[:200] or "none", status=400)

    def parse(
        self, operation: OperationModel, exchange: Exchange, labels: Labels
    ) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None or not exchange.body:
            return {}
        params: dict[str, Any] = from_document(shape, decode_cbor(exchange.body), "", _read)
        return params

    def render(self, operation: OperationModel, output: Members, request_id: str) -> WireResponse:
        shape = operation.output_shape
        document = {} if shape is None else to_document(shape, output, _write)
        return WireResponse(200, _headers(), encode_cbor(document))

    def render_error(self, service: ServiceModel, error: ApiError, request_id: str) -> WireResponse:
        shape = error_shape(service, error.code)
        code, status, text = error.code, error.status, "message"
        if shape is not None:
            code = shape.name
            status = int(shape.metadata.get("error", {}).get("httpStatusCode", status))
            text = next((name for name in shape.members if name.lower() == text), text)
        headers = _headers() + query_error_header(service, shape, error.code, status)
        # Half a character, which a caller may have put into a name, is no text in CBOR.
        message = error.message.encode("utf-8", "replace").decode()
        document = {"__type": code, text: message, **error.members}
        return WireResponse(status, headers, encode_cbor(document))


def operation_in_path(exchange: Exchange) -> tuple[str, str]:
    """Service and operation in a request's path, `/service/<name>/operation/<name>`. Both are
    empty if the path has another form."""
    parts = exchange.path.split("/")
    if len(parts) != 5 or parts[0] or (parts[1], parts[3]) != ("service", "operation"):
        return "", ""
    return parts[2], parts[4]


def decode_cbor(body: bytes) -> Any:
    """The document in a body. Raises `SerializationException` if the body is not CBOR, or contains
    tags other than a timestamp's, keys that are not text, or a key twice."""
    if len(body) > _BYTES_MAX:
        raise serialization_error(f"the body has more than {_BYTES_MAX} bytes")
    stream = io.BytesIO(body)
    decoder = cbor2.CBORDecoder(
        stream,
        tag_hook=_refuse_tag,
        semantic_decoders=dict.fromkeys(_OTHER_TAGS, _refuse_tag),
        max_depth=_DEPTH_MAX,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
        read_size=max(len(body), 1),
    )
    try:
        document = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, OverflowError, RecursionError) as error:
        raise serialization_error(f"cannot parse the body as CBOR: {error}") from error
    if stream.read(1):
        raise serialization_error("the body goes on after its document")
    return document


def encode_cbor(document: Any) -> bytes:
    """The document."""
    encoded: bytes = cbor2.dumps(document)
    return encoded


def _refuse_tag(*_: Any) -> Any:
    raise ValueError("a tag is none of this protocol's")


def _read(kind: str, value: Any, path: str) -> Any:
    if kind == "blob":
        return typed(value, bytes, path, "Blob")
    if kind == "timestamp":
        return typed(value, datetime.datetime, path, "Timestamp")
    return plain_scalar(kind, value, path)


def _write(shape: Shape, value: Any) -> Any:
    if shape.type_name == "timestamp":
        seconds = value.timestamp()
        whole = int(seconds)
        return cbor2.CBORTag(_EPOCH_SECONDS, whole if whole == seconds else seconds)
    if shape.type_name in ("float", "double"):
        return float(value)
    return value


def _headers() -> list[tuple[str, str]]:
    return [("Content-Type", "application/cbor"), ("smithy-protocol", _PROTOCOL)]


SMITHY_CBOR = SmithyCbor()
