"""The one door through which every function call passes: resolve, admit, assign, outcome.

`invoke` is synchronous and does nothing slow; the outcome comes back through the invocation's
`on_done`. Only a version that is not in memory yet costs a look-up (`resolve`).
"""

import logging

from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.model.errors import ApiError, conflict, not_found
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.model.invocation import Invocation, Outcome
from lambent.node.pools.scheduler import Scheduler

logger = logging.getLogger(__name__)


class Invoker:
    """Resolves, counts and passes on."""

    def __init__(self, admission: Admission, catalog: Catalog, scheduler: Scheduler) -> None:
        self._admission = admission
        self._catalog = catalog
        self._scheduler = scheduler

    def resolve_nowait(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """The version to run if it is in memory, else None: then `resolve`. Of an alias with two
        versions it is drawn again for each call."""
        route = self._catalog.get_nowait(key, qualifier)
        return None if route is None else route.choose()

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion:
        """The version to run. Raises `ApiError` 404 if there is none."""
        route = await self._catalog.get(key, qualifier)
        if route is None:
            raise not_found(f"Function not found: {key.arn}:{qualifier or LATEST}")
        return route.choose()

    def check_invocable(self, function: FunctionVersion) -> None:
        """Raise `ApiError` if the version's state forbids to run it."""
        if function.state == "Pending" and function.snap_starts:
            raise ApiError(
                "SnapStartNotReadyException",
                "Lambda is initializing your function. It will be ready to invoke once your"
                " function state becomes ACTIVE.",
                status=409,
            )
        if function.state == "Pending":
            raise conflict(
                "The operation cannot be performed at this time. "
                "The function is currently in the following state: Pending"
            )
        if function.state == "Failed" and function.snap_starts:
            raise ApiError("SnapStartException", function.state_reason or "", status=400)
        if function.state == "Failed":
            raise ApiError(
                "InvalidZipFileException",
                function.state_reason or "The function's deployment package cannot be used.",
                status=502,
            )

    def is_off(self, key: FunctionKey) -> bool:
        """Whether no concurrency at all is reserved for a function: nothing of it ever runs."""
        return self._admission.is_off(key)

    def may_loop(self, key: FunctionKey, qualifier: str | None) -> bool:
        """Whether a function that was just resolved may call itself without end. One that has
        changed in this moment may, once."""
        route = self._catalog.get_nowait(key, qualifier)
        return route is None or route.may_loop

    def invoke(self, invocation: Invocation) -> None:
        """Run an invocation; `invocation.on_done` gets its outcome, once.

        Raises `ApiError`: 409 if the function is not ready, 429 if too many run already; then
        `on_done` is not called.
        """
        self.check_invocable(invocation.function)
        admission = self._admission
        counter = admission.admit(invocation.function)
        report = invocation.on_done

        def on_done(outcome: Outcome) -> None:
            admission.release(counter)
            try:
                report(outcome)
            except Exception:  # Who runs the function has to go on whatever becomes of its answer.
                logger.exception("the outcome of %s cannot be told", invocation.request_id)

        invocation.on_done = on_done
        try:
            self._scheduler.submit(invocation)
        except BaseException:
            admission.release(counter)
            raise
