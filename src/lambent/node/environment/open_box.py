"""A box for one attempt to start a function, with everything the platform serves in it.

Nothing inside survives a failure, so a new attempt starts clean. A function without extensions may
get a box in which its runtime waits already; then there is nothing to start.
"""

import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import Exchange
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.kit.tasks import shielded, start_task
from lambent.model.debugging import DebuggedVersion
from lambent.model.function import FunctionVersion
from lambent.node.apis import extensions_api, runtime_api, telemetry_api
from lambent.node.apis.credentials_api import CredentialsApi
from lambent.node.apis.extensions_api import ExtensionsApi
from lambent.node.apis.responses import refuse
from lambent.node.apis.runtime_api import RESPONSE_BYTES_MAX, RuntimeApi
from lambent.node.apis.telemetry_api import TelemetryApi
from lambent.node.apis.trace_daemon import TraceDaemon
from lambent.node.environment.context import NodeContext
from lambent.node.environment.debug_port import open_debug_port
from lambent.node.environment.templates import find_template
from lambent.node.environment.variables import CREDENTIALS_PATH
from lambent.node.languages.launch import LOG_PIPE_VARIABLE, LaunchSpec
from lambent.sandbox.ports import (
    Box,
    BoxSpec,
    ExitStatus,
    Process,
    SandboxBusy,
    SandboxError,
    Sandboxes,
    Snapshot,
    Started,
    StartSpec,
    Traffic,
    Volume,
)

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Apis:
    """The APIs behind `AWS_LAMBDA_RUNTIME_API`."""

    runtime: RuntimeApi
    extensions: ExtensionsApi
    telemetry: TelemetryApi
    credentials: CredentialsApi


_API_LIMITS = HttpLimits(
    body_bytes_max=RESPONSE_BYTES_MAX,
    # The runtime and ten extensions need few; the function may connect as well.
    connections_max=64,
)
_DEBUGGER_MB = 256
"""What a debugger may use beside the function."""
_API_HELD_BYTES_MAX = 4 * RESPONSE_BYTES_MAX


class OpenBox:
    """A box that is served."""

    def __init__(self, box: Box, volume: Volume, process: Process | None, traffic: Traffic) -> None:
        self.box = box
        self.traffic = traffic
        self.volume = volume
        self.process = process
        """The runtime's process, if it was already running."""

    @property
    def is_prepared(self) -> bool:
        """Whether the runtime was already running."""
        return self.process is not None


@asynccontextmanager
async def open_box(
    *,
    host: NodeContext,
    function: FunctionVersion,
    launch: LaunchSpec,
    volume: Volume | None,
    snapshot: Snapshot | None,
    variables: Mapping[str, str],
    apis: Apis,
    on_exit: Callable[[ExitStatus], None],
) -> AsyncIterator[OpenBox]:
    """A new box for an attempt; on exit everything inside is dead.

    Without a `volume` one is made, which the caller owns from then on. `on_exit` is for a runtime
    that was already running. Raises `SandboxError` if the host cannot build the box.
    """
    sandboxes = host.sandboxes
    async with contextlib.AsyncExitStack() as stack, contextlib.AsyncExitStack() as own_volume:
        started = await _start_prepared(
            function, launch, sandboxes, volume, snapshot, variables, on_exit
        )
        if started is not None:
            box, process = started.box, started.process
            if volume is None:
                volume = started.volume
                own_volume.push_async_callback(shielded, volume.close)
        else:
            process = None
            if volume is None:
                volume = await sandboxes.open_volume(function.ephemeral_storage_mb)
                own_volume.push_async_callback(shielded, volume.close)
            mounts = (*launch.mounts, *launch.runtime_mounts)
            memory_mb = function.memory_mb
            if isinstance(function, DebuggedVersion):
                memory_mb += _DEBUGGER_MB
            box = await sandboxes.open_box(
                BoxSpec(memory_mb=memory_mb, mounts=mounts, volume=volume)
            )
        stack.push_async_callback(shielded, box.close)
        # The sockets have been listening from the beginning: no connection is lost.
        server = _serve(apis)
        await server.start(box.runtime_api, admits=box.admits)
        stack.push_async_callback(shielded, server.close)
        front = await stack.enter_async_context(host.api.serve(box.endpoint, box.admits))
        traffic = await stack.enter_async_context(host.network(box, function.key.account, front))
        if host.traces is not None and (listener := box.trace_daemon) is not None:
            admits = partial(box.admits_sender, listener)
            daemon = TraceDaemon(listener, function.key.scope, host.traces, admits)
            stack.callback(daemon.close)
        if isinstance(function, DebuggedVersion):
            ports = (function.debug_port, function.debugger_port)
            debug_port = await open_debug_port(box, *ports, host.clock)
            stack.callback(debug_port.close)
            start_task(host.tasks, None, debug_port.run)
        own_volume.pop_all()
        yield OpenBox(box, volume, process, traffic)


def _serve(apis: Apis) -> HttpServer:
    """The server behind `AWS_LAMBDA_RUNTIME_API`."""

    def handle(exchange: Exchange) -> None:
        path = exchange.path
        if path.startswith(runtime_api.PREFIX):
            apis.runtime.handle(exchange)
        elif path.startswith(extensions_api.PREFIX):
            apis.extensions.handle(exchange)
        elif path in (telemetry_api.TELEMETRY, telemetry_api.LOGS):
            apis.telemetry.handle(exchange)
        elif path == CREDENTIALS_PATH:
            apis.credentials.handle(exchange)
        else:
            refuse(exchange, 404, "NotFound", "404 page not found")

    return HttpServer(
        handle,
        _API_LIMITS,
        oversized=apis.runtime.handle_oversized,
        streamed=apis.runtime.open_stream,
        budget=Budget(_API_HELD_BYTES_MAX),
    )


async def _start_prepared(
    function: FunctionVersion,
    launch: LaunchSpec,
    sandboxes: Sandboxes,
    volume: Volume | None,
    snapshot: Snapshot | None,
    variables: Mapping[str, str],
    on_exit: Callable[[ExitStatus], None],
) -> Started | None:
    """Start from a template. Returns None if the function has none, or if that fails: then it is
    executed. A failed restore raises, because execution would not run the function's hooks. So does
    a busy launcher: it would only get more to do."""
    template = find_template(function, launch) if sandboxes.has_templates else None
    if template is None:
        return None
    spec = StartSpec(
        memory_mb=function.memory_mb,
        mounts=launch.mounts,
        environment=variables,
        volume_mb=function.ephemeral_storage_mb,
        log_pipe_variable=LOG_PIPE_VARIABLE,
        volume=volume,
    )
    if snapshot is not None:
        return await sandboxes.restore(template, snapshot, spec, on_exit)
    try:
        return await sandboxes.start(template, spec, on_exit)
    except SandboxBusy:
        raise
    except SandboxError as error:
        logger.warning("%s is executed instead: %s", function.arn, error)
        return None
