"""`AWS` with a function: it gets what the template makes, and returns what it likes."""

import json
from typing import assert_never

from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import Done, Prepared
from lambent.triggers.apis.rest.integrations.functions import FunctionCaller, refusal

_TYPE = "x-amz-invocation-type"
_HEADERS = {"content-type": ["application/json"]}


class LambdaBackend:
    """See the module."""

    def __init__(self, caller: FunctionCaller) -> None:
        self._caller = caller

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """See `Backend`."""
        for name, value in prepared.parameters["header"].items():
            if name.lower() == _TYPE and value.strip("'") != "RequestResponse":
                raise GatewayError(
                    "API_CONFIGURATION_ERROR", f"The invocation type {value[:32]} is not supported."
                )

        def finish(call: RestCall, outcome: Outcome) -> None:
            done(call, read_outcome(outcome))

        self._caller.begin(call, prepared.body or b"{}", finish)


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
