"""An environment, played step by step.

A `Play` is one real `Environment` with everything that belongs to it (its attempts, the APIs in its
box, its log, its subscriptions) on a loop with virtual time, in a box whose programs a test moves:

    play = playbook(timeout_s=2)
    play.begin()
    play.runtime.asks()
    call = play.invoke(b"event")
    play.runtime.exits(3)
    assert call.outcome == Crashed(...)
    assert play.report("id-1") == "..."

Each step runs to its end before the next one begins. At the end of every play the environment has
to have released all it had.
"""

import asyncio
import contextlib
import dataclasses
import json
import re
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio

from lambent.kit.turns import Turns
from lambent.model.credentials import Credentials
from lambent.model.errors import ApiError
from lambent.model.function import (
    PUBLISHED_VERSIONS,
    FunctionVersion,
    LoggingConfiguration,
    SnapStart,
)
from lambent.model.invocation import InvocationKind, InvocationRequest, Outcome, RunReport
from lambent.node.environment.context import NodeContext
from lambent.node.environment.environment import Environment
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.environment.ports import PooledEnvironment
from lambent.node.environment.snapshots import Snapshots
from lambent.node.languages.launch import LaunchSpec
from lambent.node.ports import TakeOver
from lambent.node.settings import WorkerSettings
from lambent.sandbox.ports import ExitStatus, Traffic
from lambent.telemetry.metrics import Metrics
from tests.factories import function_version
from tests.unit.node.scripted_box import (
    RUNTIME_ARGV,
    Extension,
    Program,
    Runtime,
    ScriptedBox,
    ScriptedSandboxes,
)
from tests.unit.node.virtual_time import LoopClock, VirtualLoop

FUNCTION = function_version("played")
SNAP_STARTED: dict[str, Any] = {
    "version": "1",
    "snap_start": SnapStart(PUBLISHED_VERSIONS, "On"),
}
"""Members of a version that starts from a snapshot."""
IN_JSON = LoggingConfiguration(
    log_format="JSON",
    log_group="/aws/lambda/played",
    application_log_level="TRACE",
    system_log_level="DEBUG",
)
"""A log in JSON that shows everything."""
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
CREDENTIALS = Credentials(
    access_key_id="ASIAPLAYED", secret_access_key="secret", session_token="token", expires_at=2e9
)

_EXITED = "Runtime exited with error:"
EXITS = [
    (ExitStatus(code=7), f"{_EXITED} exit status 7", "Runtime.ExitError"),
    (ExitStatus(code=0), "Runtime exited without providing a reason", "Runtime.ExitError"),
    (ExitStatus(signal=9), f"{_EXITED} signal: killed", "Runtime.ExitError"),
    (ExitStatus(signal=11), f"{_EXITED} signal: segmentation fault", "Runtime.ExitError"),
    (ExitStatus(signal=6), f"{_EXITED} signal: aborted", "Runtime.ExitError"),
    (ExitStatus(signal=31), f"{_EXITED} signal: bad system call", "Runtime.ExitError"),
    (ExitStatus(signal=40), f"{_EXITED} signal: signal 40", "Runtime.ExitError"),
    (ExitStatus(None, 9, True), f"{_EXITED} signal: killed", "Runtime.OutOfMemory"),
]
"""How a runtime may end, the words of that, and the type of the error in the log."""


class Sink:
    """Takes a streamed response. `is_open` says whether it wants more at the moment."""

    def __init__(self) -> None:
        self.content_type = ""
        self.chunks: list[bytes] = []
        self.is_open = True
        self._resume: Callable[[], None] | None = None

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        self.content_type = content_type
        self._resume = resume

    def write(self, data: bytes) -> bool:
        self.chunks.append(data)
        return self.is_open

    def resume(self) -> None:
        self.is_open = True
        assert self._resume is not None
        self._resume()


