"""X-Ray trace headers, and the lineage in them: which functions called each other on the way here.

A header is `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=<0 or 1>`; the first part of the root
is the epoch second at which the trace began. A header without `Sampled` leaves the decision to the
next service that traces.
https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

import functools
import hashlib
import re
import time
from typing import NamedTuple

from lambent.kit.ids import random_hex

LOOPS_MAX = 16
"""As often a function may come up in a chain of invocations it is part of."""
_LINEAGE = "Lineage=1:"
_ANCESTOR = re.compile(r"([0-9a-f]{8}):([0-9]{1,5})")
_ANCESTORS_MAX = 16
_REST_MAX = 768
TRACE_ID_MAX = 1024
_TRACE_ID = re.compile(rf"[\x21-\x7e]{{1,{TRACE_ID_MAX}}}")
_ROOT = re.compile(r"(?:^|;)Root=1-[0-9a-f]{8}-[0-9a-f]{24}(?:;|$)", re.IGNORECASE)
_NEW_TRACE = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
_ROOT_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SEGMENT_ID = re.compile(r"[0-9a-f]{16}")
_W3C = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_W3C_SAMPLED = 1
SAMPLED_MARK = "Sampled=1"


class TraceContext(NamedTuple):
    """What a header says."""

    root: str
    """The trace's ID."""
    parent: str | None
    """The ID of the segment or subsegment that calls."""
    is_sampled: bool | None
    """None if that is not decided."""
    rest: str
    """What else the header has, its lineage included: it is passed on."""

    def header(self) -> str:
        """The header. Inverse of `read_header`."""
        text = f"Root={self.root}"
        if self.parent is not None:
            text += f";Parent={self.parent}"
        if self.is_sampled is not None:
            text += f";Sampled={int(self.is_sampled)}"
        return f"{text};{self.rest}" if self.rest else text


def trace_id_of(given: str | None) -> str:
    """The trace header of a request: the caller's, or one that begins a trace and leaves open
    whether it is sampled."""
    if given and _TRACE_ID.fullmatch(given):
        return given
    return f"Root={new_root()}"


def passed_on(given: str | None) -> str:
    """The trace header for a function that is not traced: the caller's, or one that begins a trace.
    A request without a decision is not sampled."""
    if given is None or _TRACE_ID.fullmatch(given) is None:
        digits = random_hex(40)
        return f"Root=1-{int(time.time()):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"
    if _NEW_TRACE.fullmatch(given):  # Most have been made by the front.
        return f"{given};Parent={new_segment_id()};Sampled=0"
    if "Sampled=" in given or not given.startswith("Root="):
        return given
    context = read_header(given)
    if context is None:
        return given
    parent = context.parent or new_segment_id()
    return context._replace(parent=parent, is_sampled=False).header()


def new_root() -> str:
    """The ID of a trace that begins now."""
    return f"1-{int(time.time()):08x}-{random_hex(24)}"


def new_segment_id() -> str:
    """The ID of a segment."""
    return random_hex(16)


def read_header(text: str | None) -> TraceContext | None:
    """What a header says; None if it does not name a trace. Fields that are not understood are
    passed on, or left out if they are malformed."""
    if not text or _TRACE_ID.fullmatch(text) is None:
        return None
    root = parent = sampled = None
    rest = []
    for field in text.split(";"):
        name, _, value = field.partition("=")
        match name:
            case "Root" if _ROOT_ID.fullmatch(value.lower()):
                root = value.lower()
            case "Parent" if _SEGMENT_ID.fullmatch(value.lower()):
                parent = value.lower()
            case "Sampled" if value in ("0", "1"):
                sampled = value == "1"
            case "Root" | "Parent" | "Sampled" | "Self" | "":
                pass
            case _:
                rest.append(field)
    if root is None:
        return None
    return TraceContext(root, parent, sampled, ";".join(rest))


def read_traceparent(text: str | None) -> TraceContext | None:
    """What a W3C `traceparent` says; None if it is invalid. The ID of a trace of X-Ray is the same
    digits, with dashes. https://www.w3.org/TR/trace-context/#traceparent-header"""
    found = _W3C.fullmatch(text) if text is not None and len(text) <= TRACE_ID_MAX else None
    if found is None:
        return None
    version, trace, parent, flags = found.groups()
    if version == "ff" or (version == "00" and len(text or "") != 55):
        return None
    if not trace.strip("0") or not parent.strip("0"):
        return None
    is_sampled = bool(int(flags, 16) & _W3C_SAMPLED)
    return TraceContext(f"1-{trace[:8]}-{trace[8:]}", parent, is_sampled, "")


def traceparent_of(header: str) -> str | None:
    """The W3C `traceparent` of a trace header; None if the header has no trace or no parent."""
    context = read_header(header)
    if context is None or context.parent is None:
        return None
    trace = context.root[2:].replace("-", "")
    return f"00-{trace}-{context.parent}-{int(bool(context.is_sampled)):02x}"


def trace_id_of_request(header: str | None, traceparent: str | None) -> str:
    """As `trace_id_of`, for a request from anywhere: without a trace header its W3C `traceparent`
    counts."""
    if header is None and traceparent is not None:
        context = read_traceparent(traceparent)
        if context is not None:
            return context.header()
    return trace_id_of(header)


def is_trace_header(text: str) -> bool:
    """Whether it has the form that services demand of a trace header: not every text that a
    caller of ours may send has."""
    return _ROOT.search(text) is not None


def extend_lineage(header: str, arn: str) -> tuple[str, int]:
    """The trace header for an invocation of a function, and how often that function comes up in
    the chain already. SDKs hand the header on to whatever a function calls.

    A lineage is `Lineage=1:<hash>:<times>`, with further functions after a `|`. One that is not
    understood is replaced; of one that is too long the oldest function is forgotten.
    """
    own = _hash(arn)
    if _LINEAGE not in header:
        rest = header.rstrip(";")[:_REST_MAX]
        return f"{rest};{_LINEAGE}{own}:0".lstrip(";"), 0
    start = header.index(_LINEAGE)
    found, _, after = header[start + len(_LINEAGE) :].partition(";")
    rest = header[:start] + after
    ancestors = {
        match[1]: int(match[2]) for match in map(_ANCESTOR.fullmatch, found.split("|")) if match
    }
    count = ancestors.pop(own, -1) + 1
    kept = [*ancestors.items()][1 - _ANCESTORS_MAX :]
    lineage = "|".join(f"{hash_}:{times}" for hash_, times in (*kept, (own, min(count, 99_999))))
    rest = rest.rstrip(";")[:_REST_MAX]
    return f"{rest};{_LINEAGE}{lineage}".lstrip(";"), count


@functools.lru_cache(4096)
def _hash(arn: str) -> str:
    return hashlib.sha256(arn.encode()).hexdigest()[:8]
