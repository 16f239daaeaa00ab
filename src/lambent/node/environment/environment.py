"""One execution environment, from nothing to nothing.

An `Environment` is one copy of one function version: a box with a runtime in it, a `/tmp` and a log
stream. It runs one invocation at a time. It is the most stateful object of the platform, so these
are its rules:

- **One owner, two speeds.** `live` is its only task and does everything that takes time: build the
  box, wait for init, let extensions end, give everything back. A warm invocation is plain calls on
  the event loop and never touches that task: `assign` hands the event to the runtime that waits in
  `/next`, and the runtime's response comes back through the listener methods and ends the
  invocation. No task is made and no lock is taken.
- **State.** `lifecycle.TRANSITIONS` is the table of legal steps; every step is checked against it.
  The pool may assign an invocation in `IDLE`, `FROZEN` and `RESET`. In `IDLE` the runtime may not
  have come back to `/next` yet: then the event is kept until it does. A caller that sends its next
  request at once would otherwise find no free environment and pay for a cold start.
- **Attempts.** What is in the box belongs to an `Attempt`, which never survives a failure. To give
  up an attempt takes no time: it is detached (nothing it still says is heard), its processes are
  stopped, and `live` is woken to clear it away. Then the environment is `RESET`, or first
  `STOPPING` if extensions have to be notified. It keeps `/tmp` and its log stream. Its next
  invocation begins with an init of its own, within the function's timeout: AWS's "suppressed init".
- **Failures.** Whatever goes wrong ends in `_fail`, which looks up in `failures.REACTIONS` what
  follows at this moment. A failure ends the current invocation at once, in the callback that
  reports it; only the clearing up is left to `live`.
- **Runs.** `_run` is the current invocation's `Run`, which keeps its books. Its caller gets the
  outcome as soon as the runtime has responded. With extensions that follow invocations the
  environment stays `BUSY` until they and the runtime wait again.
- **The listener** (the pool) is called on the event loop: `on_free` whenever the environment can
  take an invocation, after a failed init too; `on_gone` once, at the end.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import asyncio
import logging
import uuid
from collections.abc import Callable

from lambent.invocation.ports import EnvironmentView
from lambent.kit.tasks import shielded
from lambent.kit.turns import Turn
from lambent.model.debugging import DebuggedVersion
from lambent.model.errors import ApiError
from lambent.model.function import FunctionVersion
from lambent.model.invocation import (
    FunctionFailed,
    InvocationRequest,
    Outcome,
    Reply,
    ResponseSink,
    Succeeded,
)
from lambent.node.environment.attempt import Attempt
from lambent.node.environment.context import NodeContext
from lambent.node.environment.environment_log import open_environment_log
from lambent.node.environment.failures import (
    CUT,
    REACTIONS,
    Failure,
    Fault,
    Moment,
    NoCapacity,
    Reaction,
    deadline_passed,
    extension_failed,
    host_failed,
    init_failed,
    oversized_response,
    restore_failed,
)
from lambent.node.environment.lifecycle import (
    TRANSITIONS,
    EnvironmentState,
    IllegalTransition,
)
from lambent.node.environment.ports import EnvironmentListener
from lambent.node.environment.run import Run
from lambent.node.environment.startup import StartDurations, Startup, unwatched_limit_s
from lambent.node.environment.variables import SNAP_START
from lambent.node.languages.launch import LaunchSpec
from lambent.sandbox.ports import BoxUsage, SandboxBusy, SandboxError, Traffic, Volume

logger = logging.getLogger(__name__)

_SHUT_DOWN = ApiError("ServiceException", "The environment was shut down.", status=500)
_REPORTED = StartDurations()
"""The start of an environment whose first invocation has reported it."""


class Environment:
    """See the module."""

    def __init__(
        self,
        function: FunctionVersion,
        context: NodeContext,
        listener: EnvironmentListener,
        *,
        is_provisioned: bool = False,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.function = function
        self.is_provisioned = is_provisioned
        """Whether it is started ahead of demand (provisioned concurrency)."""
        self.began_at = context.clock.monotonic()
        """Monotonic seconds."""
        self.idle_since = self.began_at
        """Monotonic seconds; meaningful while free."""
        self._context = context
        self._listener = listener
        self._clock = context.clock
        self._initialization_type = _initialization_type(function, is_provisioned=is_provisioned)
        self._state = EnvironmentState.CREATING
        self._failure: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._gone = asyncio.Event()
        self._retired = False

        self._log = open_environment_log(
            context.logs,
            context.clock,
            function,
            environment_id=self.id,
            initialization_type=self._initialization_type,
        )

        self._turn: Turn | None = None
        """Its turn to have a box built."""
        self._volume: Volume | None = None
        """`/tmp`: it outlives attempts."""
        self._attempt: Attempt | None = None
        """What is in the box, from the beginning of its init until it is cleared away."""
        self._startup: Startup | None = None
        """The attempt's init."""
        self._is_up = False
        """Whether the attempt's runtime takes invocations."""
        self._start = _REPORTED
        self._run: Run | None = None
        """The current invocation."""
        self._end_reason = "spindown"
        """The reason that extensions get."""

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
        """Whether it still waits for its turn: nothing has been started."""
        has_begun = self._turn is not None and not self._turn.is_waiting
        return self._state is EnvironmentState.CREATING and not has_begun

    @property
    def needs_shutdown_event(self) -> bool:
        """Whether it is idle and has extensions that want to know of its end."""
        is_idle = self._state in (EnvironmentState.IDLE, EnvironmentState.FROZEN)
        return is_idle and self._attempt is not None and self._attempt.has_extensions

    def view(self) -> EnvironmentView:
        """What is shown of it."""
        now = self._clock.monotonic()
        is_free = self._state in (EnvironmentState.IDLE, EnvironmentState.FROZEN)
        used = self._attempt.usage() if self._attempt is not None else None
        box, traffic = used if used is not None else (BoxUsage(None, None), Traffic())
        return EnvironmentView(
            id=self.id,
            function=self.function,
            state=self._state.name.lower(),
            log_stream=self._log.stream_name,
            is_provisioned=self.is_provisioned,
            age_s=now - self.began_at,
            idle_s=now - self.idle_since if is_free else None,
            memory_bytes=box.memory_bytes,
            memory_used_max_mb=self._log.memory_used_mb,
            cpu_s=box.cpu_s,
            sent_bytes=traffic.sent,
            received_bytes=traffic.received,
        )

    async def wait_gone(self) -> None:
        """Return when everything is released."""
        await self._gone.wait()

    # -- the warm path ---------------------------------------------------------------------

    def assign(
        self, request: InvocationRequest, reply: Reply, waiting_since: float | None = None
    ) -> None:
        """Run a request, which may have waited since a monotonic time. Only for a free
        environment. The reply gets exactly one outcome."""
        self._enter(EnvironmentState.BUSY)
        run = self._run = Run(request, reply, self.function, self._log, self._clock, waiting_since)
        run.set_timer(self._loop, self._on_deadline)
        attempt = self._attempt
        if attempt is None or not self._is_up:
            self._wake.set()
        else:
            attempt.thaw()
            self._deliver(attempt, run)

    def _deliver(self, attempt: Attempt, run: Run) -> None:
        deadline_ms = run.deadline_ms()
        attempt.api.deliver(run.request, deadline_ms)
        if attempt.extensions.follow_invocations:
            attempt.extensions.invoke(run.request, deadline_ms)

    def on_response(self, payload: bytes, content_type: str) -> None:
        """See `RuntimeListener`."""
        run = self._run
        streamed = run.streamed if run is not None else None
        self._complete(streamed.outcome() if streamed else Succeeded(payload, content_type))

    def on_error(self, payload: bytes, error_type: str, cause: str = "") -> None:
        """See `RuntimeListener`."""
        self._complete(FunctionFailed(payload, error_type, cause))

    def on_oversized_response(self) -> None:
        """See `RuntimeListener`."""
        self._complete(oversized_response())

    def on_stream(self, content_type: str, resume: Callable[[], None]) -> ResponseSink:
        """See `RuntimeListener`."""
        run = self._run
        assert run is not None
        return run.begin_stream(content_type, resume)

    def _complete(self, outcome: Outcome) -> None:
        """The runtime has responded. The invocation is over unless extensions have work left."""
        run, attempt = self._run, self._attempt
        if run is None or attempt is None or run.has_responded:
            return
        if not self._log.is_plain:
            attempt.drain()
        run.note_response(outcome)
        if not attempt.extensions.follow_invocations:
            self._end(outcome)
            return
        attempt.drain()
        finish = run.respond(outcome, self._start)
        self._listener.on_responded(self)
        self._log.stream.when_written(finish)
        self._note_progress()

    def on_ready(self) -> None:
        """See `RuntimeListener`."""
        self._note_progress()

    def on_extension_waiting(self) -> None:
        """See `ExtensionsListener`."""
        self._note_progress()

    def _note_progress(self) -> None:
        """The runtime or an extension waits for what comes next: init or the invocation may be
        over."""
        attempt, run = self._attempt, self._run
        if attempt is None:
            return
        if not attempt.init_is_over.done():
            if attempt.api.has_asked:
                attempt.extensions.close_registration()
            attempt.note_progress()
        elif (
            run is not None
            and run.has_responded
            and attempt.api.is_waiting
            and attempt.extensions.all_waiting
        ):
            self._end(None)

    def _end(self, outcome: Outcome | None, failure: Failure | None = None) -> None:
        """End the current invocation, if there is one. `outcome` is its caller's, unless that has
        one already; `failure` is what ended it, if it did not end by itself."""
        run, self._run = self._run, None
        if run is None:
            return
        if self._attempt is not None and self._is_up:
            self._attempt.drain()
        finish = run.end(outcome, failure, self._start)
        self._start = _REPORTED
        self._enter(EnvironmentState.IDLE if self._is_up else self._state_after_failure())
        self.idle_since = run.ended_at
        if finish is not None:
            self._log.stream.when_written(finish)
        else:
            metrics, key = self._context.metrics, self.function.key
            metrics.add("PostRuntimeExtensionsDuration", key, run.extensions_ms)
        if self._retired:
            self._wake.set()
        elif self._state is not EnvironmentState.STOPPING:
            self._listener.on_free(self)

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
        if self._turn is not None and self._turn.is_waiting and self._run is None:
            self._turn.close()
        self._wake.set()
        self._end_debugging()

    def _end_debugging(self) -> None:
        """End a debugged call at once: it may be stopped at a breakpoint."""
        if self._retired and self._run is not None and isinstance(self.function, DebuggedVersion):
            self._on_deadline()

    def resume_output(self) -> None:
        """Read the function's output again if reading stopped and the log store has room."""
        if self._attempt is not None:
            self._attempt.resume_output()

    # -- failures --------------------------------------------------------------------------

    def on_init_error(self, payload: bytes, error_type: str) -> None:
        """See `RuntimeListener`."""
        self._fail(Fault.FUNCTION, init_failed(payload, error_type))

    def on_restore_error(self, payload: bytes, error_type: str) -> None:
        """See `RuntimeListener`. Without SnapStart nothing is restored: an error of init."""
        is_restored = self._initialization_type == SNAP_START
        failed = restore_failed if is_restored else init_failed
        self._fail(Fault.FUNCTION, failed(payload, error_type))

    def on_extension_failed(self, error_type: str, message: str) -> None:
        """See `ExtensionsListener`."""
        self._fail(Fault.EXTENSION, extension_failed(error_type, message))

    def on_failure(self, attempt: Attempt, fault: Fault, failure: Failure) -> None:
        """See `AttemptListener`."""
        if attempt is self._attempt:
            self._fail(fault, failure)

    def _on_deadline(self) -> None:
        self._fail(Fault.DEADLINE, deadline_passed(self.function.timeout_s))

    def _fail(self, fault: Fault, failure: Failure) -> None:
        """Something has gone wrong: do what the table says."""
        attempt, run = self._attempt, self._run
        match REACTIONS[fault][self._moment()]:
            case Reaction.IGNORE:
                return
            case Reaction.FAIL_INIT:
                assert attempt is not None
                attempt.settle(failure)
            case Reaction.START_AGAIN:
                self._give_up(failure)
            case Reaction.END:
                self._give_up(failure)
                if run is not None and failure.outcome is not None:
                    self._end(failure.outcome(run.request.request_id), failure)

    def _moment(self) -> Moment:
        attempt, run = self._attempt, self._run
        if attempt is None or attempt.is_given_up:
            return Moment.DOWN
        if not self._is_up:
            return Moment.COMING_UP
        if run is None:
            return Moment.IDLE
        return Moment.ASSIGNED if attempt.api.keeps(run.request) else Moment.RUNNING

    def _give_up(self, failure: Failure) -> None:
        """Give up what is in the box, if there is anything; `live` clears it away."""
        attempt, was_up, self._is_up = self._attempt, self._is_up, False
        self._end_reason = failure.shutdown_reason
        if attempt is not None:
            if self._startup is not None and not attempt.init_is_over.done():
                self._startup.report(CUT)
            attempt.give_up()
            if was_up:
                attempt.drain()
        if self._state in (EnvironmentState.IDLE, EnvironmentState.FROZEN):
            self._enter(self._state_after_failure())
        self._wake.set()

    def _state_after_failure(self) -> EnvironmentState:
        attempt = self._attempt
        has_extensions = attempt is not None and attempt.has_extensions
        return EnvironmentState.STOPPING if has_extensions else EnvironmentState.RESET

    # -- the life --------------------------------------------------------------------------

    async def live(self) -> None:
        """From nothing to nothing: the environment's only task."""
        try:
            async with self._context.launch(self.function) as launch:
                try:
                    await self._serve(launch)
                finally:
                    await self._clear_away()
                    if self._volume is not None:
                        await shielded(self._volume.close)
        except Exception as error:
            # One environment's failure is not the platform's: the call that waits gets it.
            self._failure = error
            self._log_failure(error)
        finally:
            self._is_up = False
            self._retired = True
            try:
                failure = host_failed(self._failure or _SHUT_DOWN)
                if self._run is not None and failure.outcome is not None:
                    self._end(failure.outcome(self._run.request.request_id), failure)
                self._log.close()
            finally:
                self._enter(EnvironmentState.GONE)
                self._gone.set()
                self._listener.on_gone(self)

    async def _serve(self, launch: LaunchSpec) -> None:
        """Come up, then clear up after each failure until the environment is retired."""
        await self._init(launch)
        while not (self._retired and self._run is None):
            await self._wake.wait()
            self._wake.clear()
            if self._is_up:
                continue
            await self._shut_down()
            if self._state is EnvironmentState.STOPPING:
                self._enter(EnvironmentState.RESET)
                if not self._retired:
                    self._listener.on_free(self)
            if self._run is not None:
                await self._init_in_invoke(self._run, launch)
        if self._state in (EnvironmentState.IDLE, EnvironmentState.FROZEN):
            self._end_reason = "spindown"
            self._enter(self._state_after_failure())
        await self._shut_down()

    async def _init(self, launch: LaunchSpec) -> None:
        """The init phase, ahead of any invocation. A debugged function has its init in the
        invocation, whose deadline is long enough for a person, and never a second one."""
        if isinstance(self.function, DebuggedVersion):
            self._enter(EnvironmentState.INITIALIZING)
            self._enter(EnvironmentState.RESET)
            self._listener.on_free(self)
            self._end_debugging()
            return
        turn = self._turn = self._context.ask_to_start(self.function)
        if self._retired or not await self._wait_for(turn):
            turn.close()
            return
        self._enter(EnvironmentState.INITIALIZING)
        limit_s = self._context.settings.init_limit_s
        if self._initialization_type != "on-demand":
            limit_s = unwatched_limit_s(self.function)
        failure = await self._come_up(launch, "init", turn, limit_s)
        if failure is None:
            self._enter(EnvironmentState.IDLE)
        else:
            self._give_up(failure)
            self._enter(self._state_after_failure())
            await self._shut_down()
            if self._state is EnvironmentState.STOPPING:
                self._enter(EnvironmentState.RESET)
        self.idle_since = self._clock.monotonic()
        if not self._retired:
            self._listener.on_free(self)

    async def _init_in_invoke(self, run: Run, launch: LaunchSpec) -> None:
        """The init of an environment without a runtime, on the invocation's time."""
        turn = self._turn = self._context.ask_to_start(self.function)
        if turn.is_waiting:
            # The time for which others have the launcher is not the function's.
            run.stop_timer()
            await self._wait_for(turn)
            run.restart(self._loop, self._on_deadline)
        failure = await self._come_up(launch, "invoke", turn, None)
        if self._run is not run:
            return
        if failure is None and self._attempt is not None and self._is_up:
            self._deliver(self._attempt, run)
        elif failure is not None and failure.outcome is not None:
            self._give_up(failure)
            self._end(failure.outcome(run.request.request_id), failure)

    async def _wait_for(self, turn: Turn) -> bool:
        """Wait for a turn; False if it was given up. Raises `NoCapacity` if that takes too long."""
        try:
            return await turn.wait()
        except TimeoutError as error:
            logger.warning("%s is throttled: %s", self.function.arn, error)
            raise NoCapacity(str(error)) from None

    async def _come_up(
        self, launch: LaunchSpec, phase: str, turn: Turn, limit_s: float | None
    ) -> Failure | None:
        """Start a runtime in a new box, or restore one, and wait until it asks for work. Returns
        the failure if it does not, within `limit_s`. The turn is over when the box is there."""
        startup = self._startup = Startup(self._context, self.function, self._log, phase)
        attempt = self._attempt = Attempt(
            self,
            self._context,
            self.function,
            launch,
            self._log,
            initialization_type=self._initialization_type,
        )
        try:
            failure = await startup.run(attempt, turn, self._volume, limit_s)
        finally:
            self._volume = attempt.volume or self._volume
        if failure is not None:
            attempt.drain()
            return failure
        self._log.close_subscriptions()
        attempt.limit_cpu()
        self._is_up = True
        reports_init = phase == "init" and self._initialization_type == "on-demand"
        self._start = StartDurations(startup.init_ms if reports_init else None, startup.restore_ms)
        return None

    def on_restore_ready(self) -> None:
        """See `RuntimeListener`. There is no snapshot of this function, so it goes on at once."""
        if self._attempt is not None and self._startup is not None:
            self._startup.report(None)
            self._startup.begin_restore()
            self._attempt.api.restore()

    async def _shut_down(self) -> None:
        """Let what the last attempt started end, and give its box back."""
        if self._attempt is not None:
            await self._attempt.shut_down(self._end_reason)
        await self._clear_away()

    async def _clear_away(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            await attempt.close()

    def _enter(self, state: EnvironmentState) -> None:
        if state not in TRANSITIONS[self._state]:
            raise IllegalTransition(f"cannot go from {self._state.name} to {state.name}")
        self._state = state

    def _log_failure(self, error: Exception) -> None:
        where = self.id, self.function.arn
        if isinstance(error, SandboxBusy):
            logger.warning("environment %s of %s: %s", *where, error)  # It passes.
        elif isinstance(error, SandboxError):
            logger.warning("environment %s of %s: %s; see `lambent doctor`", *where, error)
        elif not isinstance(error, ApiError | NoCapacity):
            logger.exception("environment %s of %s failed", *where)


def _initialization_type(function: FunctionVersion, *, is_provisioned: bool) -> str:
    """The value of `AWS_LAMBDA_INITIALIZATION_TYPE`."""
    if function.snap_starts:
        return SNAP_START
    return "provisioned-concurrency" if is_provisioned else "on-demand"
