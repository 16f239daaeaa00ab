"""CloudWatch Logs in the API."""

from lambent.assembly.storage import Storage
from lambent.control.log_groups import LogGroups
from lambent.control.metric_filters import MetricFilters
from lambent.control.query_definitions import QueryDefinitions
from lambent.gateway.server import Gateway
from lambent.gateway.services.logs.insights import write_query_results
from lambent.gateway.services.logs.live_tail import live_tail_writer
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.service import LOGS
from lambent.kit.tasks import start_loop
from lambent.telemetry.caller_events import CallerEvents
from lambent.telemetry.insights.all_queries import AllQueries
from lambent.telemetry.insights.gathering import Gathering
from lambent.telemetry.insights.runner import LogQueries
from lambent.telemetry.live_tail import LiveTails
from lambent.telemetry.metric_filters import MetricRecorder


async def register_logs(storage: Storage, gateway: Gateway, groups: LogGroups) -> None:
    """Register the operations of CloudWatch Logs, and record metrics as metric filters say."""
    logs, clock = storage.logs, storage.clock
    logs.load_retentions = groups.all_retentions
    filters = MetricFilters(groups, clock)
    peers = storage.peers
    tails = LiveTails(logs, peers, clock)
    gathering = Gathering(logs, peers, storage.copies)
    await gathering.clean_up()
    queries = LogQueries(logs, gathering, storage.tasks, clock)
    rooms = LogsRooms(
        storage.all_logs,
        groups,
        filters,
        QueryDefinitions(storage.store, clock),
        CallerEvents(logs, clock),
        tails,
        AllQueries(queries, peers),
    )
    gateway.register(LOGS, LOGS.bind(rooms))
    gateway.register_writer(LOGS, "GetQueryResults", write_query_results)
    write = live_tail_writer(tails, clock, lambda: gateway.is_closing)
    gateway.register_writer(LOGS, "StartLiveTail", write)
    if storage.membership is not None:
        start_loop(storage.tasks, clock, tails.run)
    recorder = MetricRecorder(filters.all, logs, storage.metrics, clock)
    await storage.store.follow(recorder)
    start_loop(storage.tasks, clock, recorder.run)
