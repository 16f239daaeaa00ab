"""Calls, outcomes and loads as frames, and back. What is not valid raises FrameError."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from lambent.cluster.frames import (
    CHUNK_BYTES,
    FrameError,
    Kind,
    decode_document,
    encode,
    encode_with_head,
    split_head,
)
from lambent.kit import quick_json
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.function_documents import fields_of, to_document
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    RunReport,
    Succeeded,
    TimedOut,
)

BYTES_MAX = 16 << 20
"""Of an event or a result: more than any limit of the platform."""
_FIELDS = frozenset(field.name for field in dataclasses.fields(FunctionVersion) if field.init)
_ODD = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class NodeLoad(NamedTuple):
    """How busy a node is, as it says."""

    running: int = 0
    """Invocations that run."""
    processors: int = 1
    taken: int = 0
    """Calls that other nodes have sent it since it started."""
    sent: int = 0
    """Calls that it has sent to others."""


def encode_version(slot: int, function: FunctionVersion) -> bytes:
    """The frame that gives a version a number."""
    document = to_document(function)
    document |= {"key": list(function.key), "version": function.version}
    return encode(Kind.DEFINE, slot, quick_json.encode(document))


def decode_version(payload: bytes) -> FunctionVersion:
    """The version in such a frame."""
    document: dict[str, Any] = decode_document(payload)
    try:
        key, version = FunctionKey(*document.pop("key")), document.pop("version")
        fields = {name: value for name, value in fields_of(document).items() if name in _FIELDS}
        return FunctionVersion(key=key, version=version, **fields)
    except _ODD as error:
        raise FrameError(f"the definition of a version is not valid: {error!r}") from error


# -- calls -------------------------------------------------------------------------------------


def encode_call(number: int, slot: int, request: InvocationRequest, window: int) -> bytes:
    """The frame of a call. A large event follows in chunks. `window` is how many bytes of a
    streamed response the caller takes before it gives credit."""
    event = request.event
    head: dict[str, object] = {
        "version": slot,
        "id": request.request_id,
        "kind": request.kind,
        "bytes": len(event),
    }
    if request.qualifier is not None:
        head["qualifier"] = request.qualifier
    if request.trace_id:
        head["trace"] = request.trace_id
    if request.tenant_id:
        head["tenant"] = request.tenant_id
    if request.client_context:
        head["context"] = request.client_context
    if request.wants_log_tail:
        head["tail"] = True
    if request.wants_stream:
        head["window"] = window
    if request.content_type != "application/json":
        head["type"] = request.content_type
    return encode_with_head(Kind.CALL, number, head, event if is_small(event) else b"")


class ArrivingCall:
    """A call whose event may not have arrived completely."""

    __slots__ = ("_chunks", "_head", "_left", "function", "window")

    def __init__(
        self, payload: bytes, find_version: Callable[[int], FunctionVersion | None]
    ) -> None:
        head, event = split_head(payload)
        self._head = head
        try:
            found = find_version(self._head["version"])
            self.window = int(self._head.get("window", 0))
            size = int(self._head["bytes"])
        except _ODD as error:
            raise FrameError(f"the head of a call is not valid: {error!r}") from error
        if found is None:
            raise FrameError("a call names a version that was not defined")
        if not len(event) <= size <= BYTES_MAX:
            raise FrameError(f"a call has an event of {size} bytes")
        self.function = found
        self._chunks = [event]
        self._left = size - len(event)

    @property
    def is_complete(self) -> bool:
        """Whether the event is there."""
        return not self._left

    def take(self, chunk: bytes) -> None:
        """Take a chunk of the event."""
        self._left -= len(chunk)
        if self._left < 0:
            raise FrameError("an event is longer than its call says")
        self._chunks.append(chunk)

    def request(self) -> InvocationRequest:
        """The request."""
        get = self._head.get
        try:
            return InvocationRequest(
                self._head["id"],
                InvocationKind(self._head["kind"]),
                self.function,
                b"".join(self._chunks),
                get("qualifier"),
                get("type", "application/json"),
                get("context", ""),
                get("trace", ""),
                get("tenant", ""),
                get("tail", False),
                "window" in self._head,
            )
        except _ODD as error:
            raise FrameError(f"the head of a call is not valid: {error!r}") from error


def is_small(data: bytes) -> bool:
    """Whether data goes into the frame to which it belongs."""
    return len(data) <= CHUNK_BYTES


# -- outcomes ----------------------------------------------------------------------------------


def encode_outcome(number: int, outcome: Outcome, report: RunReport) -> bytes:
    """The frame that ends a call. A large payload has been sent in chunks before."""
    queued_s, init_s, duration_s, memory_mb, is_provisioned, sent, tail, is_restored = report
    head: dict[str, object] = {
        "kind": type(outcome).__name__,
        "report": [queued_s, init_s, duration_s, memory_mb, is_provisioned, sent, is_restored],
    }
    if tail:
        head["tail"] = len(tail)
    match outcome:
        case Succeeded():
            if outcome.content_type != "application/json":
                head["type"] = outcome.content_type
        case FunctionFailed():
            head |= {"error": outcome.error_type, "cause": outcome.cause}
        case Crashed():
            head["error"] = outcome.error_type
        case Refused(error, reason):
            head |= {
                "reason": reason.name,
                "error": [error.code, error.message, error.status, dict(error.members)],
            }
    payload = payload_of(outcome)
    return encode_with_head(
        Kind.OUTCOME, number, head, tail + payload if is_small(payload) else tail
    )


def payload_of(outcome: Outcome) -> bytes:
    """The result, or the error document; empty if there is none."""
    return b"" if isinstance(outcome, Refused) else outcome.payload


def decode_outcome(frame: bytes, chunks: list[bytes]) -> tuple[Outcome, RunReport]:
    """The outcome in such a frame; `chunks` came before it."""
    found, rest = split_head(frame)
    head: dict[str, Any] = found
    try:
        tail_bytes = int(head.get("tail", 0))
        queued_s, init_s, duration_s, memory_mb, is_provisioned, sent, is_restored = head["report"][
            :7
        ]
        payload = b"".join((*chunks, rest[tail_bytes:]))
        tail = rest[:tail_bytes]
        return _outcome(head, payload), RunReport(
            *(queued_s, init_s, duration_s, memory_mb, is_provisioned, sent, tail, is_restored)
        )
    except _ODD as error:
        raise FrameError(f"an outcome is not valid: {error!r}") from error


def _outcome(head: dict[str, Any], payload: bytes) -> Outcome:
    match head["kind"]:
        case "Succeeded":
            return Succeeded(payload, head.get("type", "application/json"))
        case "FunctionFailed":
            return FunctionFailed(payload, head["error"], head["cause"])
        case "TimedOut":
            return TimedOut(payload)
        case "Crashed":
            return Crashed(payload, head["error"])
        case "Refused":
            code, message, status, members = head["error"][:4]
            error = ApiError(code, message, status=status, members=members)
            return Refused(error, Refusal[head["reason"]])
        case kind:
            raise ValueError(f"there is no outcome {kind!r}")


# -- loads -------------------------------------------------------------------------------------


def encode_load(load: NodeLoad) -> bytes:
    """The frame that says how busy a node is."""
    return encode(Kind.LOAD, 0, quick_json.encode(load._asdict()))


def decode_load(payload: bytes) -> NodeLoad:
    """The load in such a frame."""
    document = decode_document(payload)
    known = {name: document[name] for name in NodeLoad._fields if name in document}
    if any(type(value) is not int or value < 0 for value in known.values()):
        raise FrameError("a load is not valid")
    load = NodeLoad(**known)
    return load._replace(processors=max(load.processors, 1))
