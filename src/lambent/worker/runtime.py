"""A runtime process in its box, with everything the platform serves to it.

Opened for each init, closed on reset: what is inside never survives a failure, so a new one
starts clean. Only `/tmp` (the volume) and the log stream belong to the environment and outlive
it.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from lambent.kit.clock import Clock
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.kit.tasks import shielded
from lambent.model.credentials import Credentials
from lambent.model.function import FunctionVersion
from lambent.sandbox.ports import (
    Box,
    BoxSpec,
    ExitStatus,
    ProcessSpec,
    SandboxError,
    Sandboxes,
    Started,
    StartSpec,
    Volume,
)
from lambent.telemetry.ports import LogStream
from lambent.worker.output import Output
from lambent.worker.runtime_api import RESPONSE_BYTES_MAX, RuntimeApi
from lambent.worker.runtimes import LOG_PIPE_VARIABLE, Launch
from lambent.worker.templates import find_template
from lambent.worker.variables import environment_variables

logger = logging.getLogger(__name__)

NetworkServices = Callable[[Box], AbstractAsyncContextManager[None]]
"""Serves a box's way out: egress and name resolution."""

_RUNTIME_API_LIMITS = HttpLimits(
    body_bytes_max=RESPONSE_BYTES_MAX,
    # One runtime answers one request at a time; whatever else connects is the function's own.
    held_bytes_max=4 * RESPONSE_BYTES_MAX,
    connections_max=64,
)


class Runtime:
    """One started runtime."""

    def __init__(self, box: Box, volume: Volume, api: RuntimeApi, output: Output) -> None:
        self.box = box
        self.volume = volume
        self.api = api
        self.output = output
        self._is_frozen = False

    def freeze(self) -> None:
        """Stop every process in the box."""
        self.box.freeze()
        self._is_frozen = True

    def thaw(self) -> None:
        """Let the box's processes go on, if they were stopped."""
        if self._is_frozen:
            self._is_frozen = False
            self.box.thaw()


@asynccontextmanager
async def open_runtime(
    *,
    function: FunctionVersion,
    launch: Launch,
    sandboxes: Sandboxes,
    volume: Volume | None,
    clock: Clock,
    stream: LogStream,
    log_stream_name: str,
    api: RuntimeApi,
    endpoint: Callable[[], HttpServer],
    network: NetworkServices,
    credentials: Credentials,
    on_exit: Callable[[ExitStatus], None],
    on_line: Callable[[bytes], None],
) -> AsyncIterator[Runtime]:
    """Start the runtime in a box of its own and serve it; on exit everything inside is dead.

    Without a `volume` one is made, which is the caller's from then on. Raises `SandboxError` if the
    host cannot build the box or execute the runtime.
    """
    variables = environment_variables(
        function, launch=launch, log_stream=log_stream_name, credentials=credentials
    )
    async with contextlib.AsyncExitStack() as stack, contextlib.AsyncExitStack() as own_volume:
        started = await _start_prepared(function, launch, sandboxes, volume, variables, on_exit)
        if started is not None:
            box, process = started.box, started.process
            if volume is None:
                volume = started.volume
                own_volume.push_async_callback(shielded, volume.close)
            stack.push_async_callback(shielded, box.close)
        else:
            if volume is None:
                volume = await sandboxes.open_volume(function.ephemeral_storage_mb)
                own_volume.push_async_callback(shielded, volume.close)
            mounts = (*launch.mounts, *launch.runtime_mounts)
            box = await sandboxes.open_box(
                BoxSpec(memory_mb=function.memory_mb, mounts=mounts, volume=volume)
            )
            stack.push_async_callback(shielded, box.close)
            spec = ProcessSpec(
                argv=launch.argv,
                environment=variables,
                log_pipe_variable=launch.log_pipe_variable,
            )
            process = await box.spawn(spec, on_exit)
        # What listens in the box has done so from the beginning: nothing that connects is lost.
        output = Output(process, stream, clock, on_line)
        stack.callback(output.close)
        runtime_api = HttpServer(api.handle, _RUNTIME_API_LIMITS, oversized=api.handle_oversized)
        for server, sock in ((runtime_api, box.runtime_api), (endpoint(), box.endpoint)):
            await server.start(sock)
            stack.push_async_callback(shielded, server.close)
        await stack.enter_async_context(network(box))
        own_volume.pop_all()
        yield Runtime(box, volume, api, output)


async def _start_prepared(
    function: FunctionVersion,
    launch: Launch,
    sandboxes: Sandboxes,
    volume: Volume | None,
    variables: Mapping[str, str],
    on_exit: Callable[[ExitStatus], None],
) -> Started | None:
    """Start from a template; None if the function has none or the host cannot."""
    template = find_template(function, launch)
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
    try:
        return await sandboxes.start(template, spec, on_exit)
    except SandboxError as error:
        logger.warning("%s is executed instead: %s", function.arn, error)
        return None
