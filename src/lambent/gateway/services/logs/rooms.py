"""What the operations of CloudWatch Logs need."""

from typing import NamedTuple

from lambent.control.log_groups import LogGroups
from lambent.control.metric_filters import MetricFilters
from lambent.control.query_definitions import QueryDefinitions
from lambent.telemetry.all_logs import AllLogs
from lambent.telemetry.caller_events import CallerEvents
from lambent.telemetry.insights.all_queries import AllQueries
from lambent.telemetry.live_tail import LiveTails


class LogsRooms(NamedTuple):
    """Rooms of the operations."""

    logs: AllLogs
    groups: LogGroups
    metric_filters: MetricFilters
    definitions: QueryDefinitions
    callers: CallerEvents
    tails: LiveTails
    queries: AllQueries
