"""Log streams and their events: create, write, read, filter."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.gateway.call import Call, Members, without_nodes
from lambent.gateway.definitions import Operation
from lambent.gateway.services.logs.errors import group_of, invalid, no_group, no_stream
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.tokens import (
    cursor_of,
    cursor_token,
    event_id,
    page_of,
    position_of,
    position_token,
    with_token,
)
from lambent.gateway.services.logs.views import event_view, stream_view
from lambent.kit.computing import computed
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey
from lambent.telemetry.all_logs import Cursor, Found, GroupPage, Wanted
from lambent.telemetry.caller_events import check_batch
from lambent.telemetry.insights.records import Record, Source
from lambent.telemetry.queries import Bounds

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
    found = await rooms.logs.describe_streams(*group.scope, group.name)
    if found is None:
        raise no_group()
    streams = [stream for stream in found.found if stream.name.startswith(prefix or "")]
    if by_time:
        streams.sort(key=lambda stream: (stream.last_event_ms or 0, stream.name))
    if params.get("descending"):
        streams.reverse()
    page, token = page_of(streams, params, 50, lambda stream: stream.name)
    views = [stream_view(stream, group.arn) for stream in page]
    return without_nodes(with_token({"logStreams": views}, token), found.missing)


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
    is_forward, positions, position = position_of(
        params.get("nextToken"), bool(params.get("startFromHead"))
    )
    bounds = await _bounds(rooms, group, params, params.get("endTime", _END_OF_TIME_MS))
    page = await rooms.logs.stream_page(
        *(*group.scope, group.name, stream, bounds, positions),
        is_forward=is_forward,
        position=position,
    )
    output = {
        "events": [event_view(event) for event in page.events],
        "nextForwardToken": position_token("f", page.forward),
        "nextBackwardToken": position_token("b", page.backward),
    }
    return without_nodes(output, page.missing)


async def filter_log_events(rooms: LogsRooms, call: Call) -> Members:
    """FilterLogEvents."""
    params = call.params
    group = group_of(call)
    await _check_streams(rooms, group, params)
    is_forward, cursor = params.get("startFromHead", True), Cursor()
    if (token := params.get("nextToken")) is not None:
        is_forward, cursor = cursor_of(token)
    wanted = Wanted(
        # AWS includes the end here, unlike in GetLogEvents.
        bounds=await _bounds(rooms, group, params, params.get("endTime", _END_OF_TIME_MS) + 1),
        pattern=params.get("filterPattern", ""),
        names=params.get("logStreamNames") or (),
        prefix=params.get("logStreamNamePrefix") or "",
        is_forward=is_forward,
    )
    page = await _search(rooms, group, wanted, cursor)
    events = [
        {**event_view(event), "logStreamName": stream, "eventId": event_id(key)}
        for key, stream, event in page.found
    ]
    following = None
    if page.following is not None:
        following = cursor_token(page.following, is_forward=is_forward)
    output = with_token({"events": events, "searchedLogStreams": []}, following)
    return without_nodes(output, page.missing)


async def get_log_group_fields(rooms: LogsRooms, call: Call) -> Members:
    """GetLogGroupFields: the fields of the latest events around a time, and in how many events
    each is."""
    group = group_of(call)
    await _stream_names(rooms, group)
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
    page = await _search(rooms, group, Wanted(bounds=bounds, is_forward=False), Cursor())
    counts = await computed(_count_fields, call.scope.account, group.name, page.found)
    output = {
        "logGroupFields": [
            {"name": name, "percent": count * 100 // len(page.found)}
            for name, count in counts.most_common()
        ]
    }
    return without_nodes(output, page.missing)


def _count_fields(account: str, group: str, page: Sequence[Found]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, stream, event in page:
        counts.update(list(Record(Source(account, group, stream), event).automatic_fields()))
    del counts["@ptr"]
    return counts


async def _search(
    rooms: LogsRooms, group: LogGroupKey, wanted: Wanted, cursor: Cursor
) -> GroupPage:
    try:
        return await rooms.logs.group_page(*group.scope, group.name, wanted, cursor)
    except TimeoutError as error:
        raise ApiError(
            "ServiceUnavailableException", "The search took too long. Narrow it down.", status=503
        ) from error


async def _check_streams(rooms: LogsRooms, group: LogGroupKey, params: Mapping[str, Any]) -> None:
    """Raises `ApiError` if FilterLogEvents cannot search the streams that it is to search."""
    names = params.get("logStreamNames")
    if names and params.get("logStreamNamePrefix"):
        raise invalid("Specify either logStreamNames or logStreamNamePrefix, not both.")
    present = await _stream_names(rooms, group)
    if names and not set(names) & set(present):
        raise no_stream()


async def _stream_names(rooms: LogsRooms, group: LogGroupKey) -> Sequence[str]:
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
