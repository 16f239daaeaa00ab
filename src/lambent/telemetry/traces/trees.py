"""Traces as trees: subsegments that were sent on their own join the segment that is their parent,
and each segment its caller."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lambent.telemetry.traces.documents import Document, parts_of

_DEPTH_MAX = 50
"""Of subsegments within subsegments, however they were sent. Deeper ones stay on their own."""


class Node(NamedTuple):
    """A service, as X-Ray tells services apart."""

    name: str
    type: str
    """`AWS::Lambda::Function`, `remote`, …; empty if unknown."""


class Visit(NamedTuple):
    """What one request did in one service."""

    node: Node
    caller: "str | None"
    """The ID of the segment from which the request came; None if there is none in the trace."""
    id: str
    part: Document
    """The segment or, of a service that sends none, the subsegment of its caller."""
    is_inferred: bool

    @property
    def start(self) -> float:
        """Epoch seconds."""
        return float(self.part["start_time"])

    @property
    def end(self) -> float:
        """Epoch seconds; the start while it is in progress."""
        return end_of(self.part)


def assemble(documents: Sequence[Document]) -> list[Document]:
    """The segments of a trace with all their subsegments, in the order of time. Subsegments whose
    parent is missing are returned as they are. The documents become parts of the result."""
    tops = {document["id"]: document for document in documents}
    places: dict[str, tuple[Document, str, int]] = {}
    for top_id, top in tops.items():
        for part, depth in parts_of(top):
            places.setdefault(part["id"], (part, top_id, depth))
    for top_id, top in list(tops.items()):
        if _joins(top_id, tops, places):
            parent = places[top["parent_id"]][0]
            parent.setdefault("subsegments", []).append(top)
    roots = [top for top_id, top in tops.items() if not _joins(top_id, tops, places)]
    for root in roots:
        for part, _ in parts_of(root):
            if inner := part.get("subsegments"):
                inner.sort(key=_start)
    return sorted(roots, key=_start)


def _joins(
    top_id: str,
    tops: Mapping[str, Document],
    places: Mapping[str, tuple[Document, str, int]],
) -> bool:
    """Whether a document joins its parent. Those that are their own ancestors do not."""
    total, current = 0, top_id
    while True:
        top = tops[current]
        place = places.get(str(top.get("parent_id")))
        if top.get("type") != "subsegment" or place is None:
            return current != top_id
        total += place[2] + 1
        current = place[1]
        if total > _DEPTH_MAX:
            return False


def visits(segments: Sequence[Document]) -> list[Visit]:
    """The services that a trace has passed. A call of a service that sends no segment is a visit,
    too: its caller has a subsegment for it."""
    owners: dict[str, str] = {}
    parents = {segment.get("parent_id") for segment in segments}
    for segment in segments:
        for part, _ in parts_of(segment):
            owners.setdefault(part["id"], segment["id"])
    found = []
    for segment in segments:
        node = Node(segment["name"], str(segment.get("origin") or ""))
        caller = owners.get(str(segment.get("parent_id")))
        caller = None if caller == segment["id"] else caller
        found.append(Visit(node, caller, segment["id"], segment, is_inferred=False))
        for part, _ in parts_of(segment):
            is_call = part is not segment and part.get("namespace") in ("aws", "remote")
            if is_call and not _has_segment(part, parents):
                inferred = Node(part["name"], _inferred_type(part))
                found.append(Visit(inferred, segment["id"], part["id"], part, is_inferred=True))
    return found


def _has_segment(part: Document, parents: "set[str | None]") -> bool:
    return any(inner["id"] in parents for inner, _ in parts_of(part))


def _inferred_type(part: Document) -> str:
    return f"AWS::{part['name']}" if part["namespace"] == "aws" else "remote"


def root_of(segments: Sequence[Document]) -> Document | None:
    """The segment with which a trace begins; None while only subsegments have arrived."""
    known = {segment["id"] for segment in segments}
    whole = [segment for segment in segments if segment.get("type") != "subsegment"]
    for segment in whole:
        if segment.get("parent_id") not in known:
            return segment
    return whole[0] if whole else None


def walk(segment: Document) -> Iterator[Document]:
    """The segment and all its subsegments."""
    for part, _ in parts_of(segment):
        yield part


def end_of(part: Document) -> float:
    """Epoch seconds at which a part ended, or began if it is in progress."""
    end: float = part["end_time"] if "end_time" in part else part["start_time"]
    return float(end)


def _start(part: Document) -> float:
    return float(part["start_time"])
