"""PutTraceSegments and PutTelemetryRecords: what instrumented programs send."""

from collections.abc import Sequence
from typing import Any

import anyio.to_thread

from lambent.gateway.call import Call, Members
from lambent.gateway.services.xray.rooms import XRayRooms
from lambent.model.errors import ApiError
from lambent.telemetry.traces.documents import Malformed, Segment, read_segment
from lambent.telemetry.traces.received import ReceivedSegment

_DOCUMENTS_MAX = 500


async def put_trace_segments(rooms: XRayRooms, call: Call) -> Members:
    """PutTraceSegments: documents that are malformed are reported one by one."""
    texts: Sequence[str] = call.params["TraceSegmentDocuments"]
    if len(texts) > _DOCUMENTS_MAX:
        message = f"At most {_DOCUMENTS_MAX} documents in a request."
        raise ApiError("InvalidRequestException", message)
    unprocessed: list[dict[str, Any]] = []
    # Not on the event loop: the documents of a request may have megabytes.
    for read in await anyio.to_thread.run_sync(_read_all, texts):
        if isinstance(read, Malformed):
            unprocessed.append(_refusal(read.segment_id, read.code, str(read)))
        elif not rooms.traces.record(call.scope, ReceivedSegment(read)):
            message = "Too many segments at once. Send it again later."
            unprocessed.append(_refusal(read.id, "ThrottledException", message))
    return {"UnprocessedTraceSegments": unprocessed}


async def put_telemetry_records(rooms: XRayRooms, call: Call) -> Members:
    """PutTelemetryRecords: what a daemon counts is not kept."""
    return {}


def _read_all(texts: Sequence[str]) -> list[Segment | Malformed]:
    read: list[Segment | Malformed] = []
    for text in texts:
        try:
            read.append(read_segment(text))
        except Malformed as error:
            read.append(error)
    return read


def _refusal(segment_id: str | None, code: str, message: str) -> dict[str, Any]:
    named = {"Id": segment_id} if segment_id else {}
    return {**named, "ErrorCode": code, "Message": message}
