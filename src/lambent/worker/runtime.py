"""A runtime process in its box, with everything the platform serves to it.

Opened for each init, closed on reset: what is inside never survives a failure, so a new one
starts clean. Only `/tmp` (the volume) and the log stream belong to the environment and outlive
it.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from lambent.kit.clock import Clock
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.kit.tasks import shielded
from lambent.model.function import FunctionVersion
from lambent.sandbox.ports import Box, BoxSpec, ExitStatus, ProcessSpec, Sandboxes, Volume
from lambent.telemetry.ports import LogStream
from lambent.worker.output import Output
from lambent.worker.runtime_api import RESPONSE_BYTES_MAX, RuntimeApi
from lambent.worker.runtimes import Launch
from lambent.worker.variables import environment_variables

NetworkServices = Callable[[Box], AbstractAsyncContextManager[None]]
"""Serves a box's way out: egress and name resolution."""

_RUNTIME_API_LIMITS = HttpLimits(body_bytes_max=RESPONSE_BYTES_MAX, connections_max=64)


class Runtime:
    """One started runtime."""

    def __init__(self, box: Box, api: RuntimeApi, output: Output) -> None:
        self.box = box
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
    volume: Volume,
    clock: Clock,
    stream: LogStream,
    log_stream_name: str,
    api: RuntimeApi,
    endpoint: Callable[[], HttpServer],
    network: NetworkServices,
    on_exit: Callable[[ExitStatus], None],
    on_line: Callable[[bytes], None],
) -> AsyncIterator[Runtime]:
    """Build a box, serve it and start the runtime in it; on exit everything inside is dead.

    Raises `SandboxError` if the host cannot build the box or execute the runtime.
    """
    async with contextlib.AsyncExitStack() as stack:
        box = await sandboxes.open_box(
            BoxSpec(memory_mb=function.memory_mb, mounts=launch.mounts, volume=volume)
        )
        stack.push_async_callback(shielded, box.close)
        runtime_api = HttpServer(api.handle, _RUNTIME_API_LIMITS, oversized=api.handle_oversized)
        for server, sock in ((runtime_api, box.runtime_api), (endpoint(), box.endpoint)):
            await server.start(sock)
            stack.push_async_callback(shielded, server.close)
        await stack.enter_async_context(network(box))
        process = await box.spawn(
            ProcessSpec(
                argv=launch.argv,
                environment=environment_variables(
                    function, launch=launch, log_stream=log_stream_name
                ),
                log_pipe_variable=launch.log_pipe_variable,
            ),
            on_exit,
        )
        output = Output(process, stream, clock, on_line)
        stack.callback(output.close)
        yield Runtime(box, api, output)
