"""Records for destinations, byte by byte."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.asynchronous.records import RECORD_BYTES_MAX, as_json, deliveries_of, make_record
from lambent.asynchronous.retries import Done
from lambent.model.async_event import AsyncEvent
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.model.invocation import FunctionFailed, Outcome, Refused, Succeeded

KEY = FunctionKey("111111111111", "us-east-1", "f")
QUEUE = "arn:aws:sqs:us-east-1:111111111111:q"
SUCCESS = {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}}


def over(payload: bytes, condition: str = "Success") -> Done:
    event = AsyncEvent(
        request_id="r", key=KEY, qualifier=None, payload=payload, trace_id="t",
        accepted_at=0.0, due_at=0.0, function_errors=0 if condition == "Success" else 3,
    )  # fmt: skip
    return Done(event, condition)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_payloads_make_a_document(given: bytes, answered: bytes) -> None:
    """JSON stays unchanged, anything else becomes text."""
    record = make_record(over(given), Succeeded(answered), None, arn="a", now=1.5)
    document = json.loads(record)
    assert document["timestamp"] == "1970-01-01T00:00:01.500Z"
    for name, payload in (("requestPayload", given), ("responsePayload", answered)):
        try:
            expected: Any = json.loads(payload.decode(), parse_constant=lambda _: 1 / 0)
        except (ValueError, ZeroDivisionError):
            expected = payload.decode(errors="replace")
        assert document[name] == expected


def test_payloads_keep_their_text() -> None:
    """Numbers and duplicate names would not survive being read and written."""
    for payload in (b'{"a":1.0,"a":1e400}', b"12345678901234567890.10", b'"\\u00e9"'):
        assert as_json(payload) == payload
    for payload in (b"NaN", b"{'a': 1}", b"\xff", b"", b"[" * 100_000):
        assert isinstance(json.loads(as_json(payload)), str)


def test_what_is_too_large_goes_without_payloads() -> None:
    """As the limits of SQS and SNS ask."""
    payload = json.dumps("x" * RECORD_BYTES_MAX).encode()
    (delivery,) = deliveries_of(over(payload), Succeeded(b"1"), None, SUCCESS, 0.0)
    document = json.loads(delivery.body)
    assert document["requestContext"]["condition"] == "Success"
    assert "requestPayload" not in document
    assert "responsePayload" not in document
    assert "x" * 100 not in repr(delivery)


def test_a_record_names_only_its_own_function() -> None:
    """Success and failure go to their own destinations; one that never ran has no response."""
    failure = {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}
    outcomes: list[tuple[Outcome | None, bool]] = [
        (FunctionFailed(b"{}", "E"), True),
        (Refused(ApiError("X", "m", status=429)), False),
        (None, False),
    ]
    for outcome, has_response in outcomes:
        failed = over(b"{}", "RetriesExhausted")
        assert deliveries_of(failed, outcome, None, SUCCESS, 0.0) == []
        (delivery,) = deliveries_of(failed, outcome, None, failure, 0.0)
        assert ("responseContext" in json.loads(delivery.body)) is has_response
    assert deliveries_of(over(b"{}"), Succeeded(b"1"), None, failure, 0.0) == []
    assert deliveries_of(over(b"{}"), Succeeded(b"1"), None, None, 0.0) == []
