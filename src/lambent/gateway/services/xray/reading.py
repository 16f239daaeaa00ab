"""GetTraceSummaries, BatchGetTraces and the graphs: what was recorded."""

import datetime
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio.to_thread

from lambent.gateway.call import Call, Members, without_nodes
from lambent.gateway.services.xray.rooms import XRayRooms
from lambent.gateway.services.xray.views import service_view, summary_view
from lambent.model.errors import ApiError
from lambent.telemetry.traces.all_traces import TraceReading
from lambent.telemetry.traces.database import Listed
from lambent.telemetry.traces.documents import Document, Malformed, read_trace_id
from lambent.telemetry.traces.facts import Trace, read_trace
from lambent.telemetry.traces.filters import InvalidFilter, read_filter
from lambent.telemetry.traces.graphs import make_graph

_PAGE = 100
_READ_AT_ONCE = 100
_SCANNED_MAX = 2_000
_IDS_MAX = 5


async def get_trace_summaries(rooms: XRayRooms, call: Call) -> Members:
    """GetTraceSummaries: the latest traces first, 100 a page. A page ends early after 2,000
    traces; `NextToken` says that there are more."""
    params = call.params
    start, end = _range(params)
    accepts = _filter(params.get("FilterExpression", ""))
    before = _read_token(params.get("NextToken"))
    by_event = params.get("TimeRangeType", "TraceId") != "TraceId"
    found: list[Trace] = []
    scanned, is_last = 0, False
    reading = rooms.all_traces.reading()
    while len(found) < _PAGE and scanned < _SCANNED_MAX and not is_last:
        page = await reading.list(
            call.scope,
            start=start,
            end=end,
            by_event=by_event,
            before=before,
            limit=min(_READ_AT_ONCE, _PAGE - len(found)),
        )
        listed, is_last = page
        scanned += len(listed)
        if listed:
            before = listed[-1]
            found += await _read(reading, call, [each.trace_id for each in listed], accepts)
    members: dict[str, Any] = {
        "TraceSummaries": [summary_view(trace, call.scope.account) for trace in found],
        "ApproximateTime": _moment(end),
        "TracesProcessedCount": scanned,
    }
    if not is_last and before is not None:
        members["NextToken"] = f"{before.began!r}/{before.trace_id}"
    return without_nodes(members, reading.missing)


async def batch_get_traces(rooms: XRayRooms, call: Call) -> Members:
    """BatchGetTraces: up to five traces."""
    wanted = call.params["TraceIds"]
    if len(wanted) > _IDS_MAX:
        raise _invalid(f"At most {_IDS_MAX} trace IDs in a request.")
    names, reading = _spell(wanted), rooms.all_traces.reading()
    read = await _read(reading, call, list(names.values()), lambda _: True)
    traces = {trace.id: trace for trace in read}
    found = [traces[name] for name in dict.fromkeys(names.values()) if name in traces]
    output = {
        "Traces": [_trace_view(trace) for trace in found],
        "UnprocessedTraceIds": [each for each in wanted if each not in names],
    }
    return without_nodes(output, reading.missing)


async def get_trace_graph(rooms: XRayRooms, call: Call) -> Members:
    """GetTraceGraph: the services that some traces have passed."""
    wanted = call.params["TraceIds"]
    if len(wanted) > _READ_AT_ONCE:
        raise _invalid(f"At most {_READ_AT_ONCE} trace IDs in a request.")
    reading = rooms.all_traces.reading()
    traces = await _read(reading, call, list(_spell(wanted).values()), lambda _: True)
    return without_nodes({"Services": _services(traces, call)}, reading.missing)


async def get_service_graph(rooms: XRayRooms, call: Call) -> Members:
    """GetServiceGraph: of the latest 2,000 traces of a time range."""
    if "GroupName" in call.params or "GroupARN" in call.params:
        raise _invalid("Groups are not offered. Ask without GroupName and GroupARN.")
    start, end = _range(call.params)
    traces: list[Trace] = []
    before: Listed | None = None
    reading = rooms.all_traces.reading()
    while len(traces) < _SCANNED_MAX:
        listed, is_last = await reading.list(
            call.scope, start=start, end=end, by_event=True, before=before, limit=_READ_AT_ONCE
        )
        traces += await _read(reading, call, [each.trace_id for each in listed], lambda _: True)
        if is_last or not listed:
            break
        before = listed[-1]
    output = {
        "StartTime": _moment(start),
        "EndTime": _moment(end),
        "Services": _services(traces, call),
        "ContainsOldGroupVersions": False,
    }
    return without_nodes(output, reading.missing)


async def _read(
    reading: TraceReading, call: Call, trace_ids: Sequence[str], accepts: Callable[[Trace], bool]
) -> list[Trace]:
    """Those of the traces that exist and that `accepts` accepts."""
    found = await reading.read(call.scope, trace_ids)
    return await anyio.to_thread.run_sync(_select, found, accepts)


def _select(
    found: Mapping[str, Sequence[Document]], accepts: Callable[[Trace], bool]
) -> list[Trace]:
    traces = [read_trace(name, documents) for name, documents in found.items()]
    return [trace for trace in traces if accepts(trace)]


def _services(traces: Iterable[Trace], call: Call) -> list[Members]:
    return [service_view(service, call.scope.account) for service in make_graph(traces)]


def _trace_view(trace: Trace) -> Members:
    return {
        "Id": trace.id,
        "Duration": trace.facts.duration,
        "LimitExceeded": False,
        "Segments": [
            {"Id": segment["id"], "Document": json.dumps(segment, separators=(",", ":"))}
            for segment in trace.segments
        ],
    }


def _spell(wanted: Sequence[str]) -> dict[str, str]:
    """The IDs as they are stored, by the IDs that were asked for; without those that are none."""
    found: dict[str, str] = {}
    for each in wanted:
        try:
            found[each] = read_trace_id(each)
        except Malformed:
            continue
    return found


def _range(params: Mapping[str, Any]) -> tuple[float, float]:
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if start > end:
        raise _invalid("StartTime must be before EndTime.")
    return start, end


def _filter(text: str) -> Callable[[Trace], bool]:
    try:
        return read_filter(text)
    except InvalidFilter as error:
        raise _invalid(f"Invalid FilterExpression: {error}") from None


def _read_token(token: str | None) -> Listed | None:
    if token is None:
        return None
    began, _, trace_id = token.partition("/")
    try:
        place = Listed(read_trace_id(trace_id), float(began))
    except ValueError:
        place = None
    if place is None or not math.isfinite(place.began):
        raise _invalid("NextToken is not valid. Use the one of the last page.")
    return place


def _moment(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidRequestException", message)
