"""Execution logs: each step of a request, in a log group of the API's stage.

The method settings of a stage say what is written: nothing, errors (`ERROR`) or all steps (`INFO`),
and with `dataTraceEnabled` headers and bodies as well. Appending is a list operation; the log store
writes later.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from lambent.model.document import Root
from lambent.triggers.apis.access_logs import AccessLogs, LogStream
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.call_log import CallLog, masked

_LEVELS = ("ERROR", "INFO")


class ExecutionLog:
    """The execution log of a stage's methods with the same settings."""

    def __init__(
        self, logs: AccessLogs, root: Root, stage: str, level: str, has_data: bool
    ) -> None:
        self._logs = logs
        # As in AWS, streams have names without a meaning. One stream for a stage suffices here.
        name = hashlib.sha256(f"{root.id}/{stage}".encode()).hexdigest()[:32]
        self._stream = LogStream(root, f"API-Gateway-Execution-Logs_{root.id}/{stage}", name)
        self._has_steps = level == "INFO"
        self._has_data = has_data

    @classmethod
    def of(
        cls, logs: AccessLogs, root: Root, stage: str, settings: Mapping[str, Any]
    ) -> "ExecutionLog | None":
        """The log that a method's settings ask for; None if they ask for none."""
        level = (settings.get("loggingLevel") or "OFF").upper()
        if level not in _LEVELS:
            return None
        return cls(logs, root, stage, level, bool(settings.get("dataTraceEnabled")))

    def begin(self, request_id: str) -> CallLog:
        """The log of one request."""

        def write(line: str) -> None:
            self._logs.write(self._stream, f"({request_id}) {line}")

        return CallLog(write, self._has_steps, self._has_data)


def note_authorizer(call: RestCall, id: str) -> None:
    """A method has an authorizer, which is asked next."""
    call.note(f"Starting authorizer: {id} for request: {call.request.request_id}")


def note_key(call: RestCall, method: str) -> None:
    """The API key is fine, or the method `GET /pets` needs none."""
    where = f"{call.request.stage.root.id}/{call.request.stage.name}"
    key = "" if call.identity_key is None else masked(call.identity_key[0])
    needs = "requires API Key and the key is in a usage plan of the stage"
    if call.identity_key is None:
        needs = "does not require API Key. Request will not contribute to throttle or quota limits"
    call.note(
        f"Verifying Usage Plan for request: {call.request.request_id}. API Key: {key}"
        f" API Stage: {where}"
    )
    call.note(f"API Key {key} authorized because method '{method}' {needs}")
    call.note(f"Usage Plan check succeeded for API Key {key} and API Stage {where}")


def note_start(call: RestCall) -> None:
    """The validator and the integration are next."""
    exchange, given = call.request.exchange, call.parameters
    call.note(f"Starting execution for request: {call.request.request_id}")
    call.note(f"HTTP Method: {exchange.method}, Resource Path: {call.path}")
    call.note_data("Method request path", given.path)
    call.note_data("Method request query string", given.single()["querystring"])
    call.note_data("Method request headers", given.single()["header"])
    call.note_data("Method request body before transformations", exchange.body)
