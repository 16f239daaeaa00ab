"""The invoker: the one way to call a function. Resolve, check, admit, submit, outcome.

A caller hands in a `Call` and says how to make the `Reply` for it. There are four forms:

- `begin` makes no task and awaits nothing. It runs the call if the function is in memory, as nearly
  always; if not, the caller has to await `start`. `run` is for a caller that has found the route.
- `start` looks the function up first if necessary.
- `call` waits for the outcome and returns it.

Once a function is found, everything that happens to the call comes up as the outcome of its reply:
no exception says that a call was throttled. When the caller has the outcome, listeners get one fact
about the call, `InvocationEnded`.
"""

import logging
from collections.abc import Callable
from functools import partial

import anyio

from lambent.invocation.admission import Admission, RunningCounter, Shortage
from lambent.invocation.call import Call, CallResult
from lambent.invocation.catalog import Catalog
from lambent.invocation.checks import state_error, tenant_error
from lambent.invocation.placement import Placement
from lambent.invocation.ports import Node
from lambent.invocation.replies import CountedReply, End, SentReply, is_lack_of_room
from lambent.invocation.tracing import Tracer
from lambent.kit.clock import Clock
from lambent.model.alias import Route
from lambent.model.errors import ApiError, FunctionNotFound
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.model.invocation import (
    NOT_RUN,
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    Reply,
    RunReport,
    WholeReply,
)
from lambent.model.invocation_ended import Concurrency, InvocationEnded, Listener
from lambent.model.recursion import recursive
from lambent.model.traces import LOOPS_MAX, extend_lineage, passed_on

logger = logging.getLogger(__name__)

_NONE = Concurrency()

MakeReply = Callable[[InvocationRequest], Reply]
"""Makes the reply of a call, given the request as it goes down."""
WaitForShare = Callable[[Shortage, Callable[[], None]], None]
"""Calls the function once, when there is more or certainly none."""


