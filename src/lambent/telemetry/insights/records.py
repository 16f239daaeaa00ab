"""Events as queries see them: with the fields that CloudWatch Logs discovers.

A field is looked for when a query asks for it; most queries need few.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambent.telemetry.insights.values import Moment, Value
from lambent.telemetry.segments import PLACE_BITS, LogEvent

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_REQUEST = re.compile(rf"(?:RequestId: |\t)({_UUID})\b")
_TYPE = re.compile(r"(START|END|REPORT|INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT) ")
_BYTES_PER_MB = 1_000_000
_PARTS_MAX = 32
_DECODER = json.JSONDecoder()


class Source(NamedTuple):
    """The stream that an event is from."""

    account: str
    group: str
    stream: str
    place: int = 0
    """Of the node that has logged it; see `all_logs`."""


class _Reported(NamedTuple):
    """A field of a REPORT line: in text, and in the metrics of a JSON line."""

    text: re.Pattern[str]
    metric: str
    factor: int = 1


def _report(label: str, unit: str, metric: str, factor: int = 1) -> _Reported:
    return _Reported(re.compile(rf"\t{label}: ([\d.]{{1,20}}) {unit}"), metric, factor)


_REPORTED: Mapping[str, _Reported] = {
    "@duration": _report("Duration", "ms", "durationMs"),
    "@billedDuration": _report("Billed Duration", "ms", "billedDurationMs"),
    "@initDuration": _report("Init Duration", "ms", "initDurationMs"),
    "@memorySize": _report("Memory Size", "MB", "memorySizeMB", _BYTES_PER_MB),
    "@maxMemoryUsed": _report("Max Memory Used", "MB", "maxMemoryUsedMB", _BYTES_PER_MB),
}
_TRACING = {
    "@xrayTraceId": re.compile(r"XRAY TraceId: (\S{1,100})"),
    "@xraySegmentId": re.compile(r"\tSegmentId: (\S{1,100})"),
}


class Record:
    """An event, or a row of statistics, with the fields that the query has added."""

    __slots__ = ("_document", "_message", "event", "fields", "source")

    def __init__(self, source: Source | None = None, event: LogEvent | None = None) -> None:
        self.source = source
        self.event = event
        self.fields: dict[str, Value] = {}
        """What the query has computed."""
        self._message: str | None = None
        self._document: Any = _unread

    def get(self, name: str) -> Value:
        """The value of a field; None if there is none."""
        if name in self.fields:
            return self.fields[name]
        if self.event is None:
            return self._of_computed(name)
        if name.startswith("@") and (found := _AUTOMATIC.get(name)) is not None:
            return found(self)
        value = follow(self.document, name)
        return self._of_computed(name) if value is None else value

    def _of_computed(self, name: str) -> Value:
        """A member of an object that the query has computed."""
        head, dot, rest = name.partition(".")
        return follow(self.fields.get(head), rest) if dot else None

    @property
    def message(self) -> str:
        """The event's text, without the newline at its end."""
        if self._message is None:
            assert self.event is not None
            self._message = self.event.message.decode("utf-8", "replace").removesuffix("\n")
        return self._message

    @property
    def document(self) -> Any:
        """The first JSON object in the text; None if there is none."""
        if self._document is _unread:
            self._document = _first_object(self.message)
        return self._document

    def automatic_fields(self) -> dict[str, Value]:
        """All fields that are discovered in the event, by name."""
        found = {name: self.get(name) for name in _AUTOMATIC}
        found.update(_flat(self.document, ""))
        return {name: value for name, value in found.items() if value is not None}


class _Unread:
    """A document that has not been looked for."""


_unread = _Unread()


def follow(value: Any, path: str) -> Value:
    """The member of a document at a path such as `a.b.0`; None if there is none."""
    if isinstance(value, dict) and path in value:
        return value[path]
    parts = path.split(".")
    if len(parts) > _PARTS_MAX:
        return None
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def pointer_of(source: Source, event: LogEvent) -> str:
    """`@ptr`: leads GetLogRecord to the event."""
    position = (source.place << PLACE_BITS) + event.position
    text = json.dumps([source.group, source.stream, position])
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode()


