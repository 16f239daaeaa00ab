"""Requests as values, and the facts that outcomes have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.concurrency import no_capacity, throttled
from lambent.model.errors import ApiError
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
    Refusal,
    Refused,
    Succeeded,
    TimedOut,
)

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


@given(REQUESTS)
def test_a_request_crosses_to_another_process(request: InvocationRequest) -> None:
    """Every member, and the event byte by byte."""
    assert InvocationRequest.from_bytes(request.to_bytes()) == request


@given(st.binary(max_size=100) | st.sampled_from([b"{}\n", b"[]\n", b'{"function":{}}\n']))
def test_what_is_no_request_is_refused(data: bytes) -> None:
    """With ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError):  # noqa: PT011
        InvocationRequest.from_bytes(data)


def test_nothing_is_written_into_a_request() -> None:
    """It is a value."""
    request: Any = InvocationRequest(
        request_id="r", kind=InvocationKind.EVENT, function=None, event=b""
    )  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        request.event = b"other"


ERROR = ApiError("X", "m")


@pytest.mark.parametrize(
    ("outcome", "facts"),
    [
        (Succeeded(b"1"), (True, True, False, False, None)),
        (FunctionFailed(b"{}", "ValueError"), (False, True, False, True, "ValueError")),
        (TimedOut(b"{}"), (False, True, False, True, "Sandbox.Timedout")),
        (Crashed(b"{}", "Runtime.ExitError"), (False, True, False, True, "Runtime.ExitError")),
        (Refused(ERROR), (False, False, False, True, "X")),
        (Refused(ERROR, Refusal.NOT_READY), (False, False, False, True, "X")),
        (Refused(ERROR, Refusal.NOT_FOUND), (False, False, False, False, "X")),
        (Refused(ERROR, Refusal.LOOP), (False, False, False, False, "X")),
        (throttled(), (False, False, True, True, "TooManyRequestsException")),
        (no_capacity(), (False, False, True, True, "TooManyRequestsException")),
        (
            throttled(reason=Refusal.SWITCHED_OFF),
            (False, False, True, False, "TooManyRequestsException"),
        ),
    ],
)
def test_facts_of_outcomes(outcome: Outcome, facts: tuple[object, ...]) -> None:
    """Each way a call may end says of itself what callers ask."""
    assert facts == (
        outcome.has_succeeded,
        outcome.has_run,
        outcome.is_throttled,
        outcome.is_retryable,
        outcome.error_type,
    )
