"""Pages for operators and their programs: queues, event source mappings, metrics,
runtimes, environments, nodes and schedules.

Callers are authenticated and authorized as for the API, under the platform's own actions:
`lambent:GetQueue` and `lambent:PurgeQueue` on functions, `lambent:ListMappings`,
`lambent:GetMetrics`, `lambent:ListRuntimes`, `lambent:ListEnvironments`, `lambent:ListSchedules`,
`lambent:DebugFunction` on functions, and those of `nodes_page.py`.
"""

import dataclasses
import re
from collections.abc import Mapping
from functools import partial

import anyio.abc

from lambent.asynchronous.operations import QueueOperations
from lambent.gateway.debug_page import PATH as DEBUG
from lambent.gateway.debug_page import DebugPage
from lambent.gateway.environments_page import PATH as ENVIRONMENTS
from lambent.gateway.environments_page import EnvironmentsPage
from lambent.gateway.metrics_page import PATH as METRICS
from lambent.gateway.metrics_page import MetricsPage
from lambent.gateway.nodes_page import BELOW as NODE
from lambent.gateway.nodes_page import PATH as NODES
from lambent.gateway.nodes_page import NodesPage
from lambent.gateway.pages import check_method, fail, refuse, respond
from lambent.gateway.schedules_page import PATH as SCHEDULES
from lambent.gateway.schedules_page import SchedulesPage
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError, not_found
from lambent.model.function import FunctionKey
from lambent.polling.operations import MappingOperations

QUEUES = "/_lambent/queues"
QUEUE = "/_lambent/queues/"
MAPPINGS = "/_lambent/mappings"
RUNTIMES = "/_lambent/runtimes"
PATHS = (QUEUES, QUEUE, MAPPINGS, METRICS, RUNTIMES, ENVIRONMENTS, NODES, NODE, SCHEDULES, DEBUG)
"""Where the gateway must route to `AdminApi.handle`."""
_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


class AdminApi:
    """Serves these pages."""

    def __init__(
        self,
        authorizer: Authorizer,
        queues: QueueOperations,
        mappings: MappingOperations,
        metrics: MetricsPage,
        runtimes: Mapping[str, str | None],
        debug: DebugPage,
        environments: EnvironmentsPage,
        nodes: NodesPage,
        schedules: SchedulesPage,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        """`runtimes` says for each identifier what to install before it runs here, None if it
        does."""
        self._authorizer = authorizer
        self._queues = queues
        self._mappings = mappings
        self._metrics = metrics
        self._runtimes = runtimes
        self._debug = debug
        self._environments = environments
        self._nodes = nodes
        self._schedules = schedules
        self._tasks = tasks

    def handle(self, exchange: Exchange) -> None:
        """Serve one request for any of the pages."""
        try:
            caller = self._authorizer.authenticate(exchange)
        except ApiError as error:
            refuse(exchange, error)
        else:
            start_task(self._tasks, partial(fail, exchange), self._serve, exchange, caller)

    async def _serve(self, exchange: Exchange, caller: Caller) -> None:
        try:
            if exchange.path == METRICS:
                await self._metrics.show(exchange, caller)
            elif exchange.path == MAPPINGS:
                await self._show_mappings(exchange, caller)
            elif exchange.path == RUNTIMES:
                await self._show_runtimes(exchange, caller)
            elif exchange.path == ENVIRONMENTS:
                await self._environments.show(exchange, caller)
            elif exchange.path == NODES or exchange.path.startswith(NODE):
                await self._nodes.serve(exchange, caller)
            elif exchange.path == SCHEDULES:
                await self._schedules.show(exchange, caller)
            elif exchange.path.startswith(DEBUG):
                check_method(exchange, "POST")
                respond(exchange, await self._debug.call(exchange, caller))
            else:
                await self._show_queues(exchange, caller)
        except ApiError as error:
            refuse(exchange, error)

    async def _show_mappings(self, exchange: Exchange, caller: Caller) -> None:
        check_method(exchange, "GET")
        account = caller.scope.account
        await self._authorizer.check(caller, Access("lambent:ListMappings", "*", account))
        shown, missing = await self._mappings.list(caller.scope)
        respond(exchange, {"mappings": [dataclasses.asdict(each) for each in shown]}, missing)

    async def _show_runtimes(self, exchange: Exchange, caller: Caller) -> None:
        check_method(exchange, "GET")
        account = caller.scope.account
        await self._authorizer.check(caller, Access("lambent:ListRuntimes", "*", account))
        respond(exchange, {"runtimes": self._runtimes})

    async def _show_queues(self, exchange: Exchange, caller: Caller) -> None:
        scope = caller.scope
        name = exchange.path.removeprefix(QUEUES).removeprefix("/") or None
        if name is not None and _NAME.fullmatch(name) is None:
            raise not_found(f"There is no function {name[:100]!r}.")
        key = FunctionKey(scope.account, scope.region, name or "*")
        if exchange.method == "DELETE" and name is not None:
            access = Access("lambent:PurgeQueue", key.arn, scope.account)
            await self._authorizer.check(caller, access)
            respond(exchange, {"function": name, "purged": await self._queues.purge(key)})
            return
        check_method(exchange, "GET")
        await self._authorizer.check(caller, Access("lambent:GetQueue", key.arn, scope.account))
        depths = await self._queues.depths(scope, name)
        respond(exchange, {"queues": [dataclasses.asdict(depth) for depth in depths]})
