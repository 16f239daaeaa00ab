"""What filters and summaries ask of a trace, or of one service in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.telemetry.traces.documents import Document
from lambent.telemetry.traces.trees import Visit, assemble, end_of, root_of, visits, walk

Value = str | float | bool


class Facts(NamedTuple):
    """Durations in seconds."""

    duration: float
    response_time: float
    has_fault: bool
    has_error: bool
    has_throttle: bool
    is_partial: bool
    is_root: bool
    is_inferred: bool
    http: Mapping[str, Value]
    """`url`, `method`, `useragent`, `clientip` and `status`, as far as known."""
    annotations: Sequence[tuple[str, Value]]
    users: Sequence[str]
    name: str
    type: str
    resources: Sequence[str] = ()
    """ARNs."""

    @property
    def is_ok(self) -> bool:
        """Whether nothing failed."""
        return not (self.has_fault or self.has_error or self.has_throttle)


class Trace(NamedTuple):
    """A whole trace."""

    id: str
    segments: Sequence[Document]
    """With all their subsegments."""
    visits: Sequence[Visit]
    root: Document | None
    start: float
    facts: Facts


def read_trace(trace_id: str, documents: Sequence[Document]) -> Trace:
    """A trace from its documents, of which there is at least one."""
    segments = assemble(documents)
    root = root_of(segments)
    passed = visits(segments)
    first = root or segments[0]
    start = min(float(segment["start_time"]) for segment in segments)
    end = max(end_of(part) for segment in segments for part in walk(segment))
    parts = [part for segment in segments for part in walk(segment)]
    known = {part["id"] for part in parts}
    facts = Facts(
        duration=end - start,
        response_time=end_of(first) - float(first["start_time"]),
        has_fault=any(_is(segment, "fault") for segment in segments),
        has_error=any(_is(segment, "error") for segment in segments),
        has_throttle=any(_is(segment, "throttle") for segment in segments),
        is_partial=any("end_time" not in part for part in parts)
        or any(each.get("type") == "subsegment" for each in segments),
        is_root=first.get("parent_id") not in known,
        is_inferred=any(visit.is_inferred for visit in passed),
        http=http_of(first),
        annotations=[each for segment in segments for each in annotations_of(segment)],
        users=sorted({str(part["user"]) for part in parts if isinstance(part.get("user"), str)}),
        name=first["name"],
        type=str(first.get("origin") or ""),
        resources=sorted(
            {
                segment["resource_arn"]
                for segment in segments
                if isinstance(segment.get("resource_arn"), str)
            }
        ),
    )
    return Trace(trace_id, segments, passed, root, start, facts)


def facts_of(visit: Visit, trace: Trace) -> Facts:
    """The facts of one service's part in a trace."""
    part = visit.part
    duration = visit.end - visit.start
    user, arn = part.get("user"), part.get("resource_arn")
    return Facts(
        duration=duration,
        response_time=duration,
        has_fault=_is(part, "fault"),
        has_error=_is(part, "error"),
        has_throttle=_is(part, "throttle"),
        is_partial="end_time" not in part,
        is_root=trace.root is part,
        is_inferred=visit.is_inferred,
        http=http_of(part),
        annotations=list(annotations_of(part)),
        users=[user] if isinstance(user, str) else [],
        name=visit.node.name,
        type=visit.node.type,
        resources=[arn] if isinstance(arn, str) else [],
    )


def annotations_of(segment: Document) -> Iterator[tuple[str, Value]]:
    """The annotations of a segment and its subsegments."""
    for part in walk(segment):
        for key, value in (part.get("annotations") or {}).items():
            if isinstance(value, str | bool):
                yield key, value
            elif isinstance(value, int | float) and abs(value) < _NUMBER_MAX:
                yield key, float(value)


_NUMBER_MAX = 1e300
_HTTP = (
    ("request", "url", "url"),
    ("request", "method", "method"),
    ("request", "user_agent", "useragent"),
    ("request", "client_ip", "clientip"),
)


def http_of(part: Document) -> Mapping[str, Value]:
    """The HTTP request of a segment, by the names of filters."""
    http: Mapping[str, Any] = part.get("http") or {}
    found: dict[str, Value] = {}
    for side, field, name in _HTTP:
        section = http.get(side)
        value = section.get(field) if isinstance(section, dict) else None
        if isinstance(value, str):
            found[name] = value
    response = http.get("response")
    status = response.get("status") if isinstance(response, dict) else None
    if isinstance(status, int) and not isinstance(status, bool) and 0 <= status < 1000:
        found["status"] = float(status)
    return found


def _is(part: Document, flag: str) -> bool:
    return part.get(flag) is True