def parse_pointer(pointer: str) -> tuple[str, str, int]:
    """Group, stream and position of an event. Raises `ValueError`."""
    try:
        found = json.loads(base64.urlsafe_b64decode(pointer.encode()))
    except RecursionError as error:
        raise ValueError("not a pointer") from error
    if not isinstance(found, list) or len(found) != 3:
        raise ValueError("not a pointer")
    group, stream, position = found
    if not (isinstance(group, str) and isinstance(stream, str) and isinstance(position, int)):
        raise ValueError("not a pointer")
    return group, stream, position


def _first_object(text: str) -> Any:
    start = text.find("{")
    if start < 0:
        return None
    try:
        document, _ = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return document


def _flat(value: Any, prefix: str, depth: int = 0) -> dict[str, Value]:
    if depth > _PARTS_MAX:
        return {}
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = {str(at): each for at, each in enumerate(value)}.items()
    else:
        return {prefix.removesuffix("."): value} if prefix else {}
    found: dict[str, Value] = {}
    for name, member in members:
        found |= _flat(member, f"{prefix}{name}.", depth + 1)
        if len(found) > 1000:  # as many as CloudWatch Logs discovers in an event
            break
    return found


def _reported(field: _Reported) -> Callable[[Record], Value]:
    def find(record: Record) -> Value:
        if record.message.startswith("REPORT "):
            match = field.text.search(record.message)
            return float(match[1]) * field.factor if match is not None else None
        value = _platform_record(record).get("metrics")
        found = value.get(field.metric) if isinstance(value, dict) else None
        return found * field.factor if isinstance(found, int | float) else None

    return find


def _traced(pattern: re.Pattern[str]) -> Callable[[Record], Value]:
    def find(record: Record) -> Value:
        match = pattern.search(record.message) if "XRAY TraceId" in record.message else None
        return match[1] if match is not None else None

    return find


def _platform_record(record: Record) -> Mapping[str, Any]:
    """The record of the platform's line in a log in JSON; empty in other lines."""
    if not record.message.startswith('{"time":'):
        return {}
    found = follow(record.document, "record")
    return found if isinstance(found, dict) else {}


def _request_id(record: Record) -> Value:
    match = _REQUEST.search(record.message)
    if match is not None:
        return match[1]
    if not record.message.startswith("{"):
        return None
    found = _platform_record(record).get("requestId") or follow(record.document, "requestId")
    return found if isinstance(found, str) else None


def _type(record: Record) -> Value:
    match = _TYPE.match(record.message)
    if match is not None:
        return match[1]
    if not _platform_record(record):
        return None
    kind = str(follow(record.document, "type") or "").removeprefix("platform.")
    return {"start": "START", "report": "REPORT", "initStart": "INIT_START"}.get(kind)


def _of_event(read: Callable[[Source, LogEvent], Value]) -> Callable[[Record], Value]:
    def find(record: Record) -> Value:
        assert record.source is not None
        assert record.event is not None
        return read(record.source, record.event)

    return find


_AUTOMATIC: Mapping[str, Callable[[Record], Value]] = {
    "@timestamp": _of_event(lambda _, event: Moment(event.timestamp_ms)),
    "@ingestionTime": _of_event(lambda _, event: Moment(event.ingestion_ms)),
    "@message": lambda record: record.message,
    "@logStream": _of_event(lambda source, _: source.stream),
    "@log": _of_event(lambda source, _: f"{source.account}:{source.group}"),
    "@ptr": _of_event(pointer_of),
    "@requestId": _request_id,
    "@type": _type,
    **{name: _reported(field) for name, field in _REPORTED.items()},
    **{name: _traced(pattern) for name, pattern in _TRACING.items()},
}
