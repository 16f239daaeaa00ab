"""Log groups as targets of rules: an event is a line in the log stream of the rule.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

import datetime

import anyio

from lambent.kit.strict_json import parse_plain
from lambent.model.arn import Arn
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery, Next
from lambent.telemetry.all_logs import AllLogs
from lambent.telemetry.logs import LogStore

_GROUP = "log-group:"
_WRITE_S = 10.0


class LogGroupTargets:
    """Writes events into log groups."""

    def __init__(self, logs: LogStore, all_logs: AllLogs) -> None:
        """Events are written into `logs`; groups may be on other nodes."""
        self._logs = logs
        self._all_logs = all_logs

    async def take(self, delivery: EventDelivery, _now: float) -> Next:
        """Write an event; returns when it is written. Raises `ApiError`, also if the group does not
        exist or the disk does not keep up."""
        arn = Arn.parse(delivery.target)
        group = arn.resource.removeprefix(_GROUP).removesuffix(":*")
        if not await self._all_logs.has_group(arn.account, arn.region, group):
            raise ApiError(
                "ResourceNotFoundException", "The specified log group does not exist.", status=404
            )
        at_ms, line = _line_of(delivery.body)
        stream = delivery.source_arn.rpartition("/")[2]
        writer = self._logs.open_stream(arn.account, arn.region, group, stream)
        written = anyio.Event()
        writer.append(at_ms, line)
        writer.when_written(written.set)
        writer.close()
        with anyio.move_on_after(_WRITE_S):
            await written.wait()
            return Next()
        raise ApiError("ServiceUnavailable", "The log store does not respond.", status=503)


def _line_of(body: bytes) -> tuple[int, bytes]:
    """The time of a line in milliseconds, 0 for now, and the line. A template of a target can give
    both: `{"timestamp": <time>, "message": <text>}`."""
    try:
        document = parse_plain(body.decode())
    except ValueError:
        return 0, body
    if not isinstance(document, dict) or set(document) != {"timestamp", "message"}:
        return 0, body
    message = document["message"]
    if not isinstance(message, str):
        return 0, body
    return _milliseconds(document["timestamp"]), message.encode(errors="replace")


def _milliseconds(given: object) -> int:
    if isinstance(given, int) and 0 <= given < 1 << 53:
        return given
    try:
        return int(datetime.datetime.fromisoformat(str(given)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
