"""Log streams and their events: create, write, read, filter."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.services.logs.errors import group_of, invalid, no_group, no_stream
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.tokens import (
    END_OF_STREAM,
    event_after,
    event_id,
    page_of,
    position_of,
    token_after,
    with_token,
)
from lambent.gateway.services.logs.views import event_view, stream_view
from lambent.kit.computing import computed
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey
from lambent.telemetry.caller_events import check_batch
from lambent.telemetry.insights.records import Record, Source
from lambent.telemetry.logs import LogStream
from lambent.telemetry.patterns import compile_pattern
from lambent.telemetry.queries import Bounds, EventKey
from lambent.telemetry.segments import LogEvent

_EVENTS_MAX = 10_000
_RESPONSE_BYTES_MAX = 1024 * 1024
_END_OF_TIME_MS = 1 << 62
_MINUTE_MS = 60_000
_FIELDS_OF_EVENTS_MAX = 500
"""Events in which GetLogGroupFields looks for fields."""
_SEQUENCE_TOKEN = "0"
"""AWS ignores sequence tokens, and still returns one."""


async def create_log_stream(rooms: LogsRooms, call: Call) -> Members:
    """CreateLogStream."""
    group = group_of(call)
    await rooms.groups.require(group)
    if not await rooms.logs.create_stream(*group.scope, group.name, call.params["logStreamName"]):
        raise ApiError("ResourceAlreadyExistsException", "The specified log stream already exists")
    return {}


async def delete_log_stream(rooms: LogsRooms, call: Call) -> Members:
    """DeleteLogStream."""
    group = group_of(call)
    await rooms.groups.require_deletable(group)
    if not await rooms.logs.delete_stream(*group.scope, group.name, call.params["logStreamName"]):
        raise no_stream()
    return {}


async def describe_log_streams(rooms: LogsRooms, call: Call) -> Members:
    """DescribeLogStreams."""
    params = call.params
    group = group_of(call)
    prefix = params.get("logStreamNamePrefix")
    by_time = params.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    streams = [
        stream for stream in await _streams(rooms, group) if stream.name.startswith(prefix or "")
    ]
    if by_time:
        streams.sort(key=lambda stream: (stream.last_event_ms or 0, stream.name))
    if params.get("descending"):
        streams.reverse()
    page, token = page_of(streams, params, 50, lambda stream: stream.name)
    views = [stream_view(stream, group.arn) for stream in page]
    return with_token({"logStreams": views}, token)


async def put_log_events(rooms: LogsRooms, call: Call) -> Members:
    """PutLogEvents. Events that are too old or too new are left out, and the response says so."""
    group, stream = group_of(call), call.params["logStreamName"]
    await rooms.groups.require(group)
    if not await rooms.logs.has_stream(*group.scope, group.name, stream):
        raise no_stream()
    oldest_ms = await rooms.groups.oldest_ms(group)
    now_ms = int(rooms.logs.now() * 1000)
    batch = await computed(check_batch, call.params["logEvents"], now_ms, oldest_ms)
    await rooms.callers.put(group.scope, group.name, stream, batch.events)
    rejected = {"rejectedLogEventsInfo": batch.rejected} if batch.rejected else {}
    return {"nextSequenceToken": _SEQUENCE_TOKEN, **rejected}


async def get_log_events(rooms: LogsRooms, call: Call) -> Members:
    """GetLogEvents."""
    params = call.params
    group, stream = group_of(call), params["logStreamName"]
    if stream not in await _stream_names(rooms, group):
        raise no_stream()
    is_forward, position = position_of(params.get("nextToken"), bool(params.get("startFromHead")))
    bounds = await _bounds(rooms, group, params, params.get("endTime", _END_OF_TIME_MS))
    page = await rooms.logs.stream_page(
        *group.scope, group.name, stream, bounds, position, is_forward=is_forward
    )
    # At either end the token is the one that was passed: that is how callers know.
    stays = position if position < END_OF_STREAM else 0
    first = page[0].position if page else stays
    following = page[-1].position + 1 if page else stays
    return {
        "events": [event_view(event) for event in page],
        "nextForwardToken": f"f/{following}",
        "nextBackwardToken": f"b/{first}",
    }


async def filter_log_events(rooms: LogsRooms, call: Call) -> Members:
    """FilterLogEvents."""
    params = call.params
    group = group_of(call)
    wanted = await _wanted_streams(rooms, group, params)
    is_forward, after = params.get("startFromHead", True), None
    if (token := params.get("nextToken")) is not None:
        is_forward, after = event_after(token)
    # AWS includes the end here, unlike in GetLogEvents.
    bounds = await _bounds(rooms, group, params, params.get("endTime", _END_OF_TIME_MS) + 1)
    page, has_more = await _search(
        rooms, group, wanted, bounds, params.get("filterPattern", ""), after, is_forward=is_forward
    )
    events = [
        {**event_view(event), "logStreamName": stream, "eventId": event_id(stream, event)}
        for stream, event in page
    ]
    following = token_after(*page[-1], is_forward=is_forward) if has_more else None
    return with_token({"events": events, "searchedLogStreams": []}, following)


async def get_log_group_fields(rooms: LogsRooms, call: Call) -> Members:
    """GetLogGroupFields: the fields of the latest events around a time, and in how many events
    each is."""
    group = group_of(call)
    names = await _stream_names(rooms, group)
    center = call.params.get("time")
    now_ms = int(rooms.logs.now() * 1000)
    start_ms, end_ms = now_ms - 15 * _MINUTE_MS, now_ms + _MINUTE_MS
    if center is not None:
        start_ms, end_ms = center * 1000 - 8 * _MINUTE_MS, center * 1000 + 8 * _MINUTE_MS
    bounds = Bounds(
        start_ms=max(start_ms, 0),
        end_ms=end_ms,
        events_max=_FIELDS_OF_EVENTS_MAX,
        bytes_max=_RESPONSE_BYTES_MAX,
    )
    page, _ = await _search(rooms, group, names, bounds, "", None, is_forward=False)
    counts = await computed(_count_fields, call.scope.account, group.name, page)
    return {
        "logGroupFields": [
            {"name": name, "percent": count * 100 // len(page)}
            for name, count in counts.most_common()
        ]
    }


def _count_fields(account: str, group: str, page: Sequence[tuple[str, LogEvent]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for stream, event in page:
        counts.update(list(Record(Source(account, group, stream), event).automatic_fields()))
    del counts["@ptr"]
    return counts


async def _search(
    rooms: LogsRooms,
    group: LogGroupKey,
    streams: list[str],
    bounds: Bounds,
    pattern: str,
    after: EventKey | None,
    *,
    is_forward: bool,
) -> tuple[list[tuple[str, LogEvent]], bool]:
    matches = compile_pattern(pattern)
    try:
        return await rooms.logs.group_page(
            *group.scope, group.name, streams, bounds, matches, after, is_forward=is_forward
        )
    except TimeoutError as error:
        raise ApiError(
            "ServiceUnavailableException", "The search took too long. Narrow it down.", status=503
        ) from error


async def _wanted_streams(
    rooms: LogsRooms, group: LogGroupKey, params: Mapping[str, Any]
) -> list[str]:
    """The streams that FilterLogEvents is to search."""
    names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
    if names and prefix:
        raise invalid("Specify either logStreamNames or logStreamNamePrefix, not both.")
    wanted = [
        name
        for name in await _stream_names(rooms, group)
        if name.startswith(prefix or "") and (not names or name in names)
    ]
    if names and not wanted:
        raise no_stream()
    return wanted


async def _streams(rooms: LogsRooms, group: LogGroupKey) -> list[LogStream]:
    streams = await rooms.logs.describe_streams(*group.scope, group.name)
    if streams is None:
        raise no_group()
    return streams


async def _stream_names(rooms: LogsRooms, group: LogGroupKey) -> list[str]:
    names = await rooms.logs.stream_names(*group.scope, group.name)
    if names is None:
        raise no_group()
    return names


async def _bounds(
    rooms: LogsRooms, group: LogGroupKey, params: Mapping[str, Any], end_ms: int
) -> Bounds:
    """Limits of a page. Events that the group keeps no longer are not shown, though their file may
    still be there."""
    return Bounds(
        start_ms=max(params.get("startTime", 0), await rooms.groups.oldest_ms(group)),
        end_ms=end_ms,
        events_max=min(params.get("limit", _EVENTS_MAX), _EVENTS_MAX),
        bytes_max=_RESPONSE_BYTES_MAX,
    )


OPERATIONS: Mapping[str, Operation[LogsRooms]] = {
    "CreateLogStream": create_log_stream,
    "DeleteLogStream": delete_log_stream,
    "DescribeLogStreams": describe_log_streams,
    "PutLogEvents": put_log_events,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
    "GetLogGroupFields": get_log_group_fields,
}
