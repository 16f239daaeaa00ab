"""How groups, streams and events look in responses."""

from collections.abc import Mapping
from typing import Any

from lambent.control.log_groups import PROTECTION, RETENTION
from lambent.control.metric_filters import METRIC_FILTERS
from lambent.model.arn import Scope
from lambent.model.resources import LogGroupKey
from lambent.telemetry.logs import LogGroup, LogStream
from lambent.telemetry.segments import LogEvent


def group_view(group: LogGroup, scope: Scope, settings: Mapping[str, Any]) -> dict[str, Any]:
    """`LogGroup` of the API; `settings` is what is configured of it."""
    days = settings.get(RETENTION)
    arn = LogGroupKey(scope, group.name).arn
    return {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": len(settings.get(METRIC_FILTERS, ())),
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": settings.get(PROTECTION, False),
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
