"""CloudWatch Logs, the reading half: what `aws logs tail` and the console need."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from lambent.gateway.call import Call, OperationHandler
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey, parse_log_group
from lambent.telemetry.logs import LogStore, LogStream
from lambent.telemetry.patterns import compile_pattern
from lambent.telemetry.queries import Bounds, EventKey, event_key
from lambent.telemetry.segments import LogEvent

_EVENTS_MAX = 10_000
_ANSWER_BYTES_MAX = 1024 * 1024
_END_OF_TIME_MS = 1 << 62
_END_OF_STREAM = 1 << 62
_BAD_TOKEN = "The specified nextToken is invalid."


def operations(logs: LogStore) -> Mapping[str, OperationHandler]:
    """The operations of this module, by name."""

    async def describe_log_groups(call: Call) -> Mapping[str, Any]:
        params = call.params
        prefix, part = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix and part:
            raise _invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive.")
        groups = [
            group
            for group in await logs.describe_groups(*call.scope)
            if group.name.startswith(prefix or "") and (part or "") in group.name
        ]
        page, token = _page(groups, params, 50, lambda group: group.name)
        return _with_token(
            {
                "logGroups": [
                    {
                        "logGroupName": group.name,
                        "creationTime": group.created_ms,
                        "metricFilterCount": 0,
                        "arn": f"{LogGroupKey(call.scope, group.name).arn}:*",
                        "logGroupArn": LogGroupKey(call.scope, group.name).arn,
                        "storedBytes": group.stored_bytes,
                        "logGroupClass": "STANDARD",
                    }
                    for group in page
                ]
            },
            token,
        )

    async def describe_log_streams(call: Call) -> Mapping[str, Any]:
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
        page, token = _page(streams, params, 50, lambda stream: stream.name)
        arn = LogGroupKey(call.scope, group).arn
        return _with_token({"logStreams": [_stream_view(stream, arn) for stream in page]}, token)

    async def get_log_events(call: Call) -> Mapping[str, Any]:
        params = call.params
        group, stream = _group(call).name, params["logStreamName"]
        if stream not in await _stream_names(logs, call, group):
            raise _not_found("The specified log stream does not exist.")
        is_forward, position = _place(params.get("nextToken"), bool(params.get("startFromHead")))
        bounds = _bounds(params, params.get("endTime", _END_OF_TIME_MS))
        page = await logs.stream_page(
            *call.scope, group, stream, bounds, position, is_forward=is_forward
        )
        # At either end the token is the one that was passed: that is how callers know.
        stays = position if position < _END_OF_STREAM else 0
        first = page[0].position if page else stays
        following = page[-1].position + 1 if page else stays
        return {
            "events": [
                {
                    "timestamp": event.timestamp_ms,
                    "message": _text(event),
                    "ingestionTime": event.ingestion_ms,
                }
                for event in page
            ],
            "nextForwardToken": f"f/{following}",
            "nextBackwardToken": f"b/{first}",
        }

    async def filter_log_events(call: Call) -> Mapping[str, Any]:
        params = call.params
        group = _group(call).name
        names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
        if names and prefix:
            raise _invalid("Specify either logStreamNames or logStreamNamePrefix, not both.")
        known = await _stream_names(logs, call, group)
        wanted = [
            name for name in known if name.startswith(prefix or "") and (not names or name in names)
        ]
        if names and not wanted:
            raise _not_found("The specified log stream does not exist.")
        # AWS includes the end here, unlike in GetLogEvents.
        bounds = _bounds(params, params.get("endTime", _END_OF_TIME_MS) + 1)
        matches = compile_pattern(params.get("filterPattern", ""))
        token = params.get("nextToken")
        after = _decode_event_id(_decode_token(token)) if token is not None else None
        try:
            page, has_more = await logs.group_page(
                *call.scope, group, wanted, bounds, matches, after
            )
        except TimeoutError as error:
            raise ApiError(
                "ServiceUnavailableException",
                "The search took too long. Narrow it down.",
                status=503,
            ) from error
        following = _encode_token(_event_id(*page[-1])) if has_more else None
        return _with_token(
            {
                "events": [
                    {
                        "logStreamName": stream,
                        "timestamp": event.timestamp_ms,
                        "message": _text(event),
                        "ingestionTime": event.ingestion_ms,
                        "eventId": _event_id(stream, event),
                    }
                    for stream, event in page
                ],
                "searchedLogStreams": [],
            },
            following,
        )

    return {
        "DescribeLogGroups": describe_log_groups,
        "DescribeLogStreams": describe_log_streams,
        "GetLogEvents": get_log_events,
        "FilterLogEvents": filter_log_events,
    }


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
        bytes_max=_ANSWER_BYTES_MAX,
    )


def _group(call: Call) -> LogGroupKey:
    params = call.params
    return parse_log_group(params.get("logGroupName"), params.get("logGroupIdentifier"), call.scope)


def _stream_view(stream: LogStream, group_arn: str) -> dict[str, Any]:
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "firstEventTimestamp": stream.first_event_ms,
        "lastEventTimestamp": stream.last_event_ms,
        "lastIngestionTime": stream.last_ingestion_ms,
        "uploadSequenceToken": "0",
        "arn": f"{group_arn}:log-stream:{stream.name}",
        "storedBytes": stream.stored_bytes,
    }


def _text(event: LogEvent) -> str:
    return event.message.decode("utf-8", "replace")


def _event_id(stream: str, event: LogEvent) -> str:
    """Ordered like the events themselves: 56 digits of time, stream and position."""
    timestamp_ms, number, position = event_key(stream, event)
    return f"{timestamp_ms:016d}{number:010d}{position:030d}"


def _decode_event_id(text: str) -> EventKey:
    if re.fullmatch(r"\d{56}", text, re.ASCII) is None:
        raise _invalid(_BAD_TOKEN)
    return int(text[:16]), int(text[16:26]), int(text[26:])


def _page(items: list[Any], params: Mapping[str, Any], limit_max: int, key: Any) -> Any:
    """A page of a list and the token of the next: the key of the page's last item.

    Items that have come between two pages shift nothing.
    """
    limit = min(params.get("limit", limit_max), limit_max)
    token = params.get("nextToken")
    begin = 0
    if token is not None:
        last = _decode_token(token)
        keys = [key(item) for item in items]
        if last not in keys:
            raise _invalid(_BAD_TOKEN)
        begin = keys.index(last) + 1
    page = items[begin : begin + limit]
    has_more = begin + limit < len(items)
    return page, _encode_token(key(page[-1])) if has_more and page else None


def _encode_token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode()


def _decode_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError) as error:
        raise _invalid(_BAD_TOKEN) from error


def _with_token(answer: dict[str, Any], token: str | None) -> dict[str, Any]:
    if token is not None:
        answer["nextToken"] = token
    return answer


def _place(token: str | None, from_head: bool) -> tuple[bool, int]:
    """Which way a page of a stream goes, and the position it starts at or ends before."""
    if token is None:
        return (True, 0) if from_head else (False, _END_OF_STREAM)
    match = re.fullmatch(r"([fb])/(\d{1,18})", token, re.ASCII)
    if match is None:
        raise _invalid(_BAD_TOKEN)
    return match[1] == "f", int(match[2])


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _not_found(message: str) -> ApiError:
    return ApiError("ResourceNotFoundException", message)
