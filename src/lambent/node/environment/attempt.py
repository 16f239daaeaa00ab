"""One attempt to have a runtime ready: a box, its extensions, the runtime, and their end.

A new attempt is made for each init. Nothing inside survives a failure: the attempt is given up, and
with it everything in the box. Reports of an older attempt name it, so that they are never mistaken
for the current one's. Only `/tmp` (the volume) and the log belong to the environment and outlive an
attempt.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import anyio

from lambent.kit.tasks import shielded, start_task
from lambent.model.function import FunctionVersion
from lambent.node.apis.credentials_api import CredentialsApi
from lambent.node.apis.extensions_api import (
    EXTENSIONS_MAX,
    Extension,
    ExtensionsApi,
    ExtensionsListener,
)
from lambent.node.apis.runtime_api import RuntimeApi, RuntimeListener
from lambent.node.apis.subscriptions import Subscription
from lambent.node.apis.telemetry_api import SubscriptionRequest, TelemetryApi
from lambent.node.environment.context import NodeContext
from lambent.node.environment.environment_log import EnvironmentLog
from lambent.node.environment.failures import (
    CUT,
    Failure,
    Fault,
    extension_exited,
    extension_failed,
    missing_entrypoint,
    not_executable,
    runtime_exited,
)
from lambent.node.environment.open_box import Apis, OpenBox, open_box
from lambent.node.environment.output import Output
from lambent.node.environment.variables import (
    SNAP_START,
    environment_variables,
    extension_variables,
)
from lambent.node.languages.launch import EXTENSIONS_DIR, LAYERS_ROOT, TASK_ROOT, LaunchSpec
from lambent.sandbox.ports import (
    BoxUsage,
    ExitStatus,
    NotExecutable,
    Process,
    ProcessSpec,
    SandboxBusy,
    SandboxError,
    Snapshot,
    Traffic,
    Volume,
)

_INTERNAL_BUDGET_S, _EXTERNAL_BUDGET_S = 0.5, 2.0
"""What shutting down may take when there are extensions; without any it takes no time."""
_RUNTIME_SHARE = 0.3
"""The runtime's share of it, to end by itself."""


class AttemptListener(RuntimeListener, ExtensionsListener, Protocol):
    """What an environment wants to know of its attempt."""

    def on_failure(self, attempt: "Attempt", fault: Fault, failure: Failure) -> None:
        """A process has ended by itself."""
        ...


