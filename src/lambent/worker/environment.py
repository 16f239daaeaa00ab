"""One execution environment: a life with one owner.

`live` is the only task and does all that takes time: making the box, init, giving everything
back. What happens on a warm invocation is plain calls on the event loop: `assign` hands the
event to the runtime that waits in `/next`; the runtime's answer comes back through the
`RuntimeListener` methods and ends the invocation. No task is made, no lock is taken.

After a failure (time-out, exit) the runtime is given up and the environment is `RESET`: it
keeps `/tmp` and its log stream, and its next invocation begins with an init of its own, within
the function's time-out, as AWS's "suppressed init".
"""

import asyncio
import contextlib
import dataclasses
import functools
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio

from lambent.kit.clock import Clock
from lambent.kit.http.server import HttpServer
from lambent.kit.tasks import shielded
from lambent.model.credentials import Credentials
from lambent.model.errors import ApiError
from lambent.model.function import FunctionVersion
from lambent.model.invocation import (
    FunctionFailed,
    Invocation,
    Outcome,
    Refused,
    Succeeded,
)
from lambent.sandbox.ports import ExitStatus, Sandboxes, Volume
from lambent.telemetry import report
from lambent.telemetry.ports import Logs
from lambent.worker.failures import crashed, invalid_entrypoint, oversized_response, timed_out
from lambent.worker.invocation_log import InvocationLog
from lambent.worker.lifecycle import LEGAL, State
from lambent.worker.runtime import NetworkServices, Runtime, open_runtime
from lambent.worker.runtime_api import RuntimeApi
from lambent.worker.runtimes import Launch
from lambent.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What every environment on this worker shares."""

    settings: WorkerSettings
    sandboxes: Sandboxes
    logs: Logs
    clock: Clock
    launch: Callable[[FunctionVersion], Awaitable[Launch]]
    """Lays out code and runtime of a function; raises `ApiError` if its runtime is missing."""
    endpoint: Callable[[], HttpServer]
    """Makes a server for the platform's API inside a box."""
    network: NetworkServices
    credentials: Callable[[FunctionVersion], Credentials]
    """Temporary credentials of a function's execution role, which outlive any environment."""


@dataclasses.dataclass(frozen=True, slots=True)
class _InitFailure:
    """Init ended without the runtime asking for work."""

    status: str
    """`error` or `timeout`."""
    error_type: str | None = None
    outcome: Callable[[str], Outcome] | None = None
    """The failure as the outcome of the request with this id, should it repeat in an invoke."""


_CUT = _InitFailure("timeout")
"""Init was cut from outside: by its own limit or by the end of the invocation it was part of."""


class _Start:
    """One attempt to start a runtime. What an older attempt still reports is ignored."""

    def __init__(self, listener: "Environment") -> None:
        self.api = RuntimeApi(listener)
        self.stack = contextlib.AsyncExitStack()
        self.result: asyncio.Future[_InitFailure | None] = (
            asyncio.get_running_loop().create_future()
        )

    def settle(self, result: _InitFailure | None) -> None:
        """Init is over; only the first word counts."""
        if not self.result.done():
            self.result.set_result(result)


