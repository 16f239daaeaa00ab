"""The segments of a sampled call: what Lambda itself records of it.

`AWS::Lambda` is the call as its caller sees it, from its arrival to its outcome. For an event it
has the subsegments `Dwell Time`, the wait in the queue, and `Attempt #1` to `Attempt #3`.
`AWS::Lambda::Function` is the function's work, with `Initialization` or `Restore` after a cold
start, `Invocation`, and `Overhead`, what passes between the response and the end. The function's
own subsegments are children of this segment.
https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from lambent.kit.ids import random_hex
from lambent.kit.strict_json import parse_plain
from lambent.model.function import FunctionKey
from lambent.model.invocation import FunctionFailed, Outcome, Refused, RunReport, Succeeded
from lambent.telemetry.traces.documents import Document, Segment, make_segment

_CAUSE_BYTES_MAX = 64 * 1024
_SUCCEEDED = Succeeded(b"")
_EXCEPTIONS_MAX, _FRAMES_MAX, _TEXT_MAX = 10, 100, 4096


class TracedCall(NamedTuple):
    """One attempt of a sampled call that has ended. Times are epoch seconds."""

    key: FunctionKey
    invoked_arn: str
    request_id: str
    trace_id: str
    parent_id: str | None
    """The segment of the caller."""
    segment_id: str
    """Of `AWS::Lambda`."""
    function_segment_id: str
    accepted_at: float
    """When the call, or the event, arrived."""
    began_at: float
    """When this attempt was begun."""
    ended_at: float
    attempt: int
    """1 is the first of an event; 0 if the call is no event."""
    outcome: Outcome
    report: RunReport

    @property
    def size(self) -> int:
        """See `Recorded`."""
        outcome = self.outcome
        return 2_000 if isinstance(outcome, Refused) else 2_000 + len(outcome.payload)

    def segments(self) -> Iterator[Segment]:
        """See `Recorded`."""
        return (make_segment(document, is_own=True) for document in self.documents())

    def documents(self) -> Iterator[Document]:
        """The segments, as X-Ray's documents."""
        parent_id = self.segment_id
        yield self._of_service()
        if self.attempt:
            if self.attempt == 1:
                yield self._subsegment("Dwell Time", self.accepted_at, self.began_at)
            attempt = self._subsegment(f"Attempt #{self.attempt}", self.began_at, self.ended_at)
            yield {**attempt, **self._result(), "http": {"response": {"status": self._status()}}}
            parent_id = attempt["id"]
        if self.outcome.has_run:
            yield self._of_function(parent_id)

    def _of_service(self) -> Document:
        status = 202 if self.attempt else self._status()
        made: Document = {
            "id": self.segment_id,
            "name": self.key.name,
            "start_time": self.accepted_at,
            "end_time": self.ended_at,
            "trace_id": self.trace_id,
            "origin": "AWS::Lambda",
            "resource_arn": self.invoked_arn,
            "aws": {"account_id": self.key.account, "request_id": self.request_id},
            "http": {"response": {"status": status}},
            **self._result(),
        }
        if self.parent_id is not None:
            made["parent_id"] = self.parent_id
        return made

    def _result(self) -> Document:
        """The call's failure, if it failed: a fault unless the caller is to blame."""
        outcome = self.outcome
        if outcome.has_succeeded:
            return {}
        if outcome.is_throttled:
            return {"error": True, "throttle": True}
        is_to_blame = isinstance(outcome, Refused) and outcome.error.status < 500
        return {"error": True} if is_to_blame else {"fault": True}

    def _status(self) -> int:
        return self.outcome.error.status if isinstance(self.outcome, Refused) else 200

    def _of_function(self, parent_id: str) -> Document:
        report = self.report
        began = min(self.began_at + report.queued_s, self.ended_at)
        made: Document = {
            "id": self.function_segment_id,
            "name": self.key.name,
            "start_time": began,
            "end_time": self.ended_at,
            "trace_id": self.trace_id,
            "parent_id": parent_id,
            "origin": "AWS::Lambda::Function",
            "resource_arn": self.invoked_arn,
            "aws": {
                "account_id": self.key.account,
                "function_arn": self.invoked_arn,
                "request_id": self.request_id,
                "resource_names": [self.key.name],
                "cold_start": report.init_s is not None,
            },
        }
        responded = min(began + report.duration_s, self.ended_at)
        parts = [
            self._part("Invocation", began, responded),
            self._part("Overhead", responded, self.ended_at),
        ]
        if report.init_s is not None:
            name = "Restore" if report.is_restored else "Initialization"
            parts.insert(0, self._part(name, began - report.init_s, began))
        if not self.outcome.has_succeeded:
            failed: Document = {"fault": True, "cause": cause_of(self.outcome)}
            made |= failed
            parts[-2] |= failed
        return {**made, "subsegments": parts}

    def _part(self, name: str, start: float, end: float) -> Document:
        return {
            "id": random_hex(16),
            "name": name,
            "start_time": start,
            "end_time": max(start, end),
            "aws": {"function_arn": self.invoked_arn},
        }

    def _subsegment(self, name: str, start: float, end: float) -> Document:
        return {
            "id": _derived_id(self.segment_id, name),
            "name": name,
            "type": "subsegment",
            "start_time": start,
            "end_time": max(start, end),
            "trace_id": self.trace_id,
            "parent_id": self.segment_id,
        }


