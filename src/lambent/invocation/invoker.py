"""The invoker: every function call passes here. Resolve, admit, submit, outcome.

`invoke` is synchronous and does nothing slow. The outcome comes back through the call's reply,
whatever happens. Only a version that is not in memory yet costs a look-up (`resolve`).
"""

import logging
from collections.abc import Callable
from functools import partial

from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.ports import Node
from lambent.model.errors import ApiError, FunctionNotFound, conflict
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.model.invocation import (
    NOT_RUN,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    Reply,
    RunReport,
)

logger = logging.getLogger(__name__)


class Invoker:
    """Resolves, counts and submits."""

    def __init__(self, admission: Admission, catalog: Catalog, node: Node) -> None:
        self._admission = admission
        self._catalog = catalog
        self._node = node

    def resolve_nowait(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """The version to run if it is in memory, else None: then `resolve`. Of an alias with two
        versions it is drawn again for each call."""
        route = self._catalog.get_nowait(key, qualifier)
        return None if route is None else route.choose()

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion:
        """The version to run. Raises `FunctionNotFound` if there is none."""
        route = await self._catalog.get(key, qualifier)
        if route is None:
            raise FunctionNotFound(f"Function not found: {key.arn}:{qualifier or LATEST}")
        return route.choose()

    def may_loop(self, key: FunctionKey, qualifier: str | None) -> bool:
        """Whether a function that was just resolved may call itself without end. One that has
        changed in this moment may, once."""
        route = self._catalog.get_nowait(key, qualifier)
        return route is None or route.may_loop

    def invoke(self, request: InvocationRequest, reply: Reply) -> None:
        """Run a request; its reply gets the outcome, once, perhaps before this returns."""
        error = state_error(request.function)
        if error is not None:
            _finish(request, reply, Refused(error, Refusal.NOT_READY), NOT_RUN)
            return
        counter = self._admission.admit(request.function)
        if isinstance(counter, Refused):
            _finish(request, reply, counter, NOT_RUN)
            return
        call = _Call(request, reply, partial(self._admission.release, counter))
        try:
            self._node.submit(request, call)
        except BaseException:
            self._admission.release(counter)
            raise


class _Call:
    """The reply of a call that is counted: what comes up passes here on its way to the caller."""

    __slots__ = ("_release", "_reply", "_request")

    def __init__(
        self, request: InvocationRequest, reply: Reply, release: Callable[[], None]
    ) -> None:
        self._request = request
        self._reply = reply
        self._release = release

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `Reply`."""
        self._reply.begin(content_type, resume)

    def write(self, data: bytes) -> bool:
        """See `Reply`."""
        return self._reply.write(data)

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        self._release()
        _finish(self._request, self._reply, outcome, report)


def _finish(request: InvocationRequest, reply: Reply, outcome: Outcome, report: RunReport) -> None:
    try:
        reply.finish(outcome, report)
    except Exception:  # The environment has to go on, whatever happens to the response.
        logger.exception("the outcome of %s cannot be delivered", request.request_id)


def state_error(function: FunctionVersion) -> ApiError | None:
    """The error of a call that the version's state forbids; None if it may run."""
    if function.state == "Pending" and function.snap_starts:
        return ApiError(
            "SnapStartNotReadyException",
            "Lambda is initializing your function. It will be ready to invoke once your"
            " function state becomes ACTIVE.",
            status=409,
        )
    if function.state == "Pending":
        return conflict(
            "The operation cannot be performed at this time. "
            "The function is currently in the following state: Pending"
        )
    if function.state == "Failed" and function.snap_starts:
        return ApiError("SnapStartException", function.state_reason or "", status=400)
    if function.state == "Failed":
        return ApiError(
            "InvalidZipFileException",
            function.state_reason or "The function's deployment package cannot be used.",
            status=502,
        )
    return None
