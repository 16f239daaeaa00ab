"""The segments of a call: of every outcome, of retries, and after a restore."""

import json
from typing import Any

import pytest

from lambent.model.arn import AccountId, Region
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refusal,
    Refused,
    RunReport,
    Succeeded,
    TimedOut,
)
from lambent.telemetry.traces.calls import TracedCall, cause_of, event_segment_id, without_payload
from lambent.telemetry.traces.documents import read_segment
from lambent.telemetry.traces.trees import assemble

KEY = FunctionKey(AccountId("111111111111"), Region("us-east-1"), "f")
TRACE = "1-5759e988-bd862e3fe1be46a994272793"
ERROR = b'{"errorType": "KeyError", "errorMessage": "tea"}'


def traced(outcome: Outcome, **more: Any) -> TracedCall:
    given = {
        "key": KEY,
        "invoked_arn": KEY.arn,
        "request_id": "r-1",
        "trace_id": TRACE,
        "parent_id": None,
        "segment_id": "1" * 16,
        "function_segment_id": "2" * 16,
        "accepted_at": 100.0,
        "began_at": 100.0,
        "ended_at": 103.0,
        "attempt": 0,
        "outcome": outcome,
        "report": RunReport(queued_s=1.0, init_s=0.5, duration_s=1.5),
    }
    return TracedCall(**{**given, **more})


def segments(call: TracedCall) -> list[dict[str, Any]]:
    """As the store has them; each is a document that X-Ray's rules accept."""
    made = [read_segment(segment.text) for segment in call.segments()]
    return assemble([json.loads(segment.text) for segment in made])


def test_the_times_of_a_cold_start() -> None:
    """Initialization lies before the function's segment, as in AWS; overhead is what remains."""
    service, function = segments(traced(Succeeded(b"{}")))
    assert (service["start_time"], service["end_time"]) == (100.0, 103.0)
    assert (function["start_time"], function["end_time"]) == (101.0, 103.0)
    times = {
        part["name"]: (part["start_time"], part["end_time"]) for part in function["subsegments"]
    }
    assert times == {
        "Initialization": (100.5, 101.0),
        "Invocation": (101.0, 102.5),
        "Overhead": (102.5, 103.0),
    }
    restored = traced(Succeeded(b""), report=RunReport(init_s=0.5, is_restored=True))
    assert segments(restored)[1]["subsegments"][0]["name"] == "Restore"


@pytest.mark.parametrize(
    ("outcome", "flags", "kind"),
    [
        (FunctionFailed(ERROR, "KeyError"), {"fault"}, "KeyError"),
        (TimedOut(b'{"errorType": "Sandbox.Timedout"}'), {"fault"}, "Sandbox.Timedout"),
        (Crashed(b"no JSON", "Runtime.ExitError"), {"fault"}, "Runtime.ExitError"),
        (
            FunctionFailed(b"[1]", "Runtime.Unknown", '{"exceptions": 1}'),
            {"fault"},
            "Runtime.Unknown",
        ),
    ],
)
def test_failures_of_the_function(outcome: Outcome, flags: set[str], kind: str) -> None:
    """Both segments say so, and the function's has the cause."""
    service, function = segments(traced(outcome))
    for segment in (service, function):
        assert {flag for flag in ("fault", "error", "throttle") if segment.get(flag)} == flags
    assert function["cause"]["exceptions"][0]["type"] == kind


@pytest.mark.parametrize(
    ("refused", "flags"),
    [
        (Refused(ApiError("X", "x", status=429), Refusal.THROTTLED), {"error", "throttle"}),
        (Refused(ApiError("X", "x", status=400), Refusal.INVALID), {"error"}),
        (Refused(ApiError("X", "x", status=500)), {"fault"}),
    ],
)
def test_a_refused_call_has_no_segment_of_the_function(refused: Refused, flags: set[str]) -> None:
    """It never ran."""
    (service,) = segments(traced(refused))
    assert {flag for flag in ("fault", "error", "throttle") if service.get(flag)} == flags
    assert service["http"]["response"]["status"] == refused.error.status


def test_all_attempts_of_an_event_are_one_segment() -> None:
    """Each adds its part; the wait is there once."""
    own = {"segment_id": event_segment_id("r-1"), "accepted_at": 90.0}
    failed = FunctionFailed(ERROR, "KeyError")
    first = traced(failed, attempt=1, function_segment_id="a" * 16, **own)
    second = traced(
        Succeeded(b""),
        attempt=2,
        function_segment_id="b" * 16,
        began_at=160.0,
        ended_at=161.0,
        **own,
    )
    documents = {
        document["id"]: document for call in (first, second) for document in call.documents()
    }
    service, *functions = assemble(list(documents.values()))
    assert (service["start_time"], service["end_time"]) == (90.0, 161.0)
    dwell, *attempts = service["subsegments"]
    assert (dwell["name"], dwell["end_time"]) == ("Dwell Time", 100.0)
    assert [part["name"] for part in attempts] == ["Attempt #1", "Attempt #2"]
    assert [each["parent_id"] for each in functions] == [part["id"] for part in attempts]
    assert attempts[0]["fault"] is True
    assert "fault" not in attempts[1]


def test_the_cause_that_a_runtime_sends() -> None:
    """Exceptions with their frames, bounded; anything else in it is left out."""
    frames = [{"path": "app.py", "line": 3, "label": "handler", "x": 1}, 7] * 100
    exception = {"type": "T", "message": "m" * 5_000, "stack": frames}
    cause = {"working_directory": "/var/task", "exceptions": [exception, "x"] * 3, "paths": 1}
    made = cause_of(FunctionFailed(b"{}", "T", json.dumps(cause)))
    assert made["working_directory"] == "/var/task"
    assert len(made["exceptions"]) == 3
    shown = made["exceptions"][0]
    assert (len(shown["message"]), len(shown["stack"])) == (4096, 50)
    assert shown["stack"][0] == {"path": "app.py", "line": 3, "label": "handler"}


def test_payloads_do_not_wait_in_memory() -> None:
    """Only an error's, for its cause."""
    assert without_payload(Succeeded(b"x" * 1000)) == Succeeded(b"")
    assert without_payload(FunctionFailed(b"x" * 100_000, "T")) == FunctionFailed(b"", "T")
    assert without_payload(FunctionFailed(ERROR, "T")) == FunctionFailed(ERROR, "T")
