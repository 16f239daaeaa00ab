"""`AWS_PROXY`: a function gets the request and returns the response."""

from collections.abc import Sequence
from typing import assert_never

from lambent.kit.computing import LOOP_BYTES_MAX, computed, computed_apart
from lambent.kit.tasks import start_task
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.rest.binary import UndecodableError
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integrations.functions import FunctionCaller, refusal
from lambent.triggers.apis.rest.integrations.streaming import (
    FAILED,
    MALFORMED,
    StreamedReply,
    read_metadata,
)
from lambent.triggers.apis.rest.proxy_event import make_proxy_event
from lambent.triggers.apis.rest.proxy_result import read_proxy_result
from lambent.triggers.url_response import UrlResponse


class LambdaProxy:
    """See the module."""

    def __init__(
        self,
        context: ApiContext,
        caller: FunctionCaller,
        binary_types: Sequence[str],
        *,
        idle_s: float | None,
    ) -> None:
        """`idle_s` is how long a streamed response may be silent; None if it is not streamed."""
        self._context = context
        self._idle_s = idle_s
        self._caller = caller
        self._binary_types = binary_types

    def handle(self, call: RestCall) -> None:
        """See `Integration`."""
        if len(call.request.exchange.body) > LOOP_BYTES_MAX:
            start_task(self._context.tasks, call.fail, self._handle_large, call)
        else:
            self._begin(call, self._event(call))

    async def _handle_large(self, call: RestCall) -> None:
        try:
            self._begin(call, await computed(self._event, call))
        except GatewayError as error:
            call.refuse(error)

    def _begin(self, call: RestCall, event: bytes) -> None:
        call.note_data("Endpoint request body after transformations", event)
        idle_s = self._idle_s
        if idle_s is None:
            self._caller.begin(call, event, self._finish)
            return
        timeout_s = self._caller.timeout_s
        reply = StreamedReply(call, self._finish, timeout_s=timeout_s, idle_s=idle_s)
        self._caller.begin_stream(call, event, reply)

    def _event(self, call: RestCall) -> bytes:
        exchange = call.request.exchange
        return make_proxy_event(
            resource=call.resource_path,
            path=call.path,
            method=exchange.method,
            parameters=call.parameters,
            variables=call.variables,
            context=call.context,
            body=exchange.body,
            is_binary=call.is_binary(self._binary_types),
        )

    def _finish(self, call: RestCall, outcome: Outcome) -> None:
        if not isinstance(outcome, Refused):
            call.note("Received response. Status: 200")
            call.note_data("Endpoint response body before transformations", outcome.payload)
        match outcome:
            case Succeeded(payload):
                call.integration_status = 200
                if self._idle_s is not None:
                    # Nothing came in chunks: the function returned at once, or nothing at all.
                    response = read_metadata(payload, "")
                    self._respond(call, MALFORMED if response is None else response)
                elif len(payload) > LOOP_BYTES_MAX:
                    start_task(self._context.tasks, call.fail, self._respond_large, call, payload)
                else:
                    self._respond(call, _read(payload, self._binary_types, _accept(call)))
            case FunctionFailed() | Crashed() | TimedOut():
                call.integration_status = 200
                raise GatewayError("DEFAULT_5XX", FAILED)
            case Refused(error):
                call.integration_status = error.status
                raise refusal(error)
            case _:
                assert_never(outcome)

    async def _respond_large(self, call: RestCall, payload: bytes) -> None:
        arguments = (payload, self._binary_types, _accept(call))
        try:
            self._respond(call, await computed_apart(_read, *arguments, data=payload))
        except GatewayError as error:
            call.refuse(error)

    def _respond(self, call: RestCall, response: UrlResponse | str) -> None:
        if isinstance(response, str):
            kind = "INTEGRATION_FAILURE" if response == _UNDECODABLE else "DEFAULT_5XX"
            raise GatewayError(kind, response)
        call.respond(response.status, response.headers, response.body)


_UNDECODABLE = "The body of the function's response is not Base64."


def _accept(call: RestCall) -> str | None:
    return call.request.exchange.headers.get("accept")


def _read(payload: bytes, binary_types: Sequence[str], accept: str | None) -> UrlResponse | str:
    """The response, or why there is none."""
    try:
        return read_proxy_result(payload, binary_types, accept)
    except UndecodableError:
        return _UNDECODABLE
    except ValueError as error:
        return f"Malformed Lambda proxy response: {error}"
