"""The ways in for requests that the control plane does not serve: Invoke, function URLs, pages of
`lambent`, other AWS services, and the operator's socket."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from lambent.assembly.api import Api
from lambent.assembly.cell_metrics import CellMetrics
from lambent.assembly.events import Events
from lambent.assembly.execution import Execution
from lambent.assembly.garbage import Garbage
from lambent.assembly.health import start_telemetry
from lambent.assembly.privileged import Privileged
from lambent.assembly.status import observe_status, without_names
from lambent.assembly.storage import Storage
from lambent.asynchronous.operations import QueueOperations
from lambent.control.log_groups import LogGroups
from lambent.control.room import Control
from lambent.control.schedules.upcoming import UpcomingTimes
from lambent.gateway.admin_api import PATHS, AdminApi
from lambent.gateway.debug_page import PATH as DEBUG
from lambent.gateway.debug_page import DebugPage
from lambent.gateway.environments_page import EnvironmentsPage
from lambent.gateway.fronts import SMALL_BODY_BYTES_MAX, Front
from lambent.gateway.metrics_page import MetricsPage
from lambent.gateway.models import runtime_identifiers
from lambent.gateway.nodes_page import NodesPage
from lambent.gateway.schedules_page import SchedulesPage
from lambent.gateway.services.lambda_.invoke import (
    INVOKE,
    INVOKE_ASYNC,
    INVOKE_WITH_RESPONSE_STREAM,
    InvokeOperation,
)
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.gateway.status_page import PATH as STATUS
from lambent.gateway.status_page import StatusPage
from lambent.identity.service_roles import ServiceRoles
from lambent.instance.operator_socket import Operations, open_operator_socket
from lambent.invocation.debugging import DebugCalls
from lambent.kit.tasks import start_loop
from lambent.model.function_url import PATH_PREFIX as URL_PATH_PREFIX
from lambent.model.limits import SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.polling.operations import MappingOperations
from lambent.services.forwarder import open_forwarder
from lambent.services.local_services import environment_of
from lambent.settings import Settings
from lambent.triggers.deliveries import LocalServiceCalls, open_deliveries
from lambent.triggers.function_urls import HOSTS as URL_HOSTS
from lambent.triggers.function_urls import FunctionUrls
from lambent.triggers.log_subscriptions import LogSubscriptions


def register_invocations(storage: Storage, api: Api, execution: Execution, events: Events) -> None:
    """Register the operations that call functions."""
    for name, mode in (
        ("Invoke", INVOKE),
        ("InvokeAsync", INVOKE_ASYNC),
        ("InvokeWithResponseStream", INVOKE_WITH_RESPONSE_STREAM),
    ):
        operation = InvokeOperation(
            execution.invoker, api.authorizer, events.queue, storage.tasks, mode
        )
        api.gateway.register_direct(LAMBDA, name, operation.handle)


def register_admin_api(
    settings: Settings,
    storage: Storage,
    api: Api,
    execution: Execution,
    control: Control,
    events: Events,
    privileged: Privileged,
) -> None:
    """Register the pages that the command line reads."""
    runtimes = privileged.runtimes
    between = execution.calls_between_nodes
    is_isolated = privileged.launcher.tier != "process"
    calls = DebugCalls(execution.invoker, execution.node, is_isolated=is_isolated)
    health = start_telemetry(settings, storage, execution, events.metrics)
    metrics = MetricsPage(api.authorizer, events.metrics, health, api.home.account)
    if privileged.cell is not None and storage.membership is not None:
        metrics.shown = CellMetrics(
            *(privileged.cell, privileged.data, storage.membership, storage.peers),
            own=metrics.families,
        ).families
    pages = AdminApi(
        api.authorizer,
        QueueOperations(storage.store, storage.payloads, storage.clock),
        MappingOperations(storage.store, events.mappings.statuses, storage.peers),
        metrics,
        {name: runtimes.hint(name) for name in runtime_identifiers()},
        DebugPage(api.authorizer, calls, control.layers.get_by_arn),
        EnvironmentsPage(api.authorizer, execution.node, privileged.launcher.tier, storage.peers),
        NodesPage(
            api.authorizer,
            storage.membership,
            dict if between is None else between.loads,
            storage.peers,
        ),
        SchedulesPage(api.authorizer, UpcomingTimes(storage.store)),
        storage.tasks,
    )
    for path in PATHS:
        # A debugged call has an event.
        limit = SYNCHRONOUS_EVENT_BYTES_MAX if path == DEBUG else SMALL_BODY_BYTES_MAX
        front = Front(handle=pages.handle, body_bytes_max=limit)
        api.gateway.fronts.add_path(path, front)


async def register_function_urls(
    storage: Storage, api: Api, execution: Execution, control: Control, events: Events
) -> FunctionUrls:
    """Register function URLs, by path and by host name."""
    urls = FunctionUrls(
        control.urls.find,
        execution.invoker,
        api.authorizer,
        storage.clock,
        storage.tasks,
        events.metrics,
    )
    await storage.store.follow(urls)
    limit = SYNCHRONOUS_EVENT_BYTES_MAX
    by_path = Front(handle=urls.handle_path, body_bytes_max=limit, is_open=True)
    by_host = Front(handle=urls.handle_host, body_bytes_max=limit, is_open=True)
    api.gateway.fronts.add_path(URL_PATH_PREFIX, by_path)
    api.gateway.fronts.add_hosts(URL_HOSTS, by_host)
    return urls


async def open_log_subscriptions(
    storage: Storage, api: Api, events: Events, groups: LogGroups
) -> None:
    """Deliver lines of log groups to the functions that subscribe to them."""
    subscriptions = LogSubscriptions(
        groups.subscriptions, storage.logs, events.queue, api.authorizer, storage.clock
    )
    groups.check_destination = subscriptions.check
    await storage.store.follow(subscriptions)
    start_loop(storage.tasks, storage.clock, subscriptions.run)


@asynccontextmanager
async def open_other_services(
    settings: Settings,
    privileged: Privileged,
    storage: Storage,
    api: Api,
    execution: Execution,
    events: Events,
) -> AsyncIterator[None]:
    """Serve requests for other AWS services: run the emulator, if it is wanted, and forward."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        local_services = events.local_services
        if local_services is not None:
            deliveries = LocalServiceCalls(
                execution.invoker,
                events.queue,
                events.buses,
                api.authorizer,
                ServiceRoles(api.keyring, are_checked=api.authorizer.is_strict),
                storage.tasks,
                local_services.token,
            )
            address = await enter(open_deliveries(deliveries))
            environment = environment_of(
                privileged.data.services,
                account=api.home.account,
                region=api.home.region,
                port=privileged.front.port,
            )
            await enter(local_services.running(address, environment))
        own = api.gateway.signing_names
        forwarder = await enter(
            open_forwarder(settings.aws, events.aws, api.authorizer, local_services, own)
        )
        api.gateway.register_forward(forwarder.handle)
        yield


@asynccontextmanager
async def open_operator_commands(
    settings: Settings,
    privileged: Privileged,
    storage: Storage,
    api: Api,
    execution: Execution,
    console_link: Callable[[], Awaitable[Mapping[str, object]]],
) -> AsyncIterator[None]:
    """Serve `lambent status`, also as a page, `lambent gc` and `lambent open`."""
    observe = partial(
        observe_status,
        settings,
        privileged.data,
        privileged.front.url,
        privileged.launcher.tier,
        execution.sandboxes,
        execution.node,
        storage,
    )

    async def observe_without_names() -> Mapping[str, Any]:
        return without_names(await observe())

    page = StatusPage(api.authorizer, observe_without_names, storage.peers, storage.tasks)
    api.gateway.fronts.add_path(STATUS, Front(handle=page.handle))
    garbage = Garbage(
        execution.node.code, storage.packages.needed, (storage.blobs, storage.payloads)
    )
    operations: Operations = {
        "status": observe,
        "find_garbage": garbage.find,
        "collect_garbage": garbage.collect,
        "console_link": console_link,
    }
    sockets = privileged.front.sockets
    async with open_operator_socket(privileged.data.state, operations, sockets, storage.tasks):
        yield