def without_payload(outcome: Outcome) -> Outcome:
    """The outcome without what no segment shows: it must not stay in memory."""
    if isinstance(outcome, Succeeded):
        return _SUCCEEDED
    if isinstance(outcome, Refused) or len(outcome.payload) <= _CAUSE_BYTES_MAX:
        return outcome
    return dataclasses.replace(outcome, payload=b"")


def event_segment_id(request_id: str) -> str:
    """The ID of the segment `AWS::Lambda` of an event: all its attempts have the same."""
    return _derived_id(request_id, "AWS::Lambda")


def _derived_id(of: str, name: str) -> str:
    return hashlib.sha256(f"{of}/{name}".encode()).hexdigest()[:16]


def cause_of(outcome: Outcome) -> Document:
    """Why a call failed, as the field `cause` of a segment: what the runtime has sent for X-Ray, or
    what the caller gets as its error."""
    if isinstance(outcome, Refused | Succeeded):
        return {"exceptions": []}
    if isinstance(outcome, FunctionFailed) and outcome.cause:
        found = _read(outcome.cause.encode())
        exceptions = _exceptions(found.get("exceptions"))
        if exceptions:
            made: Document = {"exceptions": exceptions}
            if isinstance(directory := found.get("working_directory"), str):
                made["working_directory"] = directory[:_TEXT_MAX]
            return made
    document = _read(outcome.payload)
    message = document.get("errorMessage")
    return {
        "exceptions": [
            {
                "id": random_hex(16),
                "type": _text(document.get("errorType")) or outcome.error_type or "Error",
                "message": _text(message),
            }
        ]
    }


def _exceptions(found: Any) -> list[Document]:
    if not isinstance(found, list):
        return []
    return [
        {
            "id": random_hex(16),
            "type": _text(each.get("type")),
            "message": _text(each.get("message")),
            "stack": _frames(each.get("stack")),
        }
        for each in found[:_EXCEPTIONS_MAX]
        if isinstance(each, dict)
    ]


def _frames(found: Any) -> list[Document]:
    if not isinstance(found, list):
        return []
    return [
        {
            "path": _text(frame.get("path")),
            "line": line if isinstance(line := frame.get("line"), int) else 0,
            "label": _text(frame.get("label")),
        }
        for frame in found[:_FRAMES_MAX]
        if isinstance(frame, dict)
    ]


def _text(value: Any) -> str:
    return value[:_TEXT_MAX] if isinstance(value, str) else ""


def _read(data: bytes) -> Document:
    """The object in a JSON text, or an empty one. A large text is not read."""
    if len(data) > _CAUSE_BYTES_MAX:
        return {}
    try:
        document = parse_plain(data.decode())
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
