"""CloudWatch Logs in the API."""

from lambent.assembly.storage import Storage
from lambent.control.log_groups import LogGroups
from lambent.gateway.server import Gateway
from lambent.gateway.services.logs.insights import write_query_results
from lambent.gateway.services.logs.live_tail import live_tail_writer
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.service import LOGS
from lambent.telemetry.insights.runner import LogQueries
from lambent.telemetry.live_tail import LiveTails


def register_logs(storage: Storage, gateway: Gateway, groups: LogGroups) -> None:
    """Register the operations of CloudWatch Logs."""
    storage.logs.load_retentions = groups.all_retentions
    tails = LiveTails(storage.logs, storage.clock)
    queries = LogQueries(storage.logs, storage.tasks, storage.clock)
    gateway.register(LOGS, LOGS.bind(LogsRooms(storage.logs, groups, tails, queries)))
    gateway.register_writer(LOGS, "GetQueryResults", write_query_results)
    write = live_tail_writer(tails, storage.clock, lambda: gateway.is_closing)
    gateway.register_writer(LOGS, "StartLiveTail", write)