class Environment:
    """A copy of one function version. Runs one invocation at a time.

    `on_free(environment)` is called on the loop whenever the environment can take an
    invocation: after init (even a failed one) and after each outcome. `on_gone(environment)`
    is called once, when it will never take another.
    """

    def __init__(
        self,
        function: FunctionVersion,
        host: Host,
        *,
        on_free: Callable[["Environment"], None],
        on_gone: Callable[["Environment"], None],
    ) -> None:
        self.id = uuid.uuid4().hex
        self.function = function
        self.began_at = host.clock.monotonic()
        """Monotonic seconds."""
        self.idle_since = self.began_at
        """Monotonic seconds; meaningful while free."""
        self._host = host
        self._on_free = on_free
        self._on_gone = on_gone
        self._state = State.CREATING
        self._failure: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._retired = False

        today = datetime.fromtimestamp(host.clock.now(), UTC).date()
        self._stream_name = report.stream_name(function.version, self.id, today)
        self._log = InvocationLog(
            host.logs.open_stream(
                function.key.account,
                function.key.region,
                function.logging.log_group,
                self._stream_name,
            ),
            host.clock,
        )

        self._start: _Start | None = None
        self._runtime: Runtime | None = None
        """The runtime that takes invocations; None before init and after a failure."""
        self._volume: Volume | None = None
        """`/tmp`: it outlives a runtime."""
        self._init_ms: float | None = None
        """Duration of the init phase, until the first report has told it."""

        self._invocation: Invocation | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began = 0.0

    @property
    def state(self) -> State:
        """Where in its life the environment is."""
        return self._state

    @property
    def failure(self) -> Exception | None:
        """Why the environment is gone without ever having been free, if that is so."""
        return self._failure

    # -- the warm path ---------------------------------------------------------------------

    def assign(self, invocation: Invocation) -> None:
        """Run an invocation; only for a free environment. Its outcome is reported once."""
        self._enter(State.BUSY)
        self._invocation = invocation
        self._began = self._host.clock.monotonic()
        self._timer = self._loop.call_later(self.function.timeout_s, self._on_deadline)
        self._log.begin(invocation)
        runtime = self._runtime
        if runtime is None:
            self._wake.set()
        else:
            runtime.thaw()
            runtime.api.deliver(invocation, self._deadline_ms())

    def on_ready(self) -> None:
        """See `RuntimeListener`."""
        if self._start is not None:
            self._start.settle(None)

    def on_response(self, payload: bytes, content_type: str) -> None:
        """See `RuntimeListener`."""
        self._end(Succeeded(payload, content_type))

    def on_error(self, payload: bytes, error_type: str) -> None:
        """See `RuntimeListener`."""
        self._end(FunctionFailed(payload, error_type))

    def on_oversized_response(self) -> None:
        """See `RuntimeListener`."""
        self._end(oversized_response())

    def on_init_error(self, payload: bytes, error_type: str) -> None:
        """See `RuntimeListener`."""
        if self._start is not None:
            outcome = FunctionFailed(payload, error_type)
            self._start.settle(_InitFailure("error", error_type, lambda _: outcome))

    def _end(
        self, outcome: Outcome, *, status: str | None = None, error_type: str | None = None
    ) -> None:
        """Close the books of the current invocation and report its outcome."""
        invocation, self._invocation = self._invocation, None
        if invocation is None:
            return
        elapsed_s = self._host.clock.monotonic() - self._began
        # A timer may be a fraction of a millisecond early, or late.
        limit_s = self.function.timeout_s
        duration_s = limit_s if status == "timeout" else min(elapsed_s, limit_s)
        if self._timer is not None:
            self._timer.cancel()
        runtime = self._runtime
        if runtime is not None:
            runtime.output.drain()
            self._log.note_memory(runtime.box.memory_peak_bytes())
        self._log.end(
            invocation,
            duration_ms=duration_s * 1000,
            init_ms=self._init_ms,
            status=status,
            error_type=error_type,
        )
        self._init_ms = None
        self._enter(State.IDLE if runtime is not None else State.RESET)
        self.idle_since = self._began + elapsed_s
        invocation.on_done(outcome)
        if self._retired:
            self._wake.set()
        else:
            self._on_free(self)

    # -- between invocations ---------------------------------------------------------------

    def freeze(self) -> None:
        """Stop an idle environment's processes until its next invocation."""
        runtime = self._runtime
        if self._state is State.IDLE and runtime is not None and runtime.api.is_waiting:
            runtime.output.drain()
            runtime.freeze()
            self._enter(State.FROZEN)

    def retire(self) -> None:
        """End the environment: at once if it is free, else after its invocation."""
        self._retired = True
        self._wake.set()

    def resume_output(self) -> None:
        """Read the function's output again if reading stopped and the log store has room."""
        if self._runtime is not None:
            self._runtime.output.resume()

    # -- what goes wrong -------------------------------------------------------------------

    def _on_deadline(self) -> None:
        invocation = self._invocation
        if invocation is not None:
            self._give_up_runtime()
            outcome = timed_out(invocation.request_id, self.function.timeout_s)
            self._end(outcome, status="timeout")

    def _on_exit(self, start: _Start, status: ExitStatus) -> None:
        if start is not self._start:
            return
        if not start.result.done():
            error_type = "Runtime.OutOfMemory" if status.out_of_memory else "Runtime.ExitError"
            start.settle(_InitFailure("error", error_type, lambda id_: crashed(id_, status)))
            return
        invocation = self._invocation
        was_running = invocation is not None and not start.api.keeps(invocation)
        self._give_up_runtime()
        if invocation is not None and was_running:
            outcome = crashed(invocation.request_id, status)
            self._end(outcome, status="error", error_type=outcome.error_type)

    def _give_up_runtime(self) -> None:
        """The runtime is dead or has to die: listen to it no more, let `live` clear it away."""
        runtime, self._runtime = self._runtime, None
        if self._start is not None:
            self._start.api.detach()
            self._start.settle(_CUT)
        if runtime is not None:
            runtime.output.drain()
            self._log.note_memory(runtime.box.memory_peak_bytes())
        if self._state in (State.IDLE, State.FROZEN):
            self._enter(State.RESET)
        self._wake.set()

    # -- the life --------------------------------------------------------------------------

    async def live(self) -> None:
        """From nothing to nothing: the environment's only task."""
        try:
            launch = await self._host.launch(self.function)
            try:
                await self._serve(launch)
            finally:
                await self._close_box()
                if self._volume is not None:
                    await shielded(self._volume.close)
        except Exception as error:
            # One environment's failure is not the platform's: whoever waits for it is told.
            self._failure = error
            if not isinstance(error, ApiError):
                logger.exception("environment %s of %s failed", self.id, self.function.arn)
        finally:
            self._runtime = None
            if self._invocation is not None:
                refusal = ApiError("ServiceException", "The environment was shut down.", status=500)
                self._end(Refused(refusal), status="error", error_type="Sandbox.Failure")
            self._log.close()
            self._enter(State.GONE)
            self._on_gone(self)

    async def _serve(self, launch: Launch) -> None:
        self._log.line(report.init_start(self.function.runtime))
        await self._init(launch)
        while not (self._retired and self._invocation is None):
            await self._wake.wait()
            self._wake.clear()
            if self._runtime is None:
                await self._close_box()
                if self._invocation is not None:
                    await self._init_in_invoke(self._invocation, launch)

    async def _init(self, launch: Launch) -> None:
        """The init phase, ahead of any invocation."""
        self._enter(State.INITIALIZING)
        started = self._host.clock.monotonic()
        failure: _InitFailure | None = _CUT
        with anyio.move_on_after(self._host.settings.init_limit_s):
            failure = await self._start_runtime(launch)
        init_ms = (self._host.clock.monotonic() - started) * 1000
        if failure is None:
            self._init_ms = init_ms
            self._enter(State.IDLE)
        else:
            self._give_up_runtime()
            self._log.line(report.init_report(init_ms, "init", failure.status, failure.error_type))
            self._enter(State.RESET)
        self.idle_since = self._host.clock.monotonic()
        if not self._retired:
            self._on_free(self)

    async def _init_in_invoke(self, invocation: Invocation, launch: Launch) -> None:
        """The init of an environment without a runtime, on the invocation's time."""
        failure = await self._start_runtime(launch)
        if self._invocation is not invocation:
            return
        if failure is None and self._runtime is not None:
            self._runtime.api.deliver(invocation, self._deadline_ms())
        elif failure is not None and failure.outcome is not None:
            self._give_up_runtime()
            outcome = failure.outcome(invocation.request_id)
            self._end(outcome, status="error", error_type=failure.error_type)

    async def _start_runtime(self, launch: Launch) -> _InitFailure | None:
        """Start a runtime in a new box and wait until it asks for work (None) or fails to."""
        if launch.missing_entrypoint:
            return _InitFailure("error", "Runtime.InvalidEntrypoint", invalid_entrypoint)
        start = self._start = _Start(self)
        runtime = await start.stack.enter_async_context(
            open_runtime(
                sandboxes=self._host.sandboxes,
                volume=self._volume,
                launch=launch,
                log_stream_name=self._stream_name,
                function=self.function,
                stream=self._log.stream,
                clock=self._host.clock,
                api=start.api,
                on_exit=functools.partial(self._on_exit, start),
                on_line=self._log.observe,
                endpoint=self._host.endpoint,
                network=self._host.network,
                credentials=self._host.credentials(self.function),
            )
        )
        self._volume = runtime.volume
        failure = await start.result
        if failure is None:
            runtime.box.limit_cpu()
            self._runtime = runtime
        else:
            runtime.output.drain()
            self._log.note_memory(runtime.box.memory_peak_bytes())
        return failure

    async def _close_box(self) -> None:
        """Kill what the last attempt started and give its box back."""
        start, self._start = self._start, None
        if start is not None:
            start.api.detach()
            await shielded(start.stack.aclose)

    def _deadline_ms(self) -> int:
        elapsed_s = self._host.clock.monotonic() - self._began
        return int((self._host.clock.now() - elapsed_s + self.function.timeout_s) * 1000)

    def _enter(self, state: State) -> None:
        assert state is self._state or state in LEGAL[self._state], (
            f"cannot go from {self._state.name} to {state.name}"
        )
        self._state = state
