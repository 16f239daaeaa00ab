"""Integrations with functions: `AWS_PROXY`, payload formats 1.0 and 2.0."""

import logging
from typing import assert_never

from lambent.kit.computing import LOOP_BYTES_MAX, computed, computed_apart
from lambent.kit.deadlines import Deadlines
from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.function_uris import parse_function_uri
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refused,
    RunReport,
    Succeeded,
    TimedOut,
    Unstreamed,
)
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.calls import ApiCall
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.events import event_headers, make_event
from lambent.triggers.apis.http.integration import Common
from lambent.triggers.apis.http.mapping import map_request
from lambent.triggers.apis.http.responses import read_result
from lambent.triggers.url_response import UrlResponse

logger = logging.getLogger(__name__)


class FunctionIntegration:
    """Calls one function."""

    def __init__(self, context: ApiContext, stage: Stage, body: Body) -> None:
        """Raises ValueError if the document names no function, or a mapping cannot be read."""
        self._context = context
        self._scope = stage.root.scope
        variables = stage.body.get("StageVariables") or {}
        self._function = parse_function_uri(body["IntegrationUri"], variables)
        self._version = body.get("PayloadFormatVersion") or "1.0"
        self._common = Common.of(body)
        self.deadlines = Deadlines(self._common.timeout_s, _time_out)
        """Of the calls that run."""

    def handle(self, call: HttpCall) -> None:
        """See `Integration`."""
        call.integration_started = self._context.clock.now()
        try:
            if not self._begins(call):
                start_task(self._context.tasks, call.fail, self._start, call)
        except (ApiError, ValueError) as error:
            self._refuse(call, error)

    def _begins(self, call: HttpCall) -> bool:
        """Call the function if that takes little time; returns whether it does. Raises `ApiError`
        and ValueError."""
        if len(call.request.exchange.body) > LOOP_BYTES_MAX:
            return False
        return self._context.calls.begin(self._call(call), lambda _: _FunctionReply(self, call))

    async def _start(self, call: HttpCall) -> None:
        try:
            api_call = await computed(self._call, call)
            await self._context.calls.start(api_call, lambda _: _FunctionReply(self, call))
        except (ApiError, ValueError) as error:
            self._refuse(call, error)

    def _call(self, call: HttpCall) -> ApiCall:
        """Raises ValueError for a mapped value that is too long."""
        request, common = call.request, self._common
        outgoing = map_request(common.request_changes, call, event_headers(call))
        return ApiCall(
            self._scope,
            self._function,
            source_arn(call),
            make_event(call, self._version, outgoing),
            request.request_id,
            request.trace_id,
            common.role,
            call.caller,
        )

    def _refuse(self, call: HttpCall, error: Exception) -> None:
        """Respond to a request whose function was not called."""
        if isinstance(error, ApiError) and error.status == 413:
            call.refuse(413, "Request Entity Too Large")
            return
        call.integration_error = str(error)
        call.fail()

    def finish(self, call: HttpCall, outcome: Outcome) -> None:
        """Respond with what the function returned."""
        if call.is_done:
            return
        call.integration_ended = self._context.clock.now()
        match outcome:
            case Succeeded(payload):
                call.integration_status = 200
                if len(payload) <= LOOP_BYTES_MAX:
                    self._respond(call, read_result(payload, self._version))
                else:
                    tasks = self._context.tasks
                    start_task(tasks, call.fail, self._respond_large, call, payload)
            case FunctionFailed() | Crashed() | TimedOut():
                call.integration_status = 200
                call.integration_error = "The function failed: its log says why."
                call.fail()
            case Refused(error):
                call.integration_status = error.status
                self._refuse(call, error)
            case _:
                assert_never(outcome)

    async def _respond_large(self, call: HttpCall, payload: bytes) -> None:
        version = self._version
        self._respond(call, await computed_apart(read_result, payload, version, data=payload))

    def _respond(self, call: HttpCall, response: UrlResponse | None) -> None:
        if response is None:
            call.integration_error = "The function returned what is no response."
            call.fail()
            return
        self._common.respond(call, response.status, response.headers, response.body)


class _FunctionReply(Unstreamed):
    """The reply of one call. If it takes too long the client gets 503, and the function runs on."""

    __slots__ = ("_call", "_integration")

    def __init__(self, integration: FunctionIntegration, call: HttpCall) -> None:
        """The call begins now."""
        self._integration = integration
        self._call = call
        integration.deadlines.start(call)

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        call = self._call
        self._integration.deadlines.stop(call)
        try:
            self._integration.finish(call, outcome)
        except Exception:
            logger.exception("cannot respond to a request to %s", call.request.stage.root.id)
            call.fail()


def _time_out(call: HttpCall) -> None:
    call.integration_error = "The integration has timed out."
    call.refuse(503, "Service Unavailable")


def source_arn(call: HttpCall) -> str:
    """What a route is called in the policies of functions."""
    stage, key = call.request.stage, call.route_key
    root = stage.root
    where = key if key == "$default" else f"{call.request.exchange.method}{key.partition(' ')[2]}"
    return f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}/{stage.name}/{where}"
