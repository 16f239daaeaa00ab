"""Where the rooms meet: the only module that knows all of them.

`run` is what `lambent up` does: first what needs the privileges of whoever typed it (`startup`),
then the event loop, on which the rooms are opened top to bottom; they close bottom to top.
"""

import contextlib
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from lambent.asynchronous.operations import QueueOperations
from lambent.asynchronous.room import open_asynchronous
from lambent.aws.client import open_aws_calls
from lambent.aws.clients import AwsClients
from lambent.control.identities import Identities
from lambent.control.resources import Resources
from lambent.control.room import open_control
from lambent.control.s3 import S3Objects
from lambent.data_directory import DataDirectory
from lambent.garbage import Garbage
from lambent.gateway.admin_api import (
    MAPPINGS,
    METRICS,
    QUEUE,
    QUEUES,
    RUNTIMES,
    AdminApi,
)
from lambent.gateway.code_links import PATH_PREFIX, SECRET, open_code_links
from lambent.gateway.operations import control_plane, iam, logs, sts
from lambent.gateway.operations.invoke import (
    INVOKE,
    INVOKE_ASYNC,
    INVOKE_WITH_RESPONSE_STREAM,
    InvokeOperation,
)
from lambent.gateway.protocol.models import runtime_identifiers
from lambent.gateway.server import open_front_door, open_gateway
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.identity.keyring import Keyring, open_keyring
from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.provisioning import Provisioning
from lambent.kit.allocation import give_back_large_blocks
from lambent.kit.clock import Clock, SystemClock
from lambent.kit.http.server import HttpServer
from lambent.kit.installing import steps_end_with_us
from lambent.kit.log_lines import set_up_logging
from lambent.kit.progress import shown_steps
from lambent.kit.service_manager import ServiceManager
from lambent.kit.tasks import start_loop, start_task
from lambent.kit.turns import Turns
from lambent.model.credentials import Credentials
from lambent.model.delivery import rights_at
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.function_url import PATH_PREFIX as URL_PATH_PREFIX
from lambent.model.identity import session_principal
from lambent.node.code.cache import open_code_cache
from lambent.node.environment.host import NodeContext
from lambent.node.environment.snapshots import Snapshots
from lambent.node.languages.runtimes import LaunchSpec, Runtimes
from lambent.node.pools.memory import SystemMemory
from lambent.node.pools.scheduler import open_scheduling
from lambent.node.worker import Worker, open_worker
from lambent.operator_socket import Operations, open_operator_socket
from lambent.own_log import keep_log_short, own_log
from lambent.polling.mapping_supervisor import PollingContext
from lambent.polling.operations import MappingOperations
from lambent.polling.room import open_polling
from lambent.polling.source_checks import SourceChecks
from lambent.sandbox.client import Launcher, LauncherHandle, open_sandboxes
from lambent.sandbox.egress import Egress
from lambent.sandbox.ports import Box, SandboxError
from lambent.sandbox.resolver import Resolver
from lambent.services.endpoints import with_local_services
from lambent.services.forwarder import open_forwarder
from lambent.services.local_services import LocalServices, environment_of
from lambent.settings import ROOT_CREDENTIALS, Settings
from lambent.startup import (
    Listener,
    RootCredentials,
    bind,
    choose_tier,
    find_runtimes,
    hold_data,
    isolate,
    load_certificate,
    prepare_services,
)
from lambent.status import observe_status
from lambent.store.blobs import keep_trash_short, open_blobs
from lambent.store.feed import Feed
from lambent.store.problems import StoreError
from lambent.store.store import Store, open_store
from lambent.telemetry.logs import open_logs
from lambent.telemetry.metrics import Metrics
from lambent.triggers.deliveries import LocalServiceCalls, open_deliveries
from lambent.triggers.function_urls import FunctionUrls

logger = logging.getLogger(__name__)

_PREPARED_AT_START = 200
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LAST_ANSWERS_S = 2.0


