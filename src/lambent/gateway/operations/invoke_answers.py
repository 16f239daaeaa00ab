"""How the three ways to invoke a function answer."""

import base64
import json

from lambent.gateway.protocol.event_stream import CONTENT_TYPE, encode_event
from lambent.gateway.server import Request
from lambent.model.invocation import Invocation, Outcome, Refused, Succeeded

_CHUNK_BYTES = 64 * 1024


def answer_whole(request: Request, invocation: Invocation, outcome: Outcome) -> None:
    """Write the answer of Invoke."""
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


def answer_as_stream(request: Request, invocation: Invocation, outcome: Outcome) -> None:
    """Write the answer of InvokeWithResponseStream: the result in chunks, then how it ended."""
    if isinstance(outcome, Refused):
        request.refuse(outcome.error)
        return
    messages = []
    complete: dict[str, str] = {}
    if isinstance(outcome, Succeeded):
        for start in range(0, len(outcome.payload), _CHUNK_BYTES):
            chunk = outcome.payload[start : start + _CHUNK_BYTES]
            messages.append(encode_event("PayloadChunk", "application/octet-stream", chunk))
    else:
        complete["ErrorCode"] = "Unhandled"
        complete["ErrorDetails"] = outcome.payload.decode(errors="replace")
    if invocation.wants_log_tail:
        complete["LogResult"] = base64.b64encode(invocation.log_tail).decode()
    messages.append(
        encode_event("InvokeComplete", "application/json", json.dumps(complete).encode())
    )
    request.exchange.respond(
        200,
        [
            ("Content-Type", CONTENT_TYPE),
            ("x-amzn-RequestId", invocation.request_id),
            ("X-Amz-Executed-Version", invocation.function.version),
            ("X-Amzn-Trace-Id", invocation.trace_id),
        ],
        b"".join(messages),
    )


def answer_nothing(request: Request, invocation: Invocation, outcome: Outcome) -> None:
    """Stands where nobody waits for an outcome."""
    raise AssertionError("InvokeAsync never waits for an outcome")
