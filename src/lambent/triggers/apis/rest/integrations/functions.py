"""Calls of functions by REST APIs, with the timeout of their integration."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import anyio

from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.function_uris import parse_function_uri
from lambent.model.invocation import Outcome, Reply, RunReport, Unstreamed
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.calls import ApiCall
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integrations.integration import TIMEOUT_MS

logger = logging.getLogger(__name__)

Finish = Callable[[RestCall, Outcome], None]
"""Goes on with the outcome of a call. May raise `GatewayError`."""


class CallReply(Reply, Protocol):
    """The reply of a call for a request."""

    @property
    def call(self) -> RestCall:
        """The request."""
        ...

    def begun(self) -> Reply:
        """The call begins now."""
        ...


class FunctionCaller:
    """Calls the function of one integration."""

    def __init__(
        self, context: ApiContext, stage: Stage, body: Body, variables: Mapping[str, str]
    ) -> None:
        """Raises ValueError if the document names no function."""
        self._context = context
        self._scope = stage.root.scope
        self._function = parse_function_uri(body.get("uri") or "", variables)
        self._role = body.get("credentials") or None
        self.timeout_s = (body.get("timeoutInMillis") or TIMEOUT_MS) / 1000

    def begin(self, call: RestCall, event: bytes, finish: Finish) -> None:
        """Call the function; `finish` is called with the outcome, unless the time is over."""
        self._begin(self._call(call, event), _FunctionReply(call, finish, self.timeout_s))

    def begin_stream(self, call: RestCall, event: bytes, reply: "CallReply") -> None:
        """Call the function; `reply` takes the response in chunks."""
        self._begin(self._call(call, event)._replace(wants_stream=True), reply)

    def _begin(self, api_call: ApiCall, reply: "CallReply") -> None:
        try:
            if not self._context.calls.begin(api_call, lambda _: reply.begun()):
                start_task(self._context.tasks, reply.call.fail, self._start, api_call, reply)
        except ApiError as error:
            raise refusal(error) from None

    async def keep(self, call: RestCall, event: bytes) -> None:
        """Have the function called later; returns when the event is on disk. Raises
        `GatewayError`."""
        try:
            with anyio.fail_after(self.timeout_s):
                await self._context.calls.keep(self._call(call, event))
        except ApiError as error:
            raise refusal(error) from None
        except TimeoutError:
            raise GatewayError("INTEGRATION_TIMEOUT", "The event was not written.") from None

    def _call(self, call: RestCall, event: bytes) -> ApiCall:
        request = call.request
        if call.log is not None:
            call.note(f"Sending request to {self._function.arn}")
        return ApiCall(
            self._scope,
            self._function,
            call.source_arn,
            event,
            request.request_id,
            request.trace_id,
            self._role,
            call.caller,
        )

    async def _start(self, api_call: ApiCall, reply: "CallReply") -> None:
        try:
            await self._context.calls.start(api_call, lambda _: reply.begun())
        except ApiError as error:
            reply.call.refuse(refusal(error))


def refusal(error: ApiError) -> GatewayError:
    """What a client gets whose function was not called."""
    if error.status == 413:
        return GatewayError("REQUEST_TOO_LARGE", error.message)
    return GatewayError("API_CONFIGURATION_ERROR", error.message)


class _FunctionReply(Unstreamed):
    """The reply of one call. If it takes too long the client gets 504, and the function runs on."""

    __slots__ = ("_finish", "_timeout_s", "_timer", "call")

    def __init__(self, call: RestCall, finish: Finish, timeout_s: float) -> None:
        self.call = call
        self._finish = finish
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None

    def begun(self) -> Reply:
        """The call begins now."""
        loop = asyncio.get_running_loop()
        timeout = GatewayError("INTEGRATION_TIMEOUT", "The integration has timed out.")
        self._timer = loop.call_later(self._timeout_s, self.call.refuse, timeout)
        return self

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        if self._timer is not None:
            self._timer.cancel()
        call = self.call
        if call.is_done:
            return
        try:
            self._finish(call, outcome)
        except GatewayError as error:
            call.refuse(error)
        except Exception:
            logger.exception("cannot respond to a request to %s", call.request.stage.root.id)
            call.fail()
