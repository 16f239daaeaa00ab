"""Segment documents that functions and clients send, checked.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lambent.kit.strict_json import parse_plain

DOCUMENT_BYTES_MAX = 64 * 1024
"""As in AWS."""
_ID = re.compile(r"[0-9a-f]{16}")
_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_NAME_MAX = 250
_DEPTH_MAX = 64
"""Of objects and arrays in each other."""
_TIME_MAX = 32_503_680_000.0  # The year 3000.

Document = dict[str, Any]
"""A segment or subsegment as a JSON object."""


class Malformed(ValueError):
    """A document that is no segment."""

    def __init__(self, code: str, message: str, segment_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.segment_id = segment_id


class Segment(NamedTuple):
    """A segment, or a subsegment that was sent on its own, as it is stored."""

    trace_id: str
    id: str
    start: float
    """Epoch seconds."""
    end: float
    """Epoch seconds; the start while it is in progress."""
    is_in_progress: bool
    is_own: bool
    """Whether the platform made it: what others send does not replace it."""
    text: str
    """The document, in ASCII."""


def read_trace_id(text: object) -> str:
    """A trace ID as it is stored. X-Ray's form and W3C's 32 digits name the same trace. Raises
    `Malformed`."""
    spelled = text.lower() if isinstance(text, str) else ""
    if len(spelled) == 32:
        spelled = f"1-{spelled[:8]}-{spelled[8:]}"
    if _TRACE_ID.fullmatch(spelled) is None:
        raise Malformed("InvalidTraceId", "The trace_id is not 1-<8 hex digits>-<24 hex digits>.")
    return spelled


def read_segment(text: str) -> Segment:
    """Check a document. Raises `Malformed`."""
    # No character takes less than a byte.
    if len(text) > DOCUMENT_BYTES_MAX or len(text.encode(errors="replace")) > DOCUMENT_BYTES_MAX:
        message = f"The document is larger than {DOCUMENT_BYTES_MAX} bytes."
        raise Malformed("DocumentTooLarge", message)
    try:
        document = parse_plain(text)
    except ValueError as error:
        raise Malformed("ParseError", f"The document is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise Malformed("ParseError", "The document is not a JSON object.")
    if _is_deep(document):
        raise Malformed("ParseError", "The document is nested too deeply.")
    segment_id = document.get("id")
    known = segment_id if isinstance(segment_id, str) else None
    try:
        trace_id = read_trace_id(document.get("trace_id"))
        for part, _ in parts_of(document):
            _check(part)
        if document.get("type") == "subsegment" or "parent_id" in document:
            _check_id(document, "parent_id")
    except Malformed as error:
        error.segment_id = known
        raise
    document["trace_id"] = trace_id
    try:
        return make_segment(document, is_own=False)
    except ValueError:
        message = "A number in the document is too large."
        raise Malformed("ParseError", message, segment_id=known) from None


def make_segment(document: Document, *, is_own: bool) -> Segment:
    """A document, known to be valid, as it is stored."""
    start = float(document["start_time"])
    return Segment(
        document["trace_id"],
        document["id"],
        start,
        float(document.get("end_time", start)),
        bool(document.get("in_progress")) and "end_time" not in document,
        is_own,
        json.dumps(document, separators=(",", ":"), allow_nan=False),
    )


def parts_of(document: Document) -> Iterator[tuple[Document, int]]:
    """The segment and all subsegments in it, each with its depth. Raises `Malformed` if there is
    something else among them."""
    stack = [(document, 0)]
    while stack:
        part, depth = stack.pop()
        yield part, depth
        inner = part.get("subsegments") or ()
        if not isinstance(inner, list | tuple):
            raise Malformed("InvalidSubsegments", "The subsegments are not an array.")
        for child in inner:
            if not isinstance(child, dict):
                raise Malformed("InvalidSubsegments", "A subsegment is not an object.")
            stack.append((child, depth + 1))


def _is_deep(document: Document) -> bool:
    level: list[Any] = [document]
    for _ in range(_DEPTH_MAX):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _check(part: Document) -> None:
    _check_id(part, "id")
    name = part.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_MAX:
        raise Malformed("InvalidName", f"The name is missing or has over {_NAME_MAX} characters.")
    start = _time(part, "start_time")
    if "end_time" in part:
        if _time(part, "end_time") < start:
            raise Malformed("InvalidEndTime", "The end_time is before the start_time.")
    elif part.get("in_progress") is not True:
        raise Malformed("MissingEndTime", "There is neither an end_time nor in_progress.")
    for name in ("annotations", "http", "aws"):
        if not isinstance(part.get(name) or {}, dict):
            raise Malformed("InvalidField", f"The field {name} is not an object.")


def _check_id(part: Mapping[str, Any], name: str) -> None:
    value = part.get(name)
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise Malformed("InvalidId", f"The {name} is not 16 hexadecimal digits.")


def _time(part: Mapping[str, Any], name: str) -> float:
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed("InvalidTime", f"The {name} is not a number of seconds.")
    if not (0 <= value < _TIME_MAX and math.isfinite(value)):
        raise Malformed("InvalidTime", f"The {name} is not a time.")
    return float(value)
