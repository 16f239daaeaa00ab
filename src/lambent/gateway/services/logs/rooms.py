"""What the operations of CloudWatch Logs need."""

from typing import NamedTuple

from lambent.control.log_groups import LogGroups
from lambent.telemetry.insights.runner import LogQueries
from lambent.telemetry.live_tail import LiveTails
from lambent.telemetry.logs import LogStore


class LogsRooms(NamedTuple):
    """Rooms of the operations."""

    logs: LogStore
    groups: LogGroups
    tails: LiveTails
    queries: LogQueries
