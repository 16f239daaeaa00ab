"""One execution environment: a life with one owner.

`live` is the only task and does all that takes time: making the box, init, giving everything
back. What happens on a warm invocation is plain calls on the event loop: `assign` hands the
event to the runtime that waits in `/next`; the runtime's answer comes back through the
`RuntimeListener` methods and ends the invocation. No task is made, no lock is taken.

The caller is answered as soon as the runtime has answered. The invocation is over then, too,
unless there are extensions that follow invocations: then it lasts until they and the runtime wait
again.

After a failure (timeout, exit) everything in the box is given up and the environment is `RESET`:
it keeps `/tmp` and its log stream, and its next invocation begins with an init of its own, within
the function's timeout, as AWS's "suppressed init".
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import anyio

from lambent.kit.tasks import shielded
from lambent.kit.turns import Turn
from lambent.model.errors import ApiError
from lambent.model.function import FunctionVersion
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    InvocationRequest,
    Outcome,
    Refused,
    Reply,
    ResponseSink,
    RunReport,
    Succeeded,
)
from lambent.node.environment.attempt import CUT, Attempt, InitFailure
from lambent.node.environment.environment_log import EnvironmentLog
from lambent.node.environment.failures import (
    NoCapacity,
    crashed,
    describe_exit,
    of_extension,
    oversized_response,
    reason_of,
    refusal,
    timed_out,
)
from lambent.node.environment.host import NodeContext
from lambent.node.environment.lifecycle import TRANSITIONS, EnvironmentState
from lambent.node.environment.streamed_response import StreamedResponse
from lambent.node.environment.variables import SNAP_START
from lambent.node.languages.launch import LaunchSpec
from lambent.sandbox.ports import ExitStatus, SandboxBusy, SandboxError, Snapshot, Volume
from lambent.telemetry import events, report

logger = logging.getLogger(__name__)

INIT_LIMIT_S_MIN = 130.0
"""What init may take at least where nobody waits for it."""
_RESTORE_LIMIT_S = 10.0
_REASON_MAX = 500
_SHUT_DOWN = ApiError("ServiceException", "The environment was shut down.", status=500)
_RESTORE_TIMED_OUT = InitFailure(
    "timeout",
    None,
    lambda _: Refused(
        ApiError(
            "SnapStartTimeoutException",
            "Lambda couldn't restore the snapshot within the timeout limit.",
            status=408,
        )
    ),
)


class Environment:
    """A copy of one function version. Runs one invocation at a time.

    `on_free(environment)` is called on the loop whenever the environment can take an
    invocation: after init (even a failed one) and after each invocation.
    `on_responded(environment)` is called when a caller has been answered and extensions still have
    to come to an end with it. `on_gone(environment)` is called once, when it will never take
    another.
    """

    def __init__(
        self,
        function: FunctionVersion,
        host: NodeContext,
        *,
        on_free: Callable[["Environment"], None],
        on_responded: Callable[["Environment"], None],
        on_gone: Callable[["Environment"], None],
        initialization_type: str = "on-demand",
    ) -> None:
        self.id = uuid.uuid4().hex
        self.function = function
        self.initialization_type = initialization_type
        """`on-demand` or `provisioned-concurrency`."""
        self.began_at = host.clock.monotonic()
        """Monotonic seconds."""
        self.idle_since = self.began_at
        """Monotonic seconds; meaningful while free."""
        self._host = host
        self._on_free = on_free
        self._on_told = on_responded
        self._on_gone = on_gone
        self._state = EnvironmentState.CREATING
        self._failure: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._gone = asyncio.Event()
        self._retired = False

        today = datetime.fromtimestamp(host.clock.now(), UTC).date()
        self._stream_name = report.stream_name(function.version, self.id, today)
        self._log = EnvironmentLog(
            host.logs.open_stream(
                function.key.account,
                function.key.region,
                function.logging.log_group,
                self._stream_name,
            ),
            host.clock,
            function,
            environment_id=self.id,
            initialization_type=initialization_type,
        )

        self._attempt: Attempt | None = None
        """What the box holds, from the beginning of its init until it has been cleared away."""
        self._is_up = False
        """Whether its runtime takes invocations."""
        self._end_reason = "spindown"
        """What extensions are told of the end."""
        self._volume: Volume | None = None
        """`/tmp`: it outlives an attempt."""
        self._init_ms: float | None = None
        """Duration of the init phase, until the first report has told it."""
        self._restore_ms: float | None = None
        """The same of a restore."""
        self._turn: Turn | None = None
        """Its turn to have a box built."""
        self._phase = "init"
        self._began_init = 0.0
        self._began_restore: float | None = None

        self._invocation: InvocationRequest | None = None
        """The request that is being run."""
        self._reply: Reply | None = None
        """Its reply, until the outcome is there."""
        self._queued_s = 0.0
        """Seconds for which it has waited for this environment."""
        self._has_responded = False
        """Whether its caller has its outcome already: extensions still work."""
        self._timer: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._streamed: StreamedResponse | None = None
        self._answered_s = 0.0
        """Seconds it took until the runtime had answered."""

    @property
    def state(self) -> EnvironmentState:
        """Where in its life the environment is."""
        return self._state

    @property
    def failure(self) -> Exception | None:
        """Why the environment is gone without ever having been free, if that is so."""
        return self._failure

    @property
    def is_queued(self) -> bool:
        """Whether nothing has been begun for it: its turn has not come yet."""
        has_begun = self._turn is not None and not self._turn.is_waiting
        return self._state is EnvironmentState.CREATING and not has_begun

    @property
    def needs_shutdown_event(self) -> bool:
        """Whether it is idle and has extensions that want to hear of its end."""
        is_idle = self._state in (EnvironmentState.IDLE, EnvironmentState.FROZEN)
        return is_idle and self._attempt is not None and self._attempt.has_extensions

    async def wait_gone(self) -> None:
        """Return when everything was given back."""
        await self._gone.wait()

    # -- the warm path ---------------------------------------------------------------------

    def assign(
        self, request: InvocationRequest, reply: Reply, waiting_since: float | None = None
    ) -> None:
        """Run a request, which may have waited since a monotonic time; only for a free
        environment."""
        self._enter(EnvironmentState.BUSY)
        self._invocation, self._reply = request, reply
        self._began = self._host.clock.monotonic()
        self._queued_s = 0.0 if waiting_since is None else self._began - waiting_since
        self._timer = self._loop.call_later(self.function.timeout_s, self._on_deadline)
        self._log.start(request)
        attempt = self._attempt
        if attempt is None or not self._is_up:
            self._wake.set()
        else:
            attempt.thaw()
            self._deliver(attempt, request)

    def _deliver(self, attempt: Attempt, request: InvocationRequest) -> None:
        deadline_ms = self._deadline_ms()
        attempt.api.deliver(request, deadline_ms)
        if attempt.extensions.follow_invocations:
            attempt.extensions.invoke(request, deadline_ms)

    def on_ready(self) -> None:
        """See `RuntimeListener`."""
        self._note_progress()

    def on_extension_waiting(self) -> None:
        """See `ExtensionsListener`."""
        self._note_progress()

    def on_response(self, payload: bytes, content_type: str) -> None:
        """See `RuntimeListener`."""
        streamed = self._streamed
        if streamed is not None:
            self._complete(streamed.outcome())
        else:
            self._complete(Succeeded(payload, content_type), produced_bytes=len(payload))

    def on_error(self, payload: bytes, error_type: str) -> None:
        """See `RuntimeListener`."""
        self._complete(FunctionFailed(payload, error_type), error_type=error_type)

    def on_oversized_response(self) -> None:
        """See `RuntimeListener`."""
        outcome = oversized_response()
        self._complete(outcome, error_type=outcome.error_type)

    def on_stream(self, content_type: str, resume: Callable[[], None]) -> ResponseSink:
        """See `RuntimeListener`."""
        assert self._invocation is not None
        sink = self._reply if self._invocation.wants_stream else None
        latency_s = self._host.clock.monotonic() - self._began
        self._streamed = StreamedResponse(sink, content_type, latency_s)
        self._streamed.begin(content_type, resume)
        return self._streamed

    def _complete(
        self, outcome: Outcome, *, error_type: str | None = None, produced_bytes: int = 0
    ) -> None:
        """The runtime has answered. It is over unless extensions have work left."""
        invocation, attempt = self._invocation, self._attempt
        if invocation is None or attempt is None or self._has_responded:
            return
        self._answered_s = self._host.clock.monotonic() - self._began
        if self._streamed is not None:
            produced_bytes = self._streamed.count
        if not self._log.is_plain:
            attempt.drain()
            self._note_runtime_done(error_type, produced_bytes)
        if not attempt.extensions.follow_invocations:
            self._end(outcome)
            return
        self._has_responded = True
        attempt.drain()
        self._on_told(self)
        self._log.stream.when_written(self._make_finish(outcome, self._answered_s))
        self._note_progress()

    def _make_finish(self, outcome: Outcome, duration_s: float) -> Callable[[], None]:
        """What gives the current invocation's outcome to its reply, once its log is written."""
        reply, self._reply = self._reply, None
        assert reply is not None
        if self._streamed is not None:
            response_bytes = self._streamed.count
        else:
            response_bytes = 0 if isinstance(outcome, Refused) else len(outcome.payload)
        init_ms = self._init_ms if self._restore_ms is None else self._restore_ms
        ran_out = outcome.error_type == "Runtime.OutOfMemory"
        report = RunReport(
            queued_s=self._queued_s,
            init_s=None if init_ms is None else init_ms / 1000,
            duration_s=duration_s,
            memory_used_mb=self.function.memory_mb if ran_out else self._log.memory_used_mb,
            response_bytes=response_bytes,
            log_tail=self._log.take_tail(),
        )
        return partial(reply.finish, outcome, report)

    def _note_progress(self) -> None:
        """Runtime or extension wait for what comes next: init, or the invocation, may be over."""
        attempt = self._attempt
        if attempt is None:
            return
        if not attempt.result.done():
            if attempt.api.has_asked:
                attempt.extensions.close_registration()
            attempt.note_progress()
        elif self._has_responded and attempt.api.is_waiting and attempt.extensions.all_waiting:
            self._end(None)

    def _end(
        self, outcome: Outcome | None, *, status: str | None = None, error_type: str | None = None
    ) -> None:
        """Close the books of the current invocation and report its outcome, unless its caller has
        that already."""
        invocation, self._invocation = self._invocation, None
        if invocation is None:
            return
        elapsed_s = self._host.clock.monotonic() - self._began
        # A timer may be a fraction of a millisecond early, or late.
        limit_s = self.function.timeout_s
        duration_s = limit_s if status == "timeout" else min(elapsed_s, limit_s)
        if self._timer is not None:
            self._timer.cancel()
        attempt = self._attempt
        if attempt is not None and self._is_up:
            attempt.drain()
        if status is not None and not self._has_responded:
            kind = error_type or "Sandbox.Timedout"
            if not self._log.is_plain:
                self._log.fault(invocation.request_id, status, kind)
                self._note_runtime_done(kind, 0, invocation, status)
        self._log.end(
            invocation,
            duration_ms=duration_s * 1000,
            init_ms=self._init_ms,
            restore_ms=self._restore_ms,
            status=status,
            error_type=error_type,
            reason=reason_of(outcome) if isinstance(outcome, Crashed) else "",
        )
        has_responded, self._has_responded = self._has_responded, False
        finish = None
        if outcome is not None and not has_responded:
            finish = self._make_finish(outcome, duration_s)
        self._init_ms = self._restore_ms = None
        self._streamed = None
        self._enter(EnvironmentState.IDLE if self._is_up else self._state_after_failure())
        self.idle_since = self._began + elapsed_s
        if finish is not None:
            # A caller that hears of the end finds everything the function has printed.
            self._log.stream.when_written(finish)
        if self._retired:
            self._wake.set()
        elif self._state is not EnvironmentState.STOPPING:
            self._on_free(self)

    def _note_runtime_done(
        self,
        error_type: str | None,
        produced_bytes: int,
        invocation: InvocationRequest | None = None,
        status: str | None = None,
    ) -> None:
        invocation = invocation or self._invocation
        assert invocation is not None
        answered_s = self._answered_s if status is None else self.function.timeout_s
        streamed = self._streamed
        latency_s = streamed.latency_s if streamed is not None else answered_s
        began = self._host.clock.now() - answered_s
        self._log.runtime_done(
            invocation,
            status=status or events.status_of(error_type),
            error_type=error_type,
            duration_ms=answered_s * 1000,
            produced_bytes=produced_bytes,
            spans=(
                ("responseLatency", began, latency_s * 1000),
                ("responseDuration", began + latency_s, (answered_s - latency_s) * 1000),
            ),
        )

    # -- between invocations ---------------------------------------------------------------

    def freeze(self) -> None:
        """Stop an idle environment's processes until its next invocation."""
        attempt = self._attempt
        if self._state is EnvironmentState.IDLE and attempt is not None and attempt.api.is_waiting:
            attempt.drain()
            attempt.freeze()
            self._enter(EnvironmentState.FROZEN)

    def retire(self) -> None:
        """End the environment: at once if it is free, else after its invocation."""
        self._retired = True
        if self._turn is not None and self._turn.is_waiting and self._invocation is None:
            self._turn.close()
        self._wake.set()

    def resume_output(self) -> None:
        """Read the function's output again if reading stopped and the log store has room."""
        if self._attempt is not None:
            self._attempt.resume_output()

    # -- what goes wrong -------------------------------------------------------------------

    def _on_deadline(self) -> None:
        invocation, attempt = self._invocation, self._attempt
        if invocation is None:
            return
        if attempt is not None and not attempt.result.done():
            self._note_init(CUT)
        self._give_up("timeout")
        outcome = timed_out(invocation.request_id, self.function.timeout_s)
        self._end(outcome, status="timeout")

    def on_init_error(self, payload: bytes, error_type: str) -> None:
        """See `RuntimeListener`."""
        if self._attempt is not None:
            outcome = FunctionFailed(payload, error_type)
            self._attempt.settle(InitFailure("error", error_type, lambda _: outcome))

    def on_restore_ready(self) -> None:
        """See `RuntimeListener`: there is no snapshot of this function, so it goes on at once."""
        self._note_init(None)
        self._begin_restore()
        if self._attempt is not None:
            self._attempt.api.restore()

    def on_restore_error(self, payload: bytes, error_type: str) -> None:
        """See `RuntimeListener`."""
        if self.initialization_type != SNAP_START:
            self.on_init_error(payload, error_type)
        elif self._attempt is not None:
            text = payload.decode(errors="replace")[:_REASON_MAX]
            refusal = Refused(ApiError("SnapStartException", text, status=400))
            self._attempt.settle(InitFailure("error", error_type, lambda _: refusal))

    def on_extension_failed(self, error_type: str, message: str) -> None:
        """See `ExtensionsListener`."""
        self._on_extension_failure(of_extension(error_type, message), error_type)

    def on_runtime_exit(self, attempt: Attempt, status: ExitStatus) -> None:
        """See `AttemptListener`."""
        if attempt is not self._attempt:
            return
        if not attempt.result.done():
            error_type = "Runtime.OutOfMemory" if status.out_of_memory else "Runtime.ExitError"
            attempt.settle(InitFailure("error", error_type, lambda id_: crashed(id_, status)))
            return
        invocation = self._invocation
        was_running = invocation is not None and not attempt.api.keeps(invocation)
        self._give_up("failure")
        if invocation is not None and was_running:
            outcome = crashed(invocation.request_id, status)
            self._end(outcome, status="error", error_type=outcome.error_type)

    def on_extension_exit(self, attempt: Attempt, name: str, status: ExitStatus) -> None:
        """See `AttemptListener`."""
        if attempt is self._attempt:
            error_type = "Extension.Crash"
            self._on_extension_failure(of_extension(error_type, describe_exit(status)), error_type)

    def _on_extension_failure(self, outcome: Callable[[str], Outcome], error_type: str) -> None:
        attempt = self._attempt
        if attempt is None:
            return
        if not attempt.result.done():
            attempt.settle(InitFailure("error", error_type, outcome))
            return
        if not self._is_up:
            return
        invocation = self._invocation
        self._give_up("failure")
        if invocation is not None:
            self._end(outcome(invocation.request_id), status="error", error_type=error_type)

    def _give_up(self, reason: str) -> None:
        """What runs is dead or has to die: listen to it no more, let `live` clear it away."""
        attempt, was_up, self._is_up = self._attempt, self._is_up, False
        self._end_reason = reason
        if attempt is not None:
            attempt.api.detach()
            attempt.settle(CUT)
            if was_up:
                attempt.drain()
            if not attempt.has_extensions:
                attempt.freeze()  # Nothing runs on in the moment until it is killed.
        if self._state in (EnvironmentState.IDLE, EnvironmentState.FROZEN):
            self._enter(self._state_after_failure())
        self._wake.set()

    def _state_after_failure(self) -> EnvironmentState:
        """Where a failure leads to."""
        attempt = self._attempt
        is_told_first = attempt is not None and attempt.has_extensions
        return EnvironmentState.STOPPING if is_told_first else EnvironmentState.RESET

    # -- the life --------------------------------------------------------------------------

    async def live(self) -> None:
        """From nothing to nothing: the environment's only task."""
        try:
            async with self._host.launch(self.function) as launch:
                try:
                    await self._serve(launch)
                finally:
                    await self._clear_away()
                    if self._volume is not None:
                        await shielded(self._volume.close)
        except Exception as error:
            # One environment's failure is not the platform's: whoever waits for it is told.
            self._failure = error
            if isinstance(error, SandboxError):
                # That the launcher is busy passes; anything else is the host's.
                advice = "" if isinstance(error, SandboxBusy) else "; see `lambent doctor`"
                where = self.id, self.function.arn
                logger.warning("environment %s of %s: %s%s", *where, error, advice)
            elif not isinstance(error, ApiError | NoCapacity):
                logger.exception("environment %s of %s failed", self.id, self.function.arn)
        finally:
            self._is_up = False
            self._retired = True
            try:
                if self._invocation is not None:
                    refused = refusal(self._failure or _SHUT_DOWN)
                    self._end(refused, status="error", error_type="Sandbox.Failure")
                self._log.close()
            finally:
                self._enter(EnvironmentState.GONE)
                self._gone.set()
                self._on_gone(self)

    async def _serve(self, launch: LaunchSpec) -> None:
        await self._init(launch)
        while not (self._retired and self._invocation is None):
            await self._wake.wait()
            self._wake.clear()
            if self._is_up:
                continue
            await self._shut_down()
            if self._state is EnvironmentState.STOPPING:
                self._enter(EnvironmentState.RESET)
                if not self._retired:
                    self._on_free(self)
            if self._invocation is not None:
                await self._init_in_invoke(self._invocation, launch)
        if self._state in (EnvironmentState.IDLE, EnvironmentState.FROZEN):
            self._end_reason = "spindown"
            self._enter(self._state_after_failure())
        await self._shut_down()

    async def _init(self, launch: LaunchSpec) -> None:
        """The init phase, ahead of any invocation."""
        turn = self._turn = self._host.ask_to_start(self.function)
        if self._retired or not await self._come_up(turn):
            turn.close()
            return
        self._enter(EnvironmentState.INITIALIZING)
        limit_s = self._host.settings.init_limit_s
        if self.initialization_type != "on-demand":
            limit_s = max(INIT_LIMIT_S_MIN, self.function.timeout_s)
        failure = await self._start(launch, "init", turn, limit_s)
        if failure is None:
            if self.initialization_type == "on-demand":
                self._init_ms = (self._host.clock.monotonic() - self._began_init) * 1000
            self._enter(EnvironmentState.IDLE)
        else:
            if failure is CUT:
                self._note_init(CUT)
            self._give_up("timeout" if failure.status == "timeout" else "failure")
            self._enter(self._state_after_failure())
            await self._shut_down()
            if self._state is EnvironmentState.STOPPING:
                self._enter(EnvironmentState.RESET)
        self.idle_since = self._host.clock.monotonic()
        if not self._retired:
            self._on_free(self)

    async def _init_in_invoke(self, invocation: InvocationRequest, launch: LaunchSpec) -> None:
        """The init of an environment without a runtime, on the invocation's time."""
        turn = self._turn = self._host.ask_to_start(self.function)
        if turn.is_waiting:
            # What others have started is not on this invocation's time.
            assert self._timer is not None
            self._timer.cancel()
            await self._come_up(turn)
            self._began = self._host.clock.monotonic()
            self._timer = self._loop.call_later(self.function.timeout_s, self._on_deadline)
        failure = await self._start(launch, "invoke", turn, None)
        if self._invocation is not invocation:
            return
        attempt = self._attempt
        if failure is None and attempt is not None and self._is_up:
            self._deliver(attempt, invocation)
        elif failure is not None and failure.outcome is not None:
            self._give_up("failure")
            outcome = failure.outcome(invocation.request_id)
            self._end(outcome, status="error", error_type=failure.error_type)

    async def _come_up(self, turn: Turn) -> bool:
        """Wait for a turn; False if it was given up. Raises `NoCapacity` if that takes too long."""
        try:
            return await turn.wait()
        except TimeoutError as error:
            logger.warning("%s is throttled: %s", self.function.arn, error)
            raise NoCapacity(str(error)) from None

    async def _start(
        self, launch: LaunchSpec, phase: str, turn: Turn, limit_s: float | None
    ) -> InitFailure | None:
        """Start a runtime in a new box, or restore one, and wait until it asks for work (None) or
        fails to, `limit_s` at most. The turn is over when the box is there."""
        with contextlib.closing(turn):
            snapshot = None
            if self.initialization_type == SNAP_START:
                snapshot = self._host.snapshots.find(self.function)
            attempt = await self._open_box(launch, phase, snapshot)
        failure: InitFailure | None = CUT
        if snapshot is not None:
            failure, limit_s = _RESTORE_TIMED_OUT, _RESTORE_LIMIT_S
        with anyio.move_on_after(limit_s):
            await attempt.start()
            failure = await attempt.result or attempt.early_end
        if failure is CUT:
            return CUT
        self._note_init(failure)
        if failure is None:
            self._log.close_subscriptions()
            attempt.limit_cpu()
            self._is_up = True
        else:
            attempt.drain()
        return failure

    async def _open_box(self, launch: LaunchSpec, phase: str, snapshot: Snapshot | None) -> Attempt:
        """Begin an attempt: have its box built."""
        self._phase = phase
        self._began_init, self._began_restore = self._host.clock.monotonic(), None
        self._log.begin()
        if snapshot is None:
            self._log.init_start(phase)
        else:
            self._begin_restore()
        attempt = self._attempt = Attempt(
            self,
            self._host,
            self.function,
            launch,
            self._log,
            log_stream=self._stream_name,
            initialization_type=self.initialization_type,
        )
        try:
            await attempt.open(self._volume, snapshot)
        except SandboxError:
            if snapshot is not None:
                self._host.snapshots.note_restore(self.function, failed=True)
            raise
        finally:
            self._volume = attempt.volume or self._volume
        if snapshot is not None:
            self._host.snapshots.note_restore(self.function, failed=False)
        return attempt

    def _begin_restore(self) -> None:
        self._began_restore = self._host.clock.monotonic()
        self._log.restore_start()

    def _note_init(self, failure: InitFailure | None) -> None:
        """Log how init, or the restore that it has come to, went."""
        status, error_type = "success", None
        if failure is not None:
            status, error_type = failure.status, failure.error_type
        now = self._host.clock.monotonic()
        if self._began_restore is None:
            self._log.init_runtime_done(self._phase, status, error_type)
            took_ms = (now - self._began_init) * 1000
            self._log.init_report(self._phase, took_ms, status, error_type)
            return
        took_ms = (now - self._began_restore) * 1000
        self._log.restore_report(took_ms, status, error_type)
        self._restore_ms = took_ms if failure is None else None

    async def _shut_down(self) -> None:
        """Let what the last attempt started end, and give its box back."""
        if self._attempt is not None:
            await self._attempt.shut_down(self._end_reason)
        await self._clear_away()

    async def _clear_away(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            await attempt.close()

    def _deadline_ms(self) -> int:
        elapsed_s = self._host.clock.monotonic() - self._began
        return int((self._host.clock.now() - elapsed_s + self.function.timeout_s) * 1000)

    def _enter(self, state: EnvironmentState) -> None:
        assert state is self._state or state in TRANSITIONS[self._state], (
            f"cannot go from {self._state.name} to {state.name}"
        )
        self._state = state
