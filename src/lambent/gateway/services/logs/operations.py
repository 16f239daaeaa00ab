"""CloudWatch Logs: reading, what `aws logs tail` and the console need; and groups."""

from collections.abc import Mapping
from typing import Any

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.services.logs.insights import (
    describe_queries,
    get_log_record,
    get_query_results,
    start_query,
    stop_query,
)
from lambent.gateway.services.logs.live_tail import start_live_tail
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
from lambent.gateway.services.logs.views import event_view, group_view, stream_view
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey, log_group_of
from lambent.telemetry.logs import LogStore, LogStream
from lambent.telemetry.patterns import compile_pattern
from lambent.telemetry.queries import Bounds

_EVENTS_MAX = 10_000
_RESPONSE_BYTES_MAX = 1024 * 1024
_END_OF_TIME_MS = 1 << 62


async def describe_log_groups(rooms: LogsRooms, call: Call) -> Members:
    """DescribeLogGroups."""
    logs = rooms.logs
    params = call.params
    prefix, part = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
    if prefix and part:
        raise _invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive.")
    groups = [
        group
        for group in await logs.describe_groups(*call.scope)
        if group.name.startswith(prefix or "") and (part or "") in group.name
    ]
    page, token = page_of(groups, params, 50, lambda group: group.name)
    retentions = await rooms.groups.retentions(call.scope)
    views = [group_view(group, call.scope, retentions.get(group.name)) for group in page]
    return with_token({"logGroups": views}, token)


async def describe_log_streams(rooms: LogsRooms, call: Call) -> Members:
    """DescribeLogStreams."""
    logs = rooms.logs
    params = call.params
    group = _group(call).name
    prefix = params.get("logStreamNamePrefix")
    by_time = params.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    streams = [
        stream
        for stream in await _streams(logs, call, group)
        if stream.name.startswith(prefix or "")
    ]
    if by_time:
        streams.sort(key=lambda stream: (stream.last_event_ms or 0, stream.name))
    if params.get("descending"):
        streams.reverse()
    page, token = page_of(streams, params, 50, lambda stream: stream.name)
    arn = LogGroupKey(call.scope, group).arn
    return with_token({"logStreams": [stream_view(stream, arn) for stream in page]}, token)


