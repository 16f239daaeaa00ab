"""`lambent up`: opens all parts of the platform, serves, and closes them in reverse."""

import gc
from contextlib import AsyncExitStack
from functools import partial

import anyio

from lambent.assembly.api import open_api
from lambent.assembly.apis import open_apis
from lambent.assembly.console import register_console
from lambent.assembly.control import ControlPorts, open_control_plane
from lambent.assembly.edge import make_function_runs, open_edge
from lambent.assembly.events import open_events
from lambent.assembly.execution import open_execution
from lambent.assembly.front import (
    open_log_subscriptions,
    open_operator_commands,
    open_other_services,
    register_admin_api,
    register_function_urls,
    register_invocations,
)
from lambent.assembly.hooks import register_hooks
from lambent.assembly.lex import register_lex
from lambent.assembly.names import open_names
from lambent.assembly.nodes import node_url_of, open_node
from lambent.assembly.privileged import Privileged, open_privileged
from lambent.assembly.process import raise_cause_of_end, serve_until_stopped
from lambent.assembly.stacks import register_stacks
from lambent.assembly.storage import open_storage
from lambent.assembly.user_pools import register_user_pools
from lambent.assembly.websocket_apis import open_websocket_apis
from lambent.control.activation import prepare_deployed
from lambent.instance.cell import Cell
from lambent.instance.listening import ListeningError, Sockets, inherited
from lambent.instance.log_file import keep_log_short
from lambent.kit.allocation import return_large_blocks
from lambent.kit.clock import SystemClock
from lambent.kit.log_lines import set_up_logging
from lambent.kit.service_manager import ServiceManager
from lambent.kit.tasks import start_loop, start_task
from lambent.sandbox.ports import SandboxError
from lambent.settings import Settings
from lambent.store.problems import StoreError, StoreUnavailable
from lambent.telemetry.otlp import check_endpoint


def run(settings: Settings, taken_over: Sockets, cell: Cell | None = None) -> None:
    """Run the platform, or one cell of it, until SIGTERM or SIGINT. `taken_over` are listening
    sockets that this process was given. Raises SystemExit with a message if it cannot."""
    set_up_logging(name="" if cell is None else f"cell {cell.number} ")
    try:
        check_endpoint(settings.telemetry.otlp_endpoint)
    except ValueError as error:
        raise SystemExit(f"lambent: {error}") from error
    manager = ServiceManager() if cell is None else cell.manager()
    try:
        passed = {**inherited(), **taken_over}
    except ListeningError as error:
        raise SystemExit(f"lambent: cannot use the sockets of systemd: {error}") from error
    try:
        with open_privileged(settings, passed, manager, cell) as privileged:
            return_large_blocks()
            options = {"use_uvloop": True}
            anyio.run(_serve, settings, privileged, manager, cell, backend_options=options)
    except SandboxError as error:
        raise SystemExit(
            f"lambent: {error}. `lambent doctor` tries it step by step and names the cure"
        ) from error
    except StoreError as error:
        raise SystemExit(f"lambent: {error}") from error
    except BaseExceptionGroup as group:
        # No loop lets it pass, so it was the start that needed the database.
        if group.split(StoreUnavailable)[1] is None:
            raise SystemExit("lambent: the database was lost while the platform started") from group
        raise


async def _serve(
    settings: Settings, privileged: Privileged, manager: ServiceManager, cell: Cell | None
) -> None:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        data = privileged.data
        storage = await enter(open_storage(settings, data, clock, cell))
        api = await enter(open_api(settings, storage, privileged.front.root_credentials.write))
        names = await open_names(settings, data, storage)
        api.gateway.use_tls_in_boxes(names.tls_of_boxes)
        execution = await enter(open_execution(settings, privileged, storage, api, names))
        events = await enter(open_events(settings, privileged, storage, api, execution))
        pool_keys = await register_user_pools(settings, storage, api, execution, events)
        await register_lex(storage, api, execution)
        apis = await enter(open_apis(settings, storage, api, execution, events, pool_keys))
        runs = make_function_runs(storage, execution, privileged.runtimes)
        ports = ControlPorts(
            aws=events.aws,
            prepare=execution.node.prepare,
            observe_provisioned=execution.provisioning.observe,
            check_source=events.source_checks.check,
            metrics=events.metrics,
            trials=apis.trials,
            events=events.buses,
            alarm_actions=events.alarm_actions,
            test_function=runs.test,
            open_subscriptions=partial(open_log_subscriptions, storage, api, events),
        )
        control = await enter(open_control_plane(settings, storage, api, ports))
        register_invocations(storage, api, execution, events)
        register_admin_api(settings, storage, api, execution, control, events, privileged)
        urls = await register_function_urls(storage, api, execution, control, events)
        await register_hooks(storage, api, events, apis)
        await open_edge(settings, privileged, storage, api, names, execution, apis, urls, runs)
        dispatcher = api.gateway.dispatcher
        await enter(
            open_websocket_apis(*(settings.gateway, storage.store, storage.peers, dispatcher, apis))
        )
        await enter(open_other_services(settings, privileged, storage, api, execution, events))
        url = privileged.front.url
        aws_api = await register_stacks(settings, url, storage, api, execution, events)
        link = register_console(settings, url, storage, api, aws_api.call)
        tasks = storage.tasks
        start_task(tasks, None, prepare_deployed, storage.store, execution.node.prepare)
        await storage.store.note_started()
        if storage.membership is not None:
            node_url = node_url_of(settings.store.node_url, url, privileged.front.url_of_cell)
            await enter(open_node(node_url, storage, storage.membership, api, execution))
        await enter(open_operator_commands(settings, privileged, storage, api, execution, link))
        start_loop(tasks, clock, manager.show_life, clock)
        start_loop(tasks, clock, keep_log_short, data.state, clock)
        # What is loaded by now stays: the garbage collector, which `lambent up` has disabled, need
        # not look at it.
        gc.freeze()
        gc.enable()
        await serve_until_stopped(settings, privileged, storage, api, execution, names, manager)
    raise_cause_of_end(privileged, storage, execution)