class Call:
    """An invocation, as its caller sees it: the request, and a `Reply` that records everything."""

    def __init__(
        self, function: FunctionVersion, request_id: str, event: bytes, sink: Sink | None, more: Any
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.reports: list[RunReport] = []
        self.request_id = request_id
        self._sink = sink
        self.request = InvocationRequest(
            request_id=request_id,
            kind=InvocationKind.REQUEST_RESPONSE,
            function=function,
            event=event,
            trace_id=TRACE,
            wants_stream=sink is not None,
            **more,
        )

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        assert self._sink is not None
        assert not self.is_done
        self._sink.begin(content_type, resume)

    def write(self, data: bytes) -> bool:
        assert self._sink is not None
        assert not self.is_done
        return self._sink.write(data)

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        self.outcomes.append(outcome)
        self.reports.append(report)

    @property
    def is_done(self) -> bool:
        """Whether its caller has the outcome."""
        return bool(self.outcomes)

    @property
    def outcome(self) -> Outcome:
        """The outcome; there is exactly one."""
        (outcome,) = self.outcomes
        return outcome

    @property
    def kind(self) -> str:
        """The outcome's class."""
        return type(self.outcome).__name__

    @property
    def payload(self) -> Any:
        """What the outcome carries, read as JSON."""
        return json.loads(self.outcome.payload)  # type: ignore[union-attr]

    @property
    def refusal(self) -> ApiError:
        """Why it was refused."""
        return self.outcome.error  # type: ignore[union-attr]

    @property
    def log_tail(self) -> str:
        """The log that its caller was given."""
        return self.run_report.log_tail.decode()

    @property
    def run_report(self) -> RunReport:
        """The report of the outcome."""
        (report,) = self.reports
        return report


class ScriptedLog:
    """A log stream in memory."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.events: list[tuple[int, bytes]] = []
        self.is_full = False
        self.is_closed = False
        self.holds = False
        """Whether the file lags behind: callers that wait for it are kept until `catch_up`."""
        self._held: list[Callable[[], None]] = []

    def append(self, timestamp_ms: int, message: bytes) -> None:
        assert not self.is_closed
        self.events.append((timestamp_ms, message))

    def write_now(self) -> bool:
        return False

    def when_written(self, then: Callable[[], None]) -> None:
        if self.holds:
            self._held.append(then)
        else:
            then()

    def catch_up(self) -> None:
        self.holds = False
        held, self._held = self._held, []
        for then in held:
            self._loop.do(then)

    def close(self) -> None:
        self.is_closed = True


@dataclasses.dataclass
class ScriptedLogs:
    """The log store: the streams that were opened, by name."""

    loop: VirtualLoop
    streams: dict[str, ScriptedLog] = dataclasses.field(default_factory=dict)

    def open_stream(self, account: str, region: str, group: str, stream: str) -> ScriptedLog:
        opened = self.streams[stream] = ScriptedLog(self.loop)
        return opened


class Play:
    """See the module. `function` are members that differ from `FUNCTION`'s."""

    def __init__(
        self,
        *,
        extensions: tuple[str, ...] = (),
        forked: bool = False,
        is_provisioned: bool = False,
        launch: LaunchSpec | None = None,
        settings: WorkerSettings | None = None,
        starts_at_once: int = 8,
        **function: Any,
    ) -> None:
        self.loop = VirtualLoop()
        self.clock = LoopClock(self.loop)
        self._directory = tempfile.mkdtemp(prefix="play-")
        self.sandboxes = ScriptedSandboxes(self.loop, Path(self._directory), has_templates=forked)
        self.logs = ScriptedLogs(self.loop)
        self.settings = settings or WorkerSettings()
        self.snapshots = Snapshots(self.settings.snapshots_mb << 20)
        self.turns = Turns(starts_at_once, self.settings.start_wait_s, self.clock)
        self.launch_spec = launch or LaunchSpec(
            mounts=(),
            argv=RUNTIME_ARGV,
            waiting_argv=("/var/runtime/zygote",) if forked else (),
            forks=forked,
            extensions=extensions,
            log_pipe_variable="_LAMBDA_TELEMETRY_LOG_FD",
        )
        self.launch_failure: Exception | None = None
        self.laid_out = 0
        """How many use the function's code."""
        self.function = dataclasses.replace(FUNCTION, **function)
        self._is_provisioned = is_provisioned
        self.metrics = Metrics()
        self.heard: list[str] = []
        """Notifications of the environment's pool: `free`, `responded`, `gone`."""
        self.states: list[EnvironmentState] = []
        """The environment's state at each notification."""
        self._waiting: deque[tuple[Call, float]] = deque()
        self._calls = 0
        self._environment: Environment | None = None
        self._host: NodeContext | None = None
        self.servers: list[asyncio.Server] = []
        """What listens in boxes on behalf of extensions."""
        self._is_over = asyncio.Event()
        self._root = self.loop.begin(self._keep_open())

    async def _keep_open(self) -> None:
        async with anyio.create_task_group() as tasks:
            self._host = NodeContext(
                settings=self.settings,
                sandboxes=self.sandboxes,
                logs=self.logs,
                metrics=self.metrics,
                clock=self.clock,
                launch=self._launch,
                api=self,
                network=lambda box, owner, front: contextlib.nullcontext(Traffic()),
                roles=self,
                starts=self.turns,
                snapshots=self.snapshots,
                tasks=tasks,
            )
            await self._is_over.wait()
            tasks.cancel_scope.cancel()

    @contextlib.asynccontextmanager
    async def _launch(self, function: FunctionVersion) -> AsyncIterator[LaunchSpec]:
        if self.launch_failure is not None:
            raise self.launch_failure
        self.laid_out += 1
        try:
            yield self.launch_spec
        finally:
            self.laid_out -= 1

    @contextlib.asynccontextmanager
    async def serve(
        self, listener: socket.socket, admits: Callable[[socket.socket], bool]
    ) -> AsyncIterator[TakeOver]:
        """See `ApiEndpoint`: gets no requests."""
        with listener:
            yield lambda connection, port: connection.close()

    def credentials(self, function: FunctionVersion) -> Credentials:
        """See `CredentialSource`."""
        return CREDENTIALS

    @property
    def host(self) -> NodeContext:
        """What the environment shares with others."""
        assert self._host is not None
        return self._host

    @property
    def environment(self) -> Environment:
        """The one that is played."""
        assert self._environment is not None
        return self._environment

    # -- what a pool does ------------------------------------------------------------------

    def begin(self) -> None:
        """Begin the environment's life."""

        def make() -> Environment:
            return Environment(self.function, self.host, self, is_provisioned=self._is_provisioned)

        self._environment = self.loop.do(make)
        self._life = self.loop.begin(self._environment.live())

    def begin_ready(self) -> None:
        """Begin it, up to where its runtime waits for the first event."""
        self.begin()
        self.runtime.asks()

    def invoke(self, event: bytes = b"{}", *, sink: Sink | None = None, **more: Any) -> Call:
        """Call the function: at once if the environment is free, else as soon as it is."""
        self._calls += 1
        call = Call(self.function, f"id-{self._calls}", event, sink, more)
        if self.heard and self.heard[-1] == "free" and self.state in _FREE:
            self.loop.do(self.environment.assign, call.request, call)
        else:
            self._waiting.append((call, self.clock.monotonic()))
        return call

    def freeze(self) -> None:
        """Freeze the environment, as its pool does after a while without work."""
        self.loop.do(self.environment.freeze)

    def retire(self) -> None:
        """End the environment as soon as it is free."""
        self.loop.do(self.environment.retire)

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.pass_time(seconds)

    def on_free(self, environment: PooledEnvironment) -> None:
        """See `EnvironmentListener`."""
        self._hear("free")
        if self._waiting:
            call, since = self._waiting.popleft()
            environment.assign(call.request, call, since)

    def on_responded(self, environment: PooledEnvironment) -> None:
        """See `EnvironmentListener`."""
        self._hear("responded")

    def on_gone(self, environment: PooledEnvironment) -> None:
        """See `EnvironmentListener`."""
        self._hear("gone")

    def _hear(self, fact: str) -> None:
        self.heard.append(fact)
        self.states.append(self.environment.state)

    # -- what is in the box ----------------------------------------------------------------

    @property
    def boxes(self) -> list[ScriptedBox]:
        """All there were."""
        return self.sandboxes.boxes

    @property
    def box(self) -> ScriptedBox:
        """The newest."""
        return self.boxes[-1]

    @property
    def runtime(self) -> Runtime:
        """The newest box's runtime."""
        (runtime,) = [program for program in self.box.programs if isinstance(program, Runtime)]
        return runtime

    @property
    def has_runtime(self) -> bool:
        """Whether the newest box has one."""
        return any(isinstance(program, Runtime) for program in self.box.programs)

    def program(self, name: str) -> Program:
        """The process of an external extension in the newest box."""
        path = f"/opt/extensions/{name}"
        return next(program for program in self.box.programs if program.argv == (path,))

    def extension(self, name: str) -> Extension:
        """An external extension in the newest box."""
        return Extension(self.program(name), name)

    # -- what is seen ----------------------------------------------------------------------

    @property
    def state(self) -> EnvironmentState:
        """The environment's."""
        return self.environment.state

    @property
    def stream(self) -> ScriptedLog:
        """The environment's log stream."""
        (stream,) = self.logs.streams.values()
        return stream

    @property
    def log(self) -> list[str]:
        """Its lines so far."""
        return [message.decode() for _, message in self.stream.events]

    def lines(self, *beginnings: str) -> list[str]:
        """Those lines that begin so."""
        return [line for line in self.log if line.startswith(beginnings)]

    @property
    def documents(self) -> list[Any]:
        """The lines of a log in JSON."""
        return [json.loads(line) for line in self.log]

    def report(self, call: Call) -> dict[str, str]:
        """A call's REPORT line, by member: `{"Duration": "1000.00 ms", ...}`."""
        (line,) = self.lines(f"REPORT RequestId: {call.request_id}\t")
        return dict(member.split(": ", 1) for member in line.split("\t")[1:] if member)

    # -- the end ---------------------------------------------------------------------------

    def end(self) -> None:
        """End the environment, and check that it has released all."""
        try:
            if self._environment is not None:
                self._end_environment()
        finally:
            self.loop.do(self._is_over.set)
            for server in self.servers:
                self.loop.do(server.close)
            self.loop.cancel_all()
            for box in self.boxes:
                for request in box.requests:
                    request.close()
            self.loop.close()
            shutil.rmtree(self._directory)

    def _end_environment(self) -> None:
        self.retire()
        self.passes(3600.0)
        assert self.state is EnvironmentState.GONE
        assert self.heard.count("gone") == 1
        assert self._life.done()
        self._life.result()
        assert all(box.is_closed for box in self.boxes)
        assert all(volume.is_closed for volume in self.sandboxes.volumes)
        assert self.laid_out == 0
        assert all(stream.is_closed for stream in self.logs.streams.values())


_FREE = (EnvironmentState.IDLE, EnvironmentState.FROZEN, EnvironmentState.RESET)


def without_ids(line: str) -> str:
    """A line of a log without what differs from run to run."""
    return re.sub(r"[0-9a-f]{32,}", "…", line)
