"""The integrations of routes: functions, other servers, and answers without either.

An integration gets one event of a connection and ends with one answer. It makes no task if all it
takes is in memory.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import anyio.abc

from lambent.kit.computing import LOOP_BYTES_MAX, computed_apart
from lambent.kit.ids import new_request_id
from lambent.kit.tasks import start_task
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.invocation import (
    InvocationRequest,
    Outcome,
    Refused,
    Reply,
    RunReport,
    Succeeded,
    WholeReply,
)
from lambent.model.names import FunctionReference
from lambent.triggers.apis.calls import ApiCall, FunctionCalls
from lambent.triggers.apis.websocket.answers import BAD_RESULT, FAILED, LATE, Answer, read_result
from lambent.triggers.apis.websocket.events import RouteRequest

Done = Callable[[Answer], None]
"""Takes the answer; called exactly once."""


class Integration(Protocol):
    """One integration."""

    def run(self, request: RouteRequest, done: Done) -> None:
        """Serve an event."""
        ...


class AlwaysGood:
    """MOCK without templates: every event succeeds, and the answer is empty."""

    def run(self, request: RouteRequest, done: Done) -> None:
        """See `Integration`."""
        done(Answer(200))


class Unusable:
    """An integration that cannot be called, such as a function whose name depends on a stage
    variable that is not set."""

    def run(self, request: RouteRequest, done: Done) -> None:
        """See `Integration`."""
        done(FAILED)


class LambdaProxy:
    """AWS_PROXY: a function gets the event as it is, and says status, headers and body."""

    def __init__(
        self,
        calls: FunctionCalls,
        tasks: anyio.abc.TaskGroup,
        *,
        scope: Scope,
        function: FunctionReference,
        source_arn: str,
        role: str | None,
        timeout_s: float,
    ) -> None:
        self._calls = calls
        self._tasks = tasks
        self._scope = scope
        self._function = function
        self._source_arn = source_arn
        self._role = role
        self._timeout_s = timeout_s

    def run(self, request: RouteRequest, done: Done) -> None:
        """See `Integration`."""
        run = LambdaRun(self._tasks, done, self._timeout_s)
        call = ApiCall(
            scope=self._scope,
            function=self._function,
            source_arn=self._source_arn,
            event=request.event(),
            request_id=new_request_id(),
            trace_id=request.connection.trace_id,
            role=self._role,
        )
        try:
            if self._calls.begin(call, run.reply):
                return
        except ApiError:
            run.end(FAILED)
            return
        start_task(self._tasks, lambda _: run.end(FAILED), self._start, call, run)

    async def _start(self, call: ApiCall, run: "LambdaRun") -> None:
        try:
            await self._calls.start(call, run.reply)
        except ApiError:
            run.end(FAILED)


class LambdaRun:
    """A call that is under way. What comes first counts: the outcome or the timeout."""

    def __init__(self, tasks: anyio.abc.TaskGroup, done: Done, timeout_s: float) -> None:
        self._tasks = tasks
        self._done: Done | None = done
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(timeout_s, self.end, LATE)

    def reply(self, _: InvocationRequest) -> Reply:
        """The reply of the call."""
        return WholeReply(self._finish)

    def end(self, answer: Answer) -> None:
        """The call has its answer, if it has none yet."""
        done, self._done = self._done, None
        if done is not None:
            self._timer.cancel()
            done(answer)

    def _finish(self, outcome: Outcome, _: RunReport) -> None:
        if isinstance(outcome, Refused):
            self.end(FAILED)
        elif not isinstance(outcome, Succeeded):
            self.end(BAD_RESULT)
        elif len(outcome.payload) <= LOOP_BYTES_MAX:
            self.end(read_result(outcome.payload))
        elif self._done is not None:
            start_task(self._tasks, self._fail, self._read_large, outcome.payload)

    async def _read_large(self, payload: bytes) -> None:
        self.end(await computed_apart(read_result, payload, data=payload))

    def _fail(self, _: Exception) -> None:
        self.end(FAILED)
