"""The operations of CloudWatch Logs that are offered."""

from collections.abc import Mapping

from lambent.gateway.definitions import Operation
from lambent.gateway.services.logs import events, filters, groups, insights, query_definitions
from lambent.gateway.services.logs.live_tail import start_live_tail
from lambent.gateway.services.logs.rooms import LogsRooms

OPERATIONS: Mapping[str, Operation[LogsRooms]] = {
    **groups.OPERATIONS,
    **events.OPERATIONS,
    **filters.OPERATIONS,
    **insights.OPERATIONS,
    **query_definitions.OPERATIONS,
    "StartLiveTail": start_live_tail,
}