def run(settings: Settings) -> None:
    """Run the platform until SIGTERM or SIGINT. Ends the process with a message if it cannot."""
    set_up_logging()
    manager = ServiceManager()
    try:
        with hold_data(settings.server.data_dir) as data:
            data.add_facts(log=own_log(data.state))
            listener = bind(settings.server.host, settings.server.port)
            tls = load_certificate(settings.server)
            root_credentials = RootCredentials(data.root / ROOT_CREDENTIALS)
            tier = choose_tier(settings)
            with steps_end_with_us(), shown_steps(manager.tell_status) as steps:
                runtimes = find_runtimes(settings, tier, steps)
                packages = prepare_services(settings, tier, steps)
            launcher = isolate(settings, tier, data, runtimes, packages)
            give_back_large_blocks()
            try:
                anyio.run(
                    _serve,
                    settings,
                    data,
                    Listener(listener, tls, root_credentials),
                    runtimes,
                    launcher,
                    packages,
                    manager,
                    backend_options={"use_uvloop": True},
                )
            finally:
                launcher.close()
    except SandboxError as error:
        raise SystemExit(
            f"lambent: {error}. `lambent doctor` tries it step by step and names the cure"
        ) from error
    except StoreError as error:
        raise SystemExit(f"lambent: {error}") from error


def _credentials(keyring: Keyring, lifetime_s: float, function: FunctionVersion) -> Credentials:
    """What makes a function's environment act for its execution role, in its own account even if
    the role's ARN was made up."""
    principal = session_principal(
        function.role,
        function.key.name,
        role_id=keyring.role_id(function.role) or "AROA",
        account=function.key.account,
    )
    return keyring.sessions.issue(principal, lifetime_s=lifetime_s)


async def _allow_action(
    authorizer: Authorizer, key: FunctionKey, role: str, action: str, resource: str
) -> None:
    """Raise `ApiError` unless a function's role may do an action to a resource, an ARN."""
    principal = session_principal(role, key.name, role_id="AROA", account=key.account)
    caller = Caller(principal=principal, scope=key.scope, service=None, access_key_id=None)
    owner = resource.split(":")[4] or key.account
    await authorizer.check(caller, Access(action, resource, owner))


async def _allow(
    authorizer: Authorizer, key: FunctionKey, role: str, target: str, prefix: str
) -> None:
    """Raise `InvalidParameterValueException` unless a function's role may deliver to a target; to a
    bucket, objects whose keys begin so."""
    for service, action, resource in rights_at(target, prefix):
        try:
            await _allow_action(authorizer, key, role, action, resource)
        except ApiError as error:
            if error.status >= 500:
                raise
            raise invalid_parameter(
                "The provided execution role does not have permissions to call"
                f" {action.partition(':')[2]} on {service}"
            ) from error