async def get_log_events(rooms: LogsRooms, call: Call) -> Members:
    """GetLogEvents."""
    logs = rooms.logs
    params = call.params
    group, stream = _group(call).name, params["logStreamName"]
    if stream not in await _stream_names(logs, call, group):
        raise _not_found("The specified log stream does not exist.")
    is_forward, position = position_of(params.get("nextToken"), bool(params.get("startFromHead")))
    bounds = _bounds(params, params.get("endTime", _END_OF_TIME_MS))
    page = await logs.stream_page(
        *call.scope, group, stream, bounds, position, is_forward=is_forward
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
    logs = rooms.logs
    params = call.params
    group = _group(call).name
    wanted = await _wanted_streams(logs, call, group)
    # AWS includes the end here, unlike in GetLogEvents.
    bounds = _bounds(params, params.get("endTime", _END_OF_TIME_MS) + 1)
    matches = compile_pattern(params.get("filterPattern", ""))
    after = event_after(params.get("nextToken"))
    try:
        page, has_more = await logs.group_page(*call.scope, group, wanted, bounds, matches, after)
    except TimeoutError as error:
        raise ApiError(
            "ServiceUnavailableException", "The search took too long. Narrow it down.", status=503
        ) from error
    events = [
        {**event_view(event), "logStreamName": stream, "eventId": event_id(stream, event)}
        for stream, event in page
    ]
    following = token_after(*page[-1]) if has_more else None
    return with_token({"events": events, "searchedLogStreams": []}, following)


async def create_log_group(rooms: LogsRooms, call: Call) -> Members:
    """CreateLogGroup. Members that have no effect here are refused."""
    params = call.params
    if params.get("logGroupClass", "STANDARD") != "STANDARD":
        raise _invalid("Lambent offers log groups of the class STANDARD.")
    for member in ("kmsKeyId", "deletionProtectionEnabled"):
        if params.get(member):
            raise _invalid(f"Lambent does not offer {member} of log groups: leave it out.")
    await rooms.groups.create(_group(call), params.get("tags") or {})
    return {}


async def delete_log_group(rooms: LogsRooms, call: Call) -> Members:
    """DeleteLogGroup."""
    await rooms.groups.delete(_group(call))
    return {}


async def keep_log_group(rooms: LogsRooms, call: Call) -> Members:
    """PutRetentionPolicy, DeleteRetentionPolicy."""
    await rooms.groups.keep_for(_group(call), call.params.get("retentionInDays"))
    return {}


async def tag(rooms: LogsRooms, call: Call) -> Members:
    """TagResource, UntagResource, TagLogGroup, UntagLogGroup, whose `tags` may be keys."""
    tags = call.params.get("tags") or {}
    removed = [*(call.params.get("tagKeys") or ()), *(tags if isinstance(tags, list) else ())]
    await rooms.groups.tag(_group(call), {} if isinstance(tags, list) else tags, removed)
    return {}


async def list_tags(rooms: LogsRooms, call: Call) -> Members:
    """ListTagsForResource, ListTagsLogGroup."""
    return {"tags": await rooms.groups.tags(_group(call))}


async def put_filter(rooms: LogsRooms, call: Call) -> Members:
    """PutSubscriptionFilter."""
    await rooms.groups.subscribe(_group(call), call.params)
    return {}


async def delete_filter(rooms: LogsRooms, call: Call) -> Members:
    """DeleteSubscriptionFilter."""
    await rooms.groups.unsubscribe(_group(call), call.params["filterName"])
    return {}


async def describe_filters(rooms: LogsRooms, call: Call) -> Members:
    """DescribeSubscriptionFilters: a group has so few that they are on one page."""
    prefix, group = call.params.get("filterNamePrefix", ""), _group(call)
    filters = await rooms.groups.filters(group)
    return {
        "subscriptionFilters": [
            {"filterName": name, "logGroupName": group.name, **entry}
            for name, entry in sorted(filters.items())
            if name.startswith(prefix)
        ]
    }


OPERATIONS: Mapping[str, Operation[LogsRooms]] = {
    "DescribeLogGroups": describe_log_groups,
    "DescribeLogStreams": describe_log_streams,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
    "StartLiveTail": start_live_tail,
    "StartQuery": start_query,
    "GetQueryResults": get_query_results,
    "StopQuery": stop_query,
    "DescribeQueries": describe_queries,
    "GetLogRecord": get_log_record,
    "CreateLogGroup": create_log_group,
    "DeleteLogGroup": delete_log_group,
    "PutRetentionPolicy": keep_log_group,
    "DeleteRetentionPolicy": keep_log_group,
    "PutSubscriptionFilter": put_filter,
    "DeleteSubscriptionFilter": delete_filter,
    "DescribeSubscriptionFilters": describe_filters,
    "TagResource": tag,
    "UntagResource": tag,
    "ListTagsForResource": list_tags,
    "TagLogGroup": tag,
    "UntagLogGroup": tag,
    "ListTagsLogGroup": list_tags,
}


async def _wanted_streams(logs: LogStore, call: Call, group: str) -> list[str]:
    """The streams that FilterLogEvents is to search."""
    names, prefix = call.params.get("logStreamNames"), call.params.get("logStreamNamePrefix")
    if names and prefix:
        raise _invalid("Specify either logStreamNames or logStreamNamePrefix, not both.")
    wanted = [
        name
        for name in await _stream_names(logs, call, group)
        if name.startswith(prefix or "") and (not names or name in names)
    ]
    if names and not wanted:
        raise _not_found("The specified log stream does not exist.")
    return wanted


async def _streams(logs: LogStore, call: Call, group: str) -> list[LogStream]:
    streams = await logs.describe_streams(*call.scope, group)
    if streams is None:
        raise _not_found("The specified log group does not exist.")
    return streams


async def _stream_names(logs: LogStore, call: Call, group: str) -> list[str]:
    names = await logs.stream_names(*call.scope, group)
    if names is None:
        raise _not_found("The specified log group does not exist.")
    return names


def _bounds(params: Mapping[str, Any], end_ms: int) -> Bounds:
    return Bounds(
        start_ms=params.get("startTime", 0),
        end_ms=end_ms,
        events_max=min(params.get("limit", _EVENTS_MAX), _EVENTS_MAX),
        bytes_max=_RESPONSE_BYTES_MAX,
    )


def _group(call: Call) -> LogGroupKey:
    return log_group_of(call.params, call.scope)


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _not_found(message: str) -> ApiError:
    return ApiError("ResourceNotFoundException", message)
