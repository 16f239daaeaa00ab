"""`AWS` with a function: it gets what the template makes, and returns what it likes."""

import json
from typing import assert_never

from lambent.kit.tasks import start_task
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.triggers.apis.backends.exchange import Prepared
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import Done
from lambent.triggers.apis.rest.integrations.functions import FunctionCaller, refusal

_TYPE = "x-amz-invocation-type"
_HEADERS = {"content-type": ["application/json"]}


class LambdaBackend:
    """See the module."""

    def __init__(self, context: ApiContext, caller: FunctionCaller) -> None:
        self._context = context
        self._caller = caller

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """See `Backend`."""
        event, kind = prepared.body or b"{}", _invocation_type(prepared)
        if kind == "Event":
            start_task(self._context.tasks, call.fail, self._keep, call, event, done)
            return

        def finish(call: RestCall, outcome: Outcome) -> None:
            done(call, read_outcome(outcome))

        self._caller.begin(call, event, finish)

    async def _keep(self, call: RestCall, event: bytes, done: Done) -> None:
        """The function is called later, whatever becomes of this request."""
        try:
            await self._caller.keep(call, event)
        except GatewayError as error:
            call.refuse(error)
        else:
            done(call, IntegrationResult(202, _HEADERS, b"", ""))


def _invocation_type(prepared: Prepared) -> str:
    """`Event` or `RequestResponse`. Raises `GatewayError` for others."""
    kind = prepared.header(_TYPE) or "RequestResponse"
    if kind not in ("Event", "RequestResponse"):
        raise GatewayError(
            "API_CONFIGURATION_ERROR", f"The invocation type {kind[:32]!r} is not supported."
        )
    return kind


def read_outcome(outcome: Outcome) -> IntegrationResult:
    """What a function returned. Selection patterns are matched with its error message, which is
    empty if it succeeded. Raises `GatewayError`."""
    match outcome:
        case Succeeded(payload):
            return IntegrationResult(200, _HEADERS, payload, "")
        case FunctionFailed(payload) | TimedOut(payload) | Crashed(payload):
            return IntegrationResult(200, _HEADERS, payload, _message_of(payload))
        case Refused(error):
            raise refusal(error)
        case _:
            assert_never(outcome)


def _message_of(payload: bytes) -> str:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    message = document.get("errorMessage") if isinstance(document, dict) else None
    return message if isinstance(message, str) else ""
