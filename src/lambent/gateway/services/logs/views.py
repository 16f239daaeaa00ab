"""How groups, streams and events look in responses."""

from typing import Any

from lambent.model.arn import Scope
from lambent.model.resources import LogGroupKey
from lambent.telemetry.logs import LogGroup, LogStream
from lambent.telemetry.segments import LogEvent


def group_view(group: LogGroup, scope: Scope, days: int | None) -> dict[str, Any]:
    """`LogGroup` of the API; `days` is for how long it is kept."""
    arn = LogGroupKey(scope, group.name).arn
    return {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": "STANDARD",
        **({} if days is None else {"retentionInDays": days}),
    }


def stream_view(stream: LogStream, group_arn: str) -> dict[str, Any]:
    """`LogStream` of the API."""
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


def event_view(event: LogEvent) -> dict[str, Any]:
    """`OutputLogEvent` of the API."""
    return {
        "timestamp": event.timestamp_ms,
        "message": event.message.decode("utf-8", "replace"),
        "ingestionTime": event.ingestion_ms,
    }