class Attempt:
    """See the module."""

    def __init__(
        self,
        listener: AttemptListener,
        host: NodeContext,
        function: FunctionVersion,
        launch: LaunchSpec,
        log: EnvironmentLog,
        *,
        initialization_type: str,
    ) -> None:
        self._listener = listener
        self._host = host
        self._function = function
        self._launch = launch
        self._log = log
        token = secrets.token_urlsafe() if initialization_type == SNAP_START else ""
        self._variables = environment_variables(
            function,
            launch=launch,
            log_stream=log.stream_name,
            credentials=host.roles.credentials(function),
            initialization_type=initialization_type,
            credentials_token=token,
        )
        self._credentials = CredentialsApi(token, partial(host.roles.credentials, function))
        self.api = RuntimeApi(listener)
        self.extensions = ExtensionsApi(listener, function, launch.extensions)
        self.telemetry = TelemetryApi(self.extensions, self._subscribe)
        self.init_is_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: Failure | None = None
        """Why init failed, if it did. A successful init may still fail until its success is
        noticed."""
        self._stack = contextlib.AsyncExitStack()
        self._box: OpenBox | None = None
        self._outputs: list[Output] = []
        self._processes: dict[str, Process] = {}
        """The running processes, by the extension's name; the runtime's name is empty."""
        self._ended = asyncio.Event()
        """A process has ended."""
        self._subscriptions: list[Subscription] = []
        self._is_frozen = False
        self._is_stopping = False
        self.is_given_up = False

    @property
    def volume(self) -> Volume | None:
        """`/tmp`, once there is a box."""
        return self._box.volume if self._box is not None else None

    # -- init ------------------------------------------------------------------------------

    async def open(self, volume: Volume | None, snapshot: Snapshot | None = None) -> None:
        """Have the box built; `init` comes next. Afterwards `volume` is set, and is the
        environment's. Raises `SandboxError`."""
        self._box = await self._stack.enter_async_context(
            open_box(
                host=self._host,
                function=self._function,
                launch=self._launch,
                volume=volume,
                snapshot=snapshot,
                variables=self._variables,
                apis=Apis(self.api, self.extensions, self.telemetry, self._credentials),
                on_exit=partial(self._on_exit, ""),
            )
        )

    async def init(self, limit_s: float | None, limit: Failure = CUT) -> Failure | None:
        """Start extensions and runtime, and wait until all of them are ready. Returns why they are
        not; that is `limit` if it takes longer than `limit_s`. Raises `SandboxError`."""
        with anyio.move_on_after(limit_s):
            await self._start()
            await asyncio.wait({self.init_is_over})
        if not self.init_is_over.done():
            self.settle(limit)
        return self.failure

    async def _start(self) -> None:
        """Start all processes, or follow the runtime that a template or a snapshot has started."""
        box = self._box
        assert box is not None
        if box.process is not None:
            self._follow("", box.process, self._log.function_line)
            return
        if len(self._launch.extensions) > 0:
            await self._start_extensions(box)
        if not self.init_is_over.done():
            await self._start_runtime(box)

    async def _start_extensions(self, box: OpenBox) -> None:
        """Start the external extensions and wait until all have registered or one has failed."""
        names = self._launch.extensions
        if len(names) > EXTENSIONS_MAX:
            message = f"{len(names)} extensions are too many: {EXTENSIONS_MAX} at most"
            self._fail_extension("Extension.LaunchError", message)
            return
        variables = extension_variables(self._variables)
        for name in names:
            spec = ProcessSpec(argv=(f"{EXTENSIONS_DIR}/{name}",), environment=variables)
            try:
                process = await box.box.spawn(spec, partial(self._on_exit, name))
            except SandboxBusy:
                raise
            except SandboxError as error:
                self._log.extension(name, "LaunchError", (), "Extension.LaunchError")
                self._fail_extension("Extension.LaunchError", f"{name}: {error}")
                return
            self._follow(name, process, self._log.extension_line)
            if self.init_is_over.done():
                return
        futures: set[asyncio.Future[Any]] = {self.init_is_over, self.extensions.all_registered}
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)

    def _fail_extension(self, error_type: str, message: str) -> None:
        self.settle(extension_failed(error_type, message))

    async def _start_runtime(self, box: OpenBox) -> None:
        if self._launch.missing_entrypoint:
            self.settle(missing_entrypoint())
            return
        spec = ProcessSpec(
            argv=self._launch.argv,
            environment=self._variables,
            log_pipe_variable=self._launch.log_pipe_variable,
        )
        try:
            process = await box.box.spawn(spec, partial(self._on_exit, ""))
        except NotExecutable as error:
            program = self._launch.argv[0]
            if not program.startswith((f"{TASK_ROOT}/", f"{LAYERS_ROOT}/")):
                raise  # The host's interpreter is broken, not the function.
            self.settle(not_executable(program, error.reason))
            return
        self._follow("", process, self._log.function_line)

    async def take_snapshot(self) -> Snapshot:
        """Capture the runtime. Raises `SandboxError`."""
        if self._launch.extensions or self.extensions.registered:
            raise SandboxError("it has extensions")
        process = self._processes.get("")
        if self._box is None or process is None or not self._box.is_prepared:
            raise SandboxError("its runtime was executed, not started from a template")
        size_mb_max = self._host.snapshots.bytes_max >> 20
        if size_mb_max == 0:
            raise SandboxError("snapshots are turned off: worker.snapshots_mb is 0")
        return await self._host.sandboxes.take_snapshot(self._box.box, process, size_mb_max)

    def note_progress(self) -> None:
        """Init is over if the runtime and all extensions are ready."""
        if not self.init_is_over.done() and self.api.has_asked and self.extensions.all_started:
            for extension in self.extensions.registered:
                self._log.extension(extension.name, extension.state, extension.events)
            self.settle(None)

    def settle(self, failure: Failure | None) -> None:
        """Init is over. Only the first failure counts."""
        self.failure = self.failure or failure
        if not self.init_is_over.done():
            self.telemetry.close()
            self.extensions.close_registration()
            self.init_is_over.set_result(None)

    def give_up(self) -> None:
        """What is in the box is dead, or has to die: listen to it no more. `shut_down` and `close`
        come next."""
        self.is_given_up = True
        self.api.detach()
        self.settle(CUT)
        if not self.has_extensions:
            self.freeze()  # Nothing may run on until it is killed.

    # -- between init and end --------------------------------------------------------------

    def freeze(self) -> None:
        """Stop every process in the box."""
        if self._box is not None and not self._is_frozen:
            self._is_frozen = True
            self._box.box.freeze()
            for subscription in self._subscriptions:
                subscription.freeze()

    def thaw(self) -> None:
        """Let the box's processes continue, if they were stopped."""
        if self._is_frozen and self._box is not None:
            self._is_frozen = False
            self._box.box.thaw()
            for subscription in self._subscriptions:
                subscription.thaw()

    def limit_cpu(self) -> None:
        """Init is over: the function's share of the processors applies."""
        if self._box is not None:
            self._box.box.limit_cpu()

    def drain(self) -> None:
        """Log everything printed so far, and note how much memory was used."""
        for output in self._outputs:
            output.drain()
        if self._box is not None:
            self._log.note_memory(self._box.box.memory_peak_bytes())

    def usage(self) -> tuple[BoxUsage, Traffic] | None:
        """What the box uses now, and its traffic; None while there is no box."""
        box = self._box
        return None if box is None else (box.box.usage(), box.traffic)

    def resume_output(self) -> None:
        """Read the processes' output again if reading stopped because the log store was full."""
        for output in self._outputs:
            output.resume()

    @property
    def has_extensions(self) -> bool:
        """Whether extensions have registered: its end takes time then."""
        return bool(self.extensions.registered)

    def _subscribe(self, extension: Extension, request: SubscriptionRequest) -> None:
        assert self._box is not None
        subscription = Subscription(
            extension.name, request, self._box.box.open_socket, self._host.clock
        )
        self._subscriptions.append(subscription)
        self._stack.callback(subscription.close)
        self._log.subscribe(subscription)
        start_task(self._host.tasks, None, subscription.run)

    def _follow(
        self, name: str, process: Process, on_line: Callable[[int, str, bytes], None]
    ) -> None:
        output = Output(process, self._log.stream, self._host.clock, on_line)
        self._outputs.append(output)
        self._processes[name] = process
        self._stack.callback(output.close)

    # -- ends ------------------------------------------------------------------------------

    def _on_exit(self, name: str, status: ExitStatus) -> None:
        self._processes.pop(name, None)
        self._ended.set()
        self._ended = asyncio.Event()
        if self._is_stopping:
            return
        if name:
            self._listener.on_failure(self, Fault.EXTENSION, extension_exited(status))
        else:
            self._listener.on_failure(self, Fault.RUNTIME, runtime_exited(status))

    async def shut_down(self, reason: str) -> None:
        """Let the runtime and the extensions end in order, within their budget. `reason` is
        `spindown`, `timeout` or `failure`. Without extensions there is nothing to wait for."""
        self._is_stopping = True
        box = self._box
        if box is None or not self.has_extensions:
            return
        self.thaw()
        self.api.detach()
        is_external = any(extension.is_external for extension in self.extensions.registered)
        budget_s = _EXTERNAL_BUDGET_S if is_external else _INTERNAL_BUDGET_S
        clock = self._host.clock
        deadline = clock.monotonic() + budget_s
        await self._end_runtime(box, budget_s * _RUNTIME_SHARE)
        if not is_external:
            return
        # Before the last event, because most extensions end when they get it.
        with anyio.move_on_after(budget_s * _RUNTIME_SHARE):
            for subscription in self._subscriptions:
                await subscription.flush()
        left_s = max(deadline - clock.monotonic(), 0.0)
        notified = self.extensions.shut_down(reason, int((clock.now() + left_s) * 1000))
        for name, process in list(self._processes.items()):
            if name not in notified:
                box.box.signal(process, signal.SIGKILL)
        with anyio.move_on_after(left_s):
            while self._processes:
                await self._ended.wait()

    async def _end_runtime(self, box: OpenBox, budget_s: float) -> None:
        process = self._processes.get("")
        if process is None:
            return
        box.box.signal(process, signal.SIGTERM)
        with anyio.move_on_after(budget_s):
            while "" in self._processes:
                await self._ended.wait()
        box.box.signal(process, signal.SIGKILL)

    async def close(self) -> None:
        """Kill every process that is left, and close the box. Idempotent."""
        self._is_stopping = True
        self.api.detach()
        await shielded(self._stack.aclose)
