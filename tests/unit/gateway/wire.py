"""A client's side of the wire: requests made and answers read by botocore itself."""

import dataclasses
import datetime
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.parsers
import botocore.serialize
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from hypothesis import strategies as st

from lambent.gateway.models import OperationModel, Shape

DEPTH_MAX = 4


@dataclasses.dataclass
class FakeExchange:
    """An exchange without a connection; keeps its answer."""

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    is_open: bool = True
    keep_alive: bool = True
    status: int = 0
    answer_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    answer_body: bytes = b""

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        assert self.is_open
        self.is_open = False
        self.status, self.answer_headers, self.answer_body = status, dict(headers), body

    def respond_raw(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        raise NotImplementedError


def sent_by_botocore(
    operation: OperationModel, params: Mapping[str, Any], protocol: str | None = None
) -> FakeExchange:
    """The request that botocore sends for an operation, in a protocol or in the model's first."""
    serializer = botocore.serialize.create_serializer(
        protocol or operation.metadata["protocol"], include_validation=False
    )
    request = serializer.serialize_to_request(dict(params), operation)
    prepare_request_dict(request, endpoint_url="http://127.0.0.1:1", context={})
    prepared = create_request_object(request).prepare()
    url = urlsplit(prepared.url)
    body = prepared.body or b""
    return FakeExchange(
        method=prepared.method,
        path=url.path,
        query=url.query,
        headers={
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in prepared.headers.items()
        },
        body=body.encode() if isinstance(body, str) else bytes(body),
    )


def read_by_botocore(
    operation: OperationModel,
    status: int,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    protocol: str | None = None,
) -> dict[str, Any]:
    """What botocore makes of an answer; a payload that it would stream is a file."""
    parser = botocore.parsers.create_parser(protocol or operation.metadata["protocol"])
    is_stream = operation.has_streaming_output and status < 300
    answer = {
        "status_code": status,
        "headers": HeadersDict(dict(headers)),
        "body": io.BytesIO(body) if is_stream else body,
    }
    parsed: dict[str, Any] = parser.parse(answer, operation.output_shape)
    return parsed


_TEXT = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=8)
_HEADER_TEXT = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8
)
_LABEL_TEXT = st.text(
    st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=8
)
_MOMENTS = st.integers(0, 4_000_000_000).map(
    lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.UTC)
)


XML_TEXT = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cn"]), max_size=8)
"""Texts that XML can express."""


def members(
    shape: Shape | None, text: st.SearchStrategy[str] = _TEXT
) -> st.SearchStrategy[dict[str, Any]]:
    """Input or output members of an operation, of the right types and otherwise arbitrary."""
    if shape is None:
        return st.just({})
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if location == "uri":
            required[name] = (
                _LABEL_TEXT if member.type_name == "string" else _values(member, 0, text)
            )
        elif location == "statusCode":
            optional[name] = st.integers(200, 203)
        elif location == "header" and member.type_name == "string":
            optional[name] = _HEADER_TEXT
        elif location == "querystring" and member.type_name == "list":
            optional[name] = st.lists(text, min_size=1, max_size=3)
        else:
            optional[name] = _values(member, 0, text)
    return st.fixed_dictionaries(required, optional=optional)


def _values(shape: Shape, depth: int, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    size = 2 if depth < DEPTH_MAX else 0
    if kind == "structure":
        if getattr(shape, "is_tagged_union", False):
            choices = [
                st.fixed_dictionaries({name: _values(each, depth + 1, text)})
                for name, each in shape.members.items()
            ]
            return st.one_of(choices)
        if depth >= DEPTH_MAX:
            return st.just({})
        return st.fixed_dictionaries(
            {},
            optional={name: _values(each, depth + 1, text) for name, each in shape.members.items()},
        )
    if kind == "list":
        return st.lists(_values(shape.member, depth + 1, text), max_size=size)
    if kind == "map":
        return st.dictionaries(text, _values(shape.value, depth + 1, text), max_size=size)
    return {
        "string": text,
        "character": text,
        "blob": st.binary(max_size=16),
        "boolean": st.booleans(),
        "integer": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(allow_nan=False, allow_infinity=False),
        "double": st.floats(allow_nan=False, allow_infinity=False),
        "timestamp": _MOMENTS,
    }[kind]