async def _serve(
    settings: Settings,
    data: DataDirectory,
    front: Listener,
    runtimes: Runtimes,
    launcher: LauncherHandle,
    packages: Path | None,
    manager: ServiceManager,
) -> None:
    """Open the rooms, serve, close them. `packages` are those of the emulator of other services,
    if it is wanted; `manager` is told how it goes."""
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        store = await enter(open_store(settings.store, data.state, clock))
        blobs, payloads = [
            await open_blobs(directory, store.id, clock, is_new=store.is_new)
            for directory in (data.blobs(settings.store), data.event_payloads(settings.store))
        ]
        log_store = await enter(open_logs(settings.telemetry, data.state / "logs", clock))
        code = await enter(open_code_cache(data.code, blobs.read, settings.worker.code_mb << 20))
        tasks = await enter(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        start_loop(tasks, clock, keep_trash_short, clock, blobs, payloads)
        keyring = await open_keyring(store, clock)
        home = settings.gateway.scope
        resources = Resources(store)
        authorizer = Authorizer(
            keyring,
            resources.policy,
            clock,
            home=home,
            is_strict=settings.server.auth == "strict",
        )
        await store.follow(authorizer)
        identities = Identities(store, clock)
        if authorizer.is_strict and keyring.is_empty:
            front.root_credentials.write(await identities.create_root_key(home))
        gateway = await enter(open_gateway(settings.gateway, authorizer, resources))

        @asynccontextmanager
        async def launch(function: FunctionVersion) -> AsyncIterator[LaunchSpec]:
            async with code.use(function.code_key, function.layer_keys) as (package, layers):
                yield runtimes.launch(function, package, layers)

        egress, resolver = Egress(settings.egress), Resolver(settings.egress)

        @asynccontextmanager
        async def network(box: Box) -> AsyncIterator[None]:
            if box.resolver is None:
                yield
                return
            way_out = egress.open(box.egress, box.name, box.datagrams)
            uses_ipv6 = egress.may_use_ipv6(box.egress)
            names = resolver.open(*box.resolver, uses_ipv6=uses_ipv6)
            try:
                yield
            finally:
                names.close()
                way_out.close()

        sandboxes = await enter(open_sandboxes(launcher, settings.sandbox))
        snapshots = Snapshots(settings.worker.snapshots_mb << 20)
        stack.callback(snapshots.close)
        host = NodeContext(
            settings=settings.worker,
            sandboxes=sandboxes,
            logs=log_store,
            clock=clock,
            launch=launch,
            endpoint=gateway.new_server,
            network=network,
            credentials=partial(_credentials, keyring, settings.identity.session_s),
            starts=Turns(settings.worker.starts_at_once, settings.worker.start_wait_s, clock),
            snapshots=snapshots,
            tasks=tasks,
        )
        worker = await enter(open_worker(host))
        memory = SystemMemory()
        scheduler = await enter(
            open_scheduling(
                settings.scheduling,
                worker,
                clock,
                memory,
                tenant_environments_max=settings.invocation.tenant_environments_max,
            )
        )
        catalog = Catalog(store.route)
        admission = Admission(settings.invocation)
        provisioning = Provisioning(scheduler)
        door = Invoker(admission, catalog, scheduler)
        await store.follow(admission, provisioning, catalog, scheduler, snapshots, code)
        start_loop(tasks, clock, catalog.follow_changes)
        start_loop(tasks, clock, scheduler.follow_changes, store.resolve)
        start_loop(tasks, clock, snapshots.follow_changes, store.resolve)
        start_loop(tasks, clock, code.keep_small, partial(_needed_code, store), clock)
        local_services = None
        aws_settings = settings.aws
        if packages is not None:
            local_services = LocalServices(
                settings.services,
                clock,
                packages=packages,
                data=data.root,
                directory=data.services,
            )
            stack.callback(local_services.close)
            aws_settings = with_local_services(settings.aws, local_services.url)
        aws = AwsClients(aws_settings, local_services.url if local_services is not None else None)
        check_target = partial(_allow, authorizer) if authorizer.is_strict else None
        metrics = Metrics()
        asynchronous = await open_asynchronous(
            settings.asynchronous,
            store=store,
            door=door,
            payloads=payloads,
            metrics=metrics,
            aws=aws,
            allow=check_target,
            clock=clock,
            tasks=tasks,
            flush_logs=log_store.settle,
        )
        calls = await enter(open_aws_calls(aws))
        allow = partial(_allow_action, authorizer) if authorizer.is_strict else None
        mappings = await enter(
            open_polling(
                PollingContext(
                    store=store,
                    door=door,
                    aws=calls,
                    allow=allow,
                    keep=asynchronous.courier.keep,
                    metrics=metrics,
                    settle_logs=log_store.settle,
                    clock=clock,
                    settings=settings.polling,
                )
            )
        )
        control = await enter(
            open_control(
                settings.control,
                store=store,
                blobs=blobs,
                objects=S3Objects(aws, clock, deadline_s=aws_settings.s3.deadline_s),
                prepare=worker.prepare,
                runtimes=runtime_identifiers(),
                concurrent_executions=settings.invocation.concurrent_executions,
                observe_provisioned=provisioning.observe,
                clock=clock,
                check_role=identities.require_assumable if authorizer.is_strict else None,
                check_target=check_target,
                check_source=SourceChecks(calls, allow).check,
            )
        )
        link_key = await store.transact(lambda tx: tx.identities.platform_secret(SECRET))
        links = await enter(open_code_links(blobs.read, clock, link_key))
        for name, way in (
            ("Invoke", INVOKE),
            ("InvokeAsync", INVOKE_ASYNC),
            ("InvokeWithResponseStream", INVOKE_WITH_RESPONSE_STREAM),
        ):
            operation = InvokeOperation(door, authorizer, asynchronous.queue, tasks, way)
            gateway.register_direct(name, operation.handle)
        gateway.register(control_plane.operations(control, links, settings.gateway.url_domain))
        gateway.register(logs.operations(log_store), "logs")
        sessions = sts.operations(identities, keyring.sessions, is_strict=authorizer.is_strict)
        gateway.register(sessions, "sts")
        gateway.register(iam.operations(identities), "iam")
        gateway.register_internal(PATH_PREFIX, links.handle)
        pages = AdminApi(
            authorizer,
            QueueOperations(store, payloads, clock),
            MappingOperations(store, mappings.statuses),
            metrics,
            {name: runtimes.hint(name) for name in runtime_identifiers()},
            tasks,
        )
        for path in (QUEUES, QUEUE, MAPPINGS, METRICS, RUNTIMES):
            gateway.register_internal(path, pages.handle)
        urls = FunctionUrls(control.urls.find, door, authorizer, clock, tasks)
        await store.follow(urls)
        gateway.register_internal(URL_PATH_PREFIX, urls.handle_path)
        gateway.register_hosts(urls.handle_host)
        if local_services is not None:
            deliveries = LocalServiceCalls(
                door, asynchronous.queue, authorizer, tasks, local_services.token
            )
            address = await enter(open_deliveries(deliveries))
            environment = environment_of(
                data.services, account=home.account, region=home.region, port=front.port
            )
            await enter(local_services.running(address, environment))
        forwarder = await enter(open_forwarder(settings.aws, authorizer, local_services))
        gateway.register_forward(forwarder.handle)
        start_task(tasks, None, _prepare_deployed, store, worker)
        await store.note_started()
        if store.is_shared:
            feed = Feed(store, clock)
            start_loop(tasks, clock, feed.run)
            start_loop(tasks, clock, feed.listen)
        tier = launcher.tier
        observe = partial(
            observe_status, settings, data, front.url, tier, sandboxes, store, worker, memory
        )
        garbage = Garbage(code, partial(_needed_code, store), (blobs, payloads))
        asked: Operations = {
            "status": observe,
            "find_garbage": garbage.find,
            "collect_garbage": garbage.collect,
        }
        await enter(open_operator_socket(data.state, asked, tasks))
        start_loop(tasks, clock, manager.show_life, clock)
        start_loop(tasks, clock, keep_log_short, data.state, clock)
        # What is loaded by now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        stop = anyio.Event()
        async with anyio.create_task_group() as watching:
            async with open_front_door(
                gateway, settings.gateway, front.listener, front.tls
            ) as server:
                start_loop(watching, clock, _watch_signals, stop, server)
                start_loop(watching, clock, _watch_database, store, clock, stop, server)
                if data.is_of_unit:
                    start_loop(watching, clock, _watch_launcher, sandboxes, clock, stop, server)
                data.add_facts(url=front.url)
                print(f"lambent is ready at {front.url}", flush=True)
                manager.tell_ready(f"Listening on {front.url}")
                await stop.wait()
                print("lambent is stopping", file=sys.stderr, flush=True)
                manager.tell_stopping()
                store.note_stopping()
            watching.cancel_scope.cancel()
        # What is left ends by itself, each part by a deadline: nobody is helped by half an end.
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    if store.lost is not None:
        raise store.lost
    if sandboxes.is_gone and data.is_of_unit:
        raise SandboxError("the launcher, which builds the sandboxes, has ended unexpectedly")


async def _needed_code(store: Store) -> Set[str]:
    """The packages that any version of a function or layer refers to."""
    return await store.read(lambda tx: tx.functions.code_keys() | tx.layers.code_keys())


async def _watch_database(
    store: Store, clock: Clock, stop: anyio.Event, server: HttpServer
) -> None:
    """End at once when another platform has taken the database."""
    await store.wait_lost(clock)
    await server.close()
    stop.set()


async def _watch_launcher(
    sandboxes: Launcher, clock: Clock, stop: anyio.Event, server: HttpServer
) -> None:
    """End when the launcher has ended: only a new platform has one, and systemd starts it. Without
    systemd the API goes on. Who waits for an answer is told."""
    await sandboxes.wait_gone()
    stop.set()
    await clock.sleep(_LAST_ANSWERS_S)
    await server.close()


async def _prepare_deployed(store: Store, worker: Worker) -> None:
    """Have code and runtimes of what was deployed before ready for the first calls."""
    functions_ = await store.read(lambda tx: tx.functions.list_everywhere(_PREPARED_AT_START))
    for function in functions_:
        try:
            await worker.prepare(function)
        except Exception as error:  # Whoever calls it will see.
            logger.warning("cannot prepare %s: %r", function.arn, error)


async def _watch_signals(stop: anyio.Event, server: HttpServer) -> None:
    """The first SIGTERM or SIGINT lets what is in progress finish; a second one does not."""
    with anyio.open_signal_receiver(*_STOP_SIGNALS) as signals:
        async for _ in signals:
            if stop.is_set():
                await server.close()
            stop.set()
