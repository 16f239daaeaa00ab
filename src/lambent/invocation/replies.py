"""Replies that stand between a call and its caller."""

from collections.abc import Callable

from lambent.invocation.admission import RunningCounter
from lambent.model.invocation import (
    NOT_RUN,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    Reply,
    RunReport,
)
from lambent.model.placement import NODE_LOST

End = Callable[[InvocationRequest, Reply, RunningCounter | None, Outcome, RunReport], None]
"""Ends a call, which counted if there is a counter."""


class _Between:
    """Passes on what comes up before the outcome."""

    __slots__ = ("_reply",)
    _reply: Reply

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `Reply`."""
        self._reply.begin(content_type, resume)

    def write(self, data: bytes) -> bool:
        """See `Reply`."""
        return self._reply.write(data)


class CountedReply(_Between):
    """The reply of a call that is counted: what comes up passes here on its way to the caller."""

    __slots__ = ("_counter", "_end", "_request")

    def __init__(
        self, request: InvocationRequest, reply: Reply, counter: RunningCounter, end: End
    ) -> None:
        self._request = request
        self._reply = reply
        self._counter = counter
        self._end = end

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        self._end(self._request, self._reply, self._counter, outcome, report)


class SentReply(_Between):
    """The reply of a call that another node runs, counts and reports."""

    __slots__ = ("_end", "_request", "_run_here")

    def __init__(
        self,
        request: InvocationRequest,
        reply: Reply,
        run_here: Callable[[], None],
        end: End,
    ) -> None:
        """`run_here` runs the call on this node after all."""
        self._request = request
        self._reply = reply
        self._run_here = run_here
        self._end = end

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        if is_lack_of_room(outcome):
            self._run_here()
        elif outcome is NODE_LOST:
            self._end(self._request, self._reply, None, outcome, NOT_RUN)
        else:
            self._reply.finish(outcome, report)


def is_lack_of_room(outcome: Outcome) -> bool:
    """Whether a node has refused a call that another one may have room for."""
    return isinstance(outcome, Refused) and outcome.reason is Refusal.NO_CAPACITY