class Invoker:
    """Every function call passes here."""

    def __init__(
        self,
        admission: Admission,
        catalog: Catalog,
        node: Node,
        clock: Clock,
        tracer: Tracer | None = None,
        *,
        wait_for_share: WaitForShare | None = None,
        placement: Placement | None = None,
    ) -> None:
        """Without a tracer no call is traced. `wait_for_share` is needed if admission has shares of
        limits, and `placement` if other nodes may run calls."""
        self._wait_for_share = wait_for_share
        self._placement = placement
        self._admission = admission
        self._catalog = catalog
        self._node = node
        self._clock = clock
        self._tracer = tracer
        self._listeners: list[Listener] = []
        self._failing: list[Listener] = []
        """Listeners that have raised: each is logged once."""

    def on_ended(self, listener: Listener) -> None:
        """Have every call reported that ends from now on. See `Listener`."""
        self._listeners.append(listener)

    def find_nowait(self, key: FunctionKey, qualifier: str | None) -> Route | None:
        """Where a call would go, if that is in memory; else None: then `find`."""
        return self._catalog.get_nowait(key, qualifier)

    async def find(self, key: FunctionKey, qualifier: str | None) -> Route:
        """Where a call would go. Raises `FunctionNotFound` if there is no such function."""
        route = await self._catalog.get(key, qualifier)
        if route is None:
            raise FunctionNotFound(f"Function not found: {key.arn}:{qualifier or LATEST}")
        return route

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion:
        """The version that a call would run; of an alias with two versions it is drawn again for
        each call. Raises `FunctionNotFound` if there is none."""
        return (await self.find(key, qualifier)).choose()

    def begin(self, call: Call, make_reply: MakeReply) -> bool:
        """Run a call if its function is in memory; returns whether it is. If not, nothing has
        happened: await `start`."""
        route = self._catalog.get_nowait(call.key, call.qualifier)
        if route is None:
            return False
        self.run(call, route, make_reply)
        return True

    async def start(self, call: Call, make_reply: MakeReply) -> None:
        """Run a call whose function may have to be looked up. Raises `FunctionNotFound` if there is
        none; then no reply is made."""
        self.run(call, await self.find(call.key, call.qualifier), make_reply)

    async def call(self, call: Call) -> CallResult:
        """Run a call and wait for its outcome. If the wait is cancelled, the function runs on and
        its outcome is lost."""
        results: list[CallResult] = []
        has_ended = anyio.Event()

        def make_reply(request: InvocationRequest) -> Reply:
            def finish(outcome: Outcome, _: RunReport) -> None:
                function, trace_id = request.function, request.trace_id
                results.append(CallResult(call.request_id, outcome, function, trace_id))
                has_ended.set()

            return WholeReply(finish)

        try:
            await self.start(call, make_reply)
        except ApiError as error:
            return CallResult(call.request_id, Refused.of(error), None)
        await has_ended.wait()
        return results[0]

    def run(self, call: Call, route: Route, make_reply: MakeReply) -> None:
        """Run a call whose route has just been found."""
        function, tracer, trace = route.choose(), self._tracer, None
        if function.is_traced and tracer is not None:
            trace_id, trace = tracer.begin(call)
        else:
            trace_id = passed_on(call.trace_header)
        loops = 0
        if call.kind is not InvocationKind.URL:
            trace_id, loops = extend_lineage(trace_id, call.key.arn)
        # By position, in the order of the fields: names would cost as much again.
        request = InvocationRequest(
            call.request_id,
            call.kind,
            function,
            call.event,
            call.qualifier,
            "application/json",
            call.client_context,
            trace_id,
            call.tenant_id,
            call.wants_log_tail,
            call.wants_stream,
        )
        reply = make_reply(request)
        if trace is not None:
            reply = trace.follow(request, reply)
        if loops >= LOOPS_MAX and not route.may_loop:
            refused = Refused(recursive(call.key), Refusal.LOOP)
            self._end(request, reply, None, refused, NOT_RUN)
            return
        if self._placement is not None:
            other = self._placement.choose(request)
            if other is not None:
                run_here = partial(self._run_here, request, reply, self._end)
                other.call(request, SentReply(request, reply, run_here, self._end))
                return
        self._run_here(request, reply, self._end)

    def run_sent(self, request: InvocationRequest, reply: Reply) -> None:
        """Run a call that another node has sent, on this node."""
        self._run_here(request, reply, self._end_sent)

    def _run_here(self, request: InvocationRequest, reply: Reply, end: End) -> None:
        admitted = self._admit(request)
        if isinstance(admitted, Shortage):
            assert self._wait_for_share is not None
            again = partial(self._run_again, request, reply, end, admitted)
            self._wait_for_share(admitted, again)
            return
        self._submit(request, reply, end, admitted)

    def _run_again(
        self, request: InvocationRequest, reply: Reply, end: End, short: Shortage
    ) -> None:
        """Run a call that has waited for this node's share of a limit to be raised."""
        admitted = self._admit(request)
        if isinstance(admitted, Shortage):
            if admitted.purse != short.purse and self._wait_for_share is not None:
                # The limits have changed meanwhile.
                again = partial(self._run_again, request, reply, end, admitted)
                self._wait_for_share(admitted, again)
                return
            admitted = admitted.refused
        self._submit(request, reply, end, admitted)

    def _submit(
        self,
        request: InvocationRequest,
        reply: Reply,
        end: End,
        admitted: RunningCounter | Refused,
    ) -> None:
        if isinstance(admitted, Refused):
            end(request, reply, None, admitted, NOT_RUN)
            return
        counted = CountedReply(request, reply, admitted, end)
        try:
            self._node.submit(request, counted)
        except BaseException:
            self._admission.release(admitted)
            raise

    def _admit(self, request: InvocationRequest) -> RunningCounter | Refused | Shortage:
        if (error := tenant_error(request.function, request.tenant_id)) is not None:
            return Refused(error, Refusal.INVALID)
        if (error := state_error(request.function)) is not None:
            return Refused(error, Refusal.NOT_READY)
        return self._admission.admit(request.function)

    def _end(
        self,
        request: InvocationRequest,
        reply: Reply,
        counter: RunningCounter | None,
        outcome: Outcome,
        report: RunReport,
    ) -> None:
        """Every call ends here, once. `counter` is None if it was refused before it counted."""
        fact = None
        if self._listeners:
            fact = self._describe(request, counter, outcome, report)
        if counter is not None:
            self._admission.release(counter)
        try:
            reply.finish(outcome, report)
        except Exception:  # The environment has to go on, whatever happens to the response.
            logger.exception("the outcome of %s cannot be delivered", request.request_id)
        if fact is not None:
            self._emit(fact)

    def _end_sent(
        self,
        request: InvocationRequest,
        reply: Reply,
        counter: RunningCounter | None,
        outcome: Outcome,
        report: RunReport,
    ) -> None:
        """A call that another node has sent ends here. If there is no room, that node goes on with
        it, and reports it."""
        if not is_lack_of_room(outcome):
            self._end(request, reply, counter, outcome, report)
            return
        if counter is not None:
            self._admission.release(counter)
        reply.finish(outcome, report)

    def _describe(
        self,
        request: InvocationRequest,
        counter: RunningCounter | None,
        outcome: Outcome,
        report: RunReport,
    ) -> InvocationEnded:
        function = request.function
        concurrency = _NONE
        if counter is not None and outcome.has_run:
            concurrency = self._admission.count(counter)
        # By position, as the request.
        return InvocationEnded(
            function.key,
            function.version,
            request.qualifier,
            request.kind,
            request.request_id,
            request.trace_id,
            self._clock.now() - report.duration_s - report.queued_s,
            report.queued_s,
            report.init_s,
            report.duration_s,
            outcome.kind,
            outcome.error_type,
            len(request.event),
            report.response_bytes,
            function.memory_mb,
            report.memory_used_mb,
            report.is_provisioned,
            concurrency,
        )

    def _emit(self, fact: InvocationEnded) -> None:
        for listener in self._listeners:
            try:
                listener(fact)
            except Exception:
                if listener not in self._failing:
                    self._failing.append(listener)
                    logger.exception("a listener for ended invocations fails; said once")
