"""How the three ways to invoke a function answer."""

import base64
import json
import logging
from collections.abc import Callable

from lambent.gateway.protocols.event_stream import CONTENT_TYPE, encode_event
from lambent.gateway.request import Request
from lambent.kit.tasks import guarded
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Invocation,
    Outcome,
    Refused,
    Succeeded,
    TimedOut,
)

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 64 * 1024


def _write_whole(request: Request, invocation: Invocation, outcome: Outcome) -> None:
    if isinstance(outcome, Refused):
        request.refuse(outcome.error)
        return
    optional = ""
    if not isinstance(outcome, Succeeded):
        optional += "X-Amz-Function-Error: Unhandled\r\n"
    if invocation.wants_log_tail:
        tail = base64.b64encode(invocation.log_tail).decode()
        optional += f"X-Amz-Log-Result: {tail}\r\n"
    if not request.exchange.keep_alive:
        optional += "Connection: close\r\n"
    payload = outcome.payload
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


class StreamAnswer:
    """The answer of InvokeWithResponseStream: the result in chunks, then how it ended. A sink of
    the invocation; a result that did not come in chunks is cut into some."""

    def __init__(self, request: Request, invocation: Invocation) -> None:
        self._request = request
        self._invocation = invocation
        self._has_begun = False

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `ResponseSink`."""
        self._request.exchange.on_writable(resume)
        self._begin()

    def write(self, data: bytes) -> bool:
        """See `ResponseSink`."""
        message = encode_event("PayloadChunk", "application/octet-stream", data)
        return self._request.exchange.write(message)

    def end(self, outcome: Outcome) -> None:
        """Tell the outcome."""
        if isinstance(outcome, Refused):
            self._request.refuse(outcome.error)
            return
        complete: dict[str, str] = {}
        if not self._has_begun:
            self._begin()
            if isinstance(outcome, Succeeded):
                for start in range(0, len(outcome.payload), _CHUNK_BYTES):
                    self.write(outcome.payload[start : start + _CHUNK_BYTES])
            else:
                complete = _failure(outcome, "Unhandled")
        elif not isinstance(outcome, Succeeded):
            complete = _failure(outcome, getattr(outcome, "error_type", "Sandbox.Timedout"))
        if self._invocation.wants_log_tail:
            complete["LogResult"] = base64.b64encode(self._invocation.log_tail).decode()
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


def _failure(outcome: FunctionFailed | TimedOut | Crashed, code: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorDetails": outcome.payload.decode(errors="replace")}


def answer_as_stream(request: Request, invocation: Invocation) -> None:
    """Have the answer of InvokeWithResponseStream written."""
    answer = StreamAnswer(request, invocation)
    invocation.sink = answer
    invocation.on_done = guarded(request.fail, answer.end)


def answer_whole(request: Request, invocation: Invocation) -> None:
    """Have the answer of Invoke written. `guarded` would cost a microsecond of each call."""

    def on_done(outcome: Outcome) -> None:
        try:
            _write_whole(request, invocation, outcome)
        except Exception as error:
            logger.exception("an outcome cannot be answered")
            request.fail(error)

    invocation.on_done = on_done


def answer_nothing(request: Request, invocation: Invocation) -> None:
    """Stands where nobody waits for an outcome."""
    raise AssertionError("InvokeAsync never waits for an outcome")
