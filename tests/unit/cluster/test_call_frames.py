"""Calls and outcomes as frames: nothing is lost, and what is not valid is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.cluster.call_frames import (
    ArrivingCall,
    NodeLoad,
    decode_load,
    decode_outcome,
    decode_version,
    encode_call,
    encode_load,
    encode_outcome,
    encode_version,
)
from lambent.cluster.frames import (
    PAYLOAD_BYTES_MAX,
    Frame,
    FrameError,
    FrameReader,
    Kind,
    encode,
    encode_with_head,
)
from lambent.model.function import (
    AttachedLayer,
    FunctionKey,
    FunctionVersion,
    LoggingConfiguration,
    SnapStart,
)
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    InvocationKind,
    InvocationRequest,
    Outcome,
    RunReport,
    Succeeded,
    TimedOut,
)
from tests.unit.invocation.versions import version_of

TEXT = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
VERSIONS = st.builds(
    FunctionVersion,
    key=st.builds(FunctionKey, TEXT, TEXT, TEXT),
    version=TEXT,
    role=TEXT,
    runtime=st.none() | TEXT,
    handler=st.none() | TEXT,
    timeout_s=st.integers(1, 900),
    environment=st.none() | st.dictionaries(TEXT, TEXT, max_size=3),
    logging=st.builds(LoggingConfiguration, log_group=TEXT, application_log_level=st.none() | TEXT),
    code_key=TEXT,
    code_size=st.integers(0),
    layers=st.lists(st.builds(AttachedLayer), max_size=3).map(tuple),
    configuration_id=TEXT,
    revision_id=TEXT,
    last_modified_ms=st.integers(0),
    snap_start=st.builds(SnapStart),
    tenant_isolation=st.none() | TEXT,
    dead_letter_target=st.none() | TEXT,
    other=st.dictionaries(TEXT, JSON, max_size=3),
)
REQUESTS = st.builds(
    InvocationRequest,
    request_id=TEXT,
    kind=st.sampled_from(InvocationKind),
    function=VERSIONS,
    qualifier=st.none() | TEXT,
    event=st.binary(max_size=200),
    content_type=TEXT,
    client_context=TEXT,
    trace_id=TEXT,
    tenant_id=TEXT,
    wants_log_tail=st.booleans(),
    wants_stream=st.booleans(),
)
OUTCOMES = (
    st.builds(Succeeded, st.binary(max_size=50), TEXT)
    | st.builds(FunctionFailed, st.binary(max_size=50), TEXT, TEXT)
    | st.builds(TimedOut, st.binary(max_size=50))
    | st.builds(Crashed, st.binary(max_size=50), TEXT)
)
SECONDS = st.floats(0, 1e6)
COUNT = st.integers(0, 1 << 40)
REPORTS = st.builds(
    RunReport,
    *(SECONDS, st.none() | SECONDS, SECONDS, COUNT, st.booleans(), COUNT),
    st.binary(max_size=50),
    st.booleans(),
)


def only(data: bytes) -> Frame:
    """The frame in these bytes."""
    (frame,) = FrameReader().feed(data)
    return frame


@given(REQUESTS)
def test_a_request_crosses(request: InvocationRequest) -> None:
    """Every member, and the event byte by byte."""
    defined, called = only(encode_version(7, request.function)), only(encode_call(1, 7, request, 9))
    assert (defined.kind, defined.call, called.kind) == (Kind.DEFINE, 7, Kind.CALL)
    version = decode_version(defined.payload)
    arriving = ArrivingCall(called.payload, {7: version}.get)
    assert arriving.is_complete
    assert arriving.window == (9 if request.wants_stream else 0)
    assert arriving.request() == request


@given(OUTCOMES, REPORTS)
def test_an_outcome_crosses(outcome: Outcome, report: RunReport) -> None:
    frame = only(encode_outcome(1, outcome, report))
    assert decode_outcome(frame.payload, []) == (outcome, report)


def test_a_newer_release_is_understood() -> None:
    """Members that this release does not know are skipped."""
    document = {**NodeLoad(3, 2, 1, 0)._asdict(), "temperature": 20}
    assert decode_load(json.dumps(document).encode()) == NodeLoad(3, 2, 1, 0)
    assert decode_load(only(encode_load(NodeLoad(1))).payload) == NodeLoad(1)
    head = {"kind": "TimedOut", "report": [0, None, 1, 2, False, 3, False, "more"], "color": "red"}
    frame = only(encode_with_head(Kind.OUTCOME, 1, head, b"{}"))
    assert decode_outcome(frame.payload, [])[0] == TimedOut(b"{}")


FRAMES = st.tuples(st.integers(0, 255), st.integers(0, 99), st.binary(max_size=40))


@given(st.lists(FRAMES), st.data())
def test_frames_are_found_wherever_reads_end(
    frames: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    sent = b"".join(
        len(payload).to_bytes(4) + bytes([kind]) + call.to_bytes(4) + payload
        for kind, call, payload in frames
    )
    reader, found = FrameReader(), []
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        found += reader.feed(sent[:size])
        sent = sent[size:]
    assert found == frames


VALID = {"id": "r", "kind": "Event", "version": 7, "bytes": 2}


@pytest.mark.parametrize(
    ("head", "event"),
    [
        ({**VALID, "version": 8}, b"{}"),
        ({**VALID, "version": []}, b"{}"),
        ({**VALID, "kind": "Odd"}, b"{}"),
        ({**VALID, "bytes": 1}, b"{}"),
        ({**VALID, "bytes": -1}, b""),
        ({**VALID, "bytes": 1 << 40}, b""),
        ({**VALID, "bytes": "many"}, b""),
        ({**VALID, "window": None}, b"{}"),
        ({"id": "r"}, b"{}"),
        ([], b"{}"),
        ("text", b"{}"),
    ],
)
def test_a_bad_call_is_refused(head: object, event: bytes) -> None:
    frame = only(encode_with_head(Kind.CALL, 1, head, event))
    with pytest.raises(FrameError):
        ArrivingCall(frame.payload, {7: version_of("f")}.get).request()


@given(st.binary(max_size=80) | st.sampled_from([b"{}", b"[]", b"\0\0\0\2{}", b"[" * 9999]))
def test_garbage_is_refused(payload: bytes) -> None:
    """By every decoder, and with no other exception."""
    for decode in (
        decode_version,
        decode_load,
        lambda data: decode_outcome(data, []),
        lambda data: ArrivingCall(data, {}.get),
    ):
        if decode is decode_load and payload == b"{}":
            continue  # It says nothing, which is valid.
        with pytest.raises(FrameError):
            decode(payload)


def test_long_frames_are_refused() -> None:
    with pytest.raises(FrameError):
        encode(Kind.DATA, 1, bytes(PAYLOAD_BYTES_MAX + 1))
    for limit in (64, PAYLOAD_BYTES_MAX):
        with pytest.raises(FrameError):
            list(FrameReader(limit).feed((limit + 1).to_bytes(4) + b"\4\0\0\0\0"))
