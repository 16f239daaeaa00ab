"""The replies of Invoke and InvokeWithResponseStream: from an outcome to HTTP.
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_ResponseSyntax
"""

import base64
import json
import logging
from collections.abc import Callable
from typing import assert_never

from lambent.gateway.protocols.event_stream import CONTENT_TYPE, encode_event
from lambent.gateway.request import Request
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    InvocationRequest,
    Outcome,
    Refused,
    RunReport,
    Succeeded,
    TimedOut,
    WholeReply,
)

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 64 * 1024


class InvokeReply(WholeReply):
    """The response of Invoke: the result, whole, or the function's error."""

    __slots__ = ("_invocation", "_request")

    def __init__(self, request: Request, invocation: InvocationRequest) -> None:
        super().__init__(self._finish)
        self._request = request
        self._invocation = invocation

    def _finish(self, outcome: Outcome, report: RunReport) -> None:
        try:
            match outcome:
                case Succeeded(payload):
                    self._respond(payload, report, "")
                case FunctionFailed(payload) | TimedOut(payload) | Crashed(payload):
                    self._respond(payload, report, "X-Amz-Function-Error: Unhandled\r\n")
                case Refused(error):
                    self._request.refuse(error)
                case _:
                    assert_never(outcome)
        except Exception as error:
            logger.exception("cannot respond with an outcome")
            self._request.fail(error)

    def _respond(self, payload: bytes, report: RunReport, optional: str) -> None:
        request, invocation = self._request, self._invocation
        if invocation.wants_log_tail:
            optional += f"X-Amz-Log-Result: {base64.b64encode(report.log_tail).decode()}\r\n"
        if not request.exchange.keep_alive:
            optional += "Connection: close\r\n"
        head = (
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n"
            f"x-amzn-RequestId: {invocation.request_id}\r\n"
            f"X-Amz-Executed-Version: {invocation.function.version}\r\n"
            "x-amzn-Remapped-Content-Length: 0\r\n"
            f"X-Amzn-Trace-Id: {invocation.trace_id}\r\n"
            f"{optional}\r\n"
        )
        request.exchange.respond_raw(head.encode("latin-1"), payload)


class StreamReply:
    """The response of InvokeWithResponseStream: the result in chunks, then how the call ended. A
    result that comes whole is cut into chunks."""

    def __init__(self, request: Request, invocation: InvocationRequest) -> None:
        self._request = request
        self._invocation = invocation
        self._has_begun = False

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `Reply`."""
        self._request.exchange.on_writable(resume)
        self._begin()

    def write(self, data: bytes) -> bool:
        """See `Reply`."""
        message = encode_event("PayloadChunk", "application/octet-stream", data)
        return self._request.exchange.write(message)

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        try:
            self._finish(outcome, report)
        except Exception as error:
            logger.exception("cannot respond with an outcome")
            self._request.fail(error)

    def _finish(self, outcome: Outcome, report: RunReport) -> None:
        complete: dict[str, str] = {}
        match outcome:
            case Refused(error):
                self._request.refuse(error)
                return
            case Succeeded(payload):
                if not self._has_begun:
                    self._begin()
                    for start in range(0, len(payload), _CHUNK_BYTES):
                        self.write(payload[start : start + _CHUNK_BYTES])
            case FunctionFailed(payload) | TimedOut(payload) | Crashed(payload):
                code = outcome.error_type if self._has_begun else "Unhandled"
                details = payload.decode(errors="replace")
                complete = {"ErrorCode": str(code), "ErrorDetails": details}
                if not self._has_begun:
                    self._begin()
            case _:
                assert_never(outcome)
        if self._invocation.wants_log_tail:
            complete["LogResult"] = base64.b64encode(report.log_tail).decode()
        exchange = self._request.exchange
        exchange.write(
            encode_event("InvokeComplete", "application/json", json.dumps(complete).encode())
        )
        exchange.finish()

    def _begin(self) -> None:
        self._has_begun = True
        invocation = self._invocation
        self._request.exchange.start(
            200,
            [
                ("Content-Type", CONTENT_TYPE),
                ("x-amzn-RequestId", invocation.request_id),
                ("X-Amz-Executed-Version", invocation.function.version),
                ("X-Amzn-Trace-Id", invocation.trace_id),
            ],
        )
