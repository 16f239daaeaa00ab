"""Access logs: a line in CloudWatch Logs for each request to a stage.

The stage's format is text with variables, `$context.requestId`. A variable without a value is `-`,
as in AWS. Values are written as in a JSON string, so that a format in JSON stays JSON whatever the
client sends. Appending is a list operation; the log store writes later.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.arn import Arn
from lambent.model.document import Root
from lambent.telemetry.logs import LogStore

Resolve = Callable[[str], object]
"""Returns the value of a variable, given without `$context.`; None if it has none."""

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_:/-]+)*)")
_GROUP = "log-group:"
_STREAMS_MAX = 256
_VALUE_MAX = 1024
"""Characters of a value that are written."""


class LogFormat:
    """A format, compiled."""

    def __init__(self, text: str) -> None:
        parts = _VARIABLE.split(text)
        self._texts: Sequence[str] = parts[::2]
        self._names: Sequence[str] = parts[1::2]

    def line(self, resolve: Resolve) -> str:
        """The line for a request."""
        found = [self._texts[0]]
        for name, text in zip(self._names, self._texts[1:], strict=True):
            found.append(_text(resolve(name)))
            found.append(text)
        return "".join(found)


def _text(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else str(value)
    return json.dumps(text[:_VALUE_MAX], ensure_ascii=False)[1:-1]


class LogStream(NamedTuple):
    """A stream of CloudWatch Logs."""

    root: Root
    """For the account and region."""
    group: str
    name: str


class AccessLogs:
    """The streams that APIs write into, opened when a line is written."""

    def __init__(self, logs: LogStore) -> None:
        self._logs = logs
        self._writers: dict[LogStream, Any] = {}

    def open(
        self, root: Root, stage: str, settings: Mapping[str, Any] | None
    ) -> "AccessLog | None":
        """The log of a stage, given its `AccessLogSettings`; None if it has none. Members are
        spelled as `apigatewayv2` or as `apigateway` does."""
        settings = settings or {}
        destination = settings.get("DestinationArn") or settings.get("destinationArn")
        text = settings.get("Format") or settings.get("format")
        arn = Arn.try_parse(destination or "")
        if arn is None or not text or not arn.resource.startswith(_GROUP):
            return None
        group = arn.resource.removeprefix(_GROUP).removesuffix(":*")
        scoped = root._replace(account=arn.account, region=arn.region)
        return AccessLog(self, LogStream(scoped, group, f"{root.id}/{stage}"), LogFormat(text))

    def write(self, stream: LogStream, line: str) -> None:
        """Append a line. It is dropped if the disk does not keep up."""
        writer = self._writers.get(stream)
        if writer is None:
            if len(self._writers) >= _STREAMS_MAX:
                self._writers.pop(next(iter(self._writers))).close()
            root = stream.root
            writer = self._logs.open_stream(root.account, root.region, stream.group, stream.name)
            self._writers[stream] = writer
        if not writer.is_full:
            writer.append(0, line.encode("utf-8", "replace"))


class AccessLog:
    """The access log of one stage."""

    __slots__ = ("_format", "_logs", "_stream")

    def __init__(self, logs: AccessLogs, stream: LogStream, format: LogFormat) -> None:
        self._logs = logs
        self._stream = stream
        self._format = format

    def write(self, resolve: Resolve) -> None:
        """Write the line for a request."""
        self._logs.write(self._stream, self._format.line(resolve))
