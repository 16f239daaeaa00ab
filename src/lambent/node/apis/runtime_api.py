"""The Runtime API, as one runtime in one box sees it.

A small state machine behind the HTTP routes of
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. It owns no socket and starts no
task: requests come in, responses go out, and a `RuntimeListener` is notified of what the runtime
did.

An invocation may be delivered before the runtime has come back to `/next`, between its response and
its next poll. Then it is kept and handed over at the next poll.
"""

import base64
import enum
import json
from collections.abc import Callable, Mapping
from typing import Protocol

from lambent.kit.http.messages import BodyReader, Exchange
from lambent.kit.strict_json import parse_loosely
from lambent.model.invocation import InvocationRequest, ResponseSink
from lambent.node.apis.responses import accept, refuse

PREFIX = "/2018-06-01"
NEXT = PREFIX + "/runtime/invocation/next"
INVOCATION = PREFIX + "/runtime/invocation/"
INIT_ERROR = PREFIX + "/runtime/init/error"
RESTORE_NEXT = PREFIX + "/runtime/restore/next"
RESTORE_ERROR = PREFIX + "/runtime/restore/error"
PING = PREFIX + "/ping"

RESPONSE_BYTES_MAX = 6 * 1024 * 1024 + 100
"""AWS's limit of a buffered response."""

STREAM_BYTES_MAX = 200 * 1024 * 1024
"""AWS's limit of a streamed response."""
_CAUSE_BYTES_MAX = 64 * 1024
"""AWS's limit of the cause alone."""
_MODE_HEADER = "lambda-runtime-function-response-mode"
_TRAILER_TYPE = "lambda-runtime-function-error-type"
_TRAILER_BODY = "lambda-runtime-function-error-body"


class RuntimeListener(Protocol):
    """Notifies the environment. All calls come on the event loop."""

    def on_ready(self) -> None:
        """The runtime asked for an invocation and none was pending."""
        ...

    def on_response(self, payload: bytes, content_type: str) -> None:
        """The runtime sent the response to the current invocation."""
        ...

    def on_error(self, payload: bytes, error_type: str, cause: str = "") -> None:
        """The runtime reported that the current invocation failed. `cause` is what it has sent for
        X-Ray, JSON text."""
        ...

    def on_oversized_response(self) -> None:
        """The runtime's response, or its report of an error, was larger than allowed and was
        refused."""
        ...

    def on_stream(self, content_type: str, resume: Callable[[], None]) -> ResponseSink:
        """The runtime begins to respond to the current invocation in chunks. The returned sink
        receives them, and calls `resume` after it has refused more. At the end `on_response` is
        called, without a payload, or `on_error`."""
        ...

    def on_init_error(self, payload: bytes, error_type: str) -> None:
        """The runtime cannot load the function and will exit."""
        ...

    def on_restore_ready(self) -> None:
        """The runtime has loaded a function that uses SnapStart, and waits until
        `RuntimeApi.restore` lets it continue."""
        ...

    def on_restore_error(self, payload: bytes, error_type: str) -> None:
        """A hook that runs after the restore has failed; the runtime will exit."""
        ...


class _State(enum.Enum):
    """The state of the runtime, with the names of AWS's own emulator."""

    STARTED = "Started"
    RESTORE_READY = "RestoreReady"
    RESTORING = "Restoring"
    READY = "Ready"
    RUNNING = "Running"
    STREAMING = "InvocationResponse"
    RESPONSE_SENT = "ResponseSent"
    INIT_ERROR = "InitError"
    DETACHED = "Exited"


_BEFORE_READY = (
    _State.STARTED,
    _State.RESTORE_READY,
    _State.RESTORING,
    _State.INIT_ERROR,
    _State.DETACHED,
)


class RuntimeApi:
    """Serves one runtime. `handle` is the handler for the box's listening socket."""

    def __init__(self, listener: RuntimeListener) -> None:
        self._listener = listener
        self._state = _State.STARTED
        self._waiting: Exchange | None = None
        self._pending: tuple[InvocationRequest, int] | None = None
        """The invocation that waits for the runtime to ask, or that it is running."""

    def deliver(self, request: InvocationRequest, deadline_ms: int) -> None:
        """Send the runtime its next invocation; `deadline_ms` is in epoch milliseconds."""
        self._pending = (request, deadline_ms)
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting.is_open:
            self._hand_over(waiting)

    def keeps(self, request: InvocationRequest) -> bool:
        """Whether the runtime has not taken the invocation yet."""
        return (
            self._state not in (_State.RUNNING, _State.STREAMING)
            and self._pending is not None
            and self._pending[0] is request
        )

    def detach(self) -> None:
        """Stop notifying the listener, and refuse every further request of the runtime."""
        self._state = _State.DETACHED
        self._pending = None
        self._waiting = None

    @property
    def is_waiting(self) -> bool:
        """Whether the runtime is blocked in `/next`, so that it may be frozen."""
        return self._waiting is not None and self._waiting.is_open

    @property
    def has_asked(self) -> bool:
        """Whether the runtime has asked for an invocation."""
        return self._state not in _BEFORE_READY

    def handle(self, exchange: Exchange) -> None:
        """Serve one request of the runtime."""
        path = exchange.path
        if path == NEXT:
            self._next(exchange) if exchange.method == "GET" else _method_not_allowed(exchange)
        elif path == RESTORE_NEXT and exchange.method == "GET":
            self._restore_next(exchange)
        elif path == PING:
            exchange.respond(200, [("Content-Type", "text/plain")], b"pong")
        elif exchange.method != "POST":
            _not_found(exchange)
        elif path == INIT_ERROR:
            self._init_error(exchange)
        elif path == RESTORE_ERROR:
            self._restore_error(exchange)
        elif path.startswith(INVOCATION):
            request_id, _, action = path[len(INVOCATION) :].partition("/")
            if action == "response":
                self._answer(exchange, request_id, is_error=False)
            elif action == "error":
                self._answer(exchange, request_id, is_error=True)
            else:
                _not_found(exchange)
        else:
            _not_found(exchange)

    def handle_oversized(self, exchange: Exchange) -> None:
        """Refuse a request whose body is larger than `RESPONSE_BYTES_MAX`."""
        refuse(
            exchange,
            413,
            "RequestEntityTooLarge",
            f"Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).",
        )
        running = self._pending[0].request_id if self._pending is not None else ""
        own = f"{INVOCATION}{running}"
        answers = exchange.path in (f"{own}/response", f"{own}/error")
        if answers and self._state is _State.RUNNING:
            self._finish()
            self._listener.on_oversized_response()

    def open_stream(self, exchange: Exchange) -> BodyReader | None:
        """Take a request whose head has arrived. Returns the reader of its body; None if the
        request is to be handled when its body is complete.

        A response is streamed if its caller wants a stream, whether or not the runtime says so:
        clients such as Go's never do. If the runtime streams to a caller that wants the response
        whole, it is collected.
        """
        if self._pending is None or self._state is not _State.RUNNING:
            return None
        request = self._pending[0]
        mode = exchange.headers.get(_MODE_HEADER, "")
        is_streamed = mode == "streaming" or (mode == "" and request.wants_stream)
        if not is_streamed or exchange.path != f"{INVOCATION}{request.request_id}/response":
            return None
        self._state = _State.STREAMING
        return _Stream(self, exchange)

    def begin_stream(self, exchange: Exchange) -> ResponseSink:
        """Notify the listener of a stream; returns the sink for its chunks."""
        content_type = exchange.headers.get("content-type", "application/octet-stream")
        return self._listener.on_stream(content_type, exchange.resume_body)

    @property
    def is_streaming(self) -> bool:
        """Whether the response's consumer accepts more chunks."""
        return self._state is _State.STREAMING

    def end_stream(self, error: tuple[bytes, str] | None) -> None:
        """The stream is over; `error` is payload and type if an error ended it."""
        if not self.is_streaming:
            return
        self._finish()
        if error is None:
            self._listener.on_response(b"", "")
        else:
            self._listener.on_error(*error)

    def _next(self, exchange: Exchange) -> None:
        if self._state is _State.RUNNING:
            self._hand_over(exchange)
            return
        if self._state in (_State.STREAMING, _State.INIT_ERROR, _State.DETACHED):
            self._refuse(exchange, "Ready")
            return
        if self._waiting is not None and self._waiting.is_open:
            self._refuse(exchange, "Ready")
            return
        self._state = _State.READY
        if self._pending is not None:
            self._hand_over(exchange)
        else:
            self._waiting = exchange
        self._listener.on_ready()

    def _hand_over(self, exchange: Exchange) -> None:
        assert self._pending is not None
        request, deadline_ms = self._pending
        self._state = _State.RUNNING
        optional = ""
        if request.trace_id:
            optional += f"Lambda-Runtime-Trace-Id: {request.trace_id}\r\n"
        if request.client_context:
            optional += f"Lambda-Runtime-Client-Context: {request.client_context}\r\n"
        if request.tenant_id:
            optional += f"Lambda-Runtime-Aws-Tenant-Id: {request.tenant_id}\r\n"
        head = (
            "HTTP/1.1 200 OK\r\n"
            f"Content-Type: {request.content_type}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {request.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {request.invoked_arn}\r\n"
            f"{optional}"
            f"Content-Length: {len(request.event)}\r\n\r\n"
        )
        exchange.respond_raw(head.encode("latin-1"), request.event)

    def _answer(self, exchange: Exchange, request_id: str, *, is_error: bool) -> None:
        if self._state is not _State.RUNNING or self._pending is None:
            self._refuse(exchange, "InvocationErrorResponse" if is_error else "InvocationResponse")
            return
        if request_id != self._pending[0].request_id:
            refuse(exchange, 400, "InvalidRequestID", "Invalid request ID")
            return
        headers = exchange.headers
        mode = headers.get("lambda-runtime-function-response-mode", "")
        if not is_error and mode not in ("", "streaming"):
            refuse(exchange, 400, "InvalidFunctionResponseMode", "Invalid function response mode")
            self._finish()
            self._listener.on_error(
                error_document(
                    "Runtime.InvalidResponseModeHeader", "Invalid function response mode"
                ),
                "Runtime.InvalidResponseModeHeader",
            )
            return
        payload = exchange.body
        self._finish()
        if is_error:
            error_type = headers.get("lambda-runtime-function-error-type", "Runtime.Unknown")
            cause = headers.get("lambda-runtime-function-xray-error-cause", "")
            self._listener.on_error(_without_cause(payload, headers), error_type, cause)
        else:
            self._listener.on_response(payload, headers.get("content-type", "application/json"))
        accept(exchange)

    def _finish(self) -> None:
        self._state = _State.RESPONSE_SENT
        self._pending = None

    def _init_error(self, exchange: Exchange) -> None:
        if self._state is not _State.STARTED:
            self._refuse(exchange, "InitError")
            return
        self._state = _State.INIT_ERROR
        payload = exchange.body[:RESPONSE_BYTES_MAX]
        error_type = exchange.headers.get("lambda-runtime-function-error-type", "Runtime.Unknown")
        accept(exchange)
        self._listener.on_init_error(payload, error_type)

    def restore(self, *, captures: bool = False) -> None:
        """Let a runtime that waits to be restored continue. With `captures`, one of our own clients
        continues only to the point at which it can be captured."""
        waiting, self._waiting = self._waiting, None
        if self._state is _State.RESTORE_READY and waiting is not None:
            self._state = _State.RESTORING
            headers = [("Content-Type", "application/json")]
            if captures:
                headers.append(("Lambent-Checkpoint", "wait"))
            waiting.respond(200, headers)

    def _restore_next(self, exchange: Exchange) -> None:
        if self._state is not _State.STARTED:
            self._refuse(exchange, "RestoreReady")
            return
        self._state = _State.RESTORE_READY
        self._waiting = exchange
        self._listener.on_restore_ready()

    def _restore_error(self, exchange: Exchange) -> None:
        if self._state not in (_State.STARTED, _State.RESTORING):
            self._refuse(exchange, "RestoreError")
            return
        self._state = _State.INIT_ERROR
        error_type = exchange.headers.get("lambda-runtime-function-error-type", "Runtime.Unknown")
        accept(exchange)
        self._listener.on_restore_error(exchange.body[:RESPONSE_BYTES_MAX], error_type)

    def _refuse(self, exchange: Exchange, wanted: str) -> None:
        refuse(
            exchange,
            403,
            "InvalidStateTransition",
            f"State transition from {self._state.value} to {wanted} failed for runtime. "
            "Error: State transition is not allowed",
        )


def error_document(error_type: str, message: str) -> bytes:
    """The JSON body of the caller's response when the error message is the platform's, not the
    function's."""
    return json.dumps(
        {"errorType": error_type, "errorMessage": message}, separators=(",", ":")
    ).encode()


def _without_cause(payload: bytes, headers: object) -> bytes:
    """Remove the X-Ray cause that some runtimes send inside the error document. A large document
    would take the event loop too long to parse; it is left unchanged."""
    assert hasattr(headers, "get")
    is_read = len(payload) <= _CAUSE_BYTES_MAX
    if headers.get("content-type") != "application/vnd.aws.lambda.error.cause+json" or not is_read:
        return payload
    try:
        document = parse_loosely(payload)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return b'"Invalid error body"'
    document.pop("errorCause", None)
    return json.dumps(document, separators=(",", ":")).encode()


class _Stream:
    """Reads a streamed response and passes it on."""

    def __init__(self, api: RuntimeApi, exchange: Exchange) -> None:
        self._api = api
        self._exchange = exchange
        self._sink = api.begin_stream(exchange)
        self._bytes = 0

    def data(self, data: bytes) -> None:
        if not self._api.is_streaming:
            return
        self._bytes += len(data)
        if self._bytes > STREAM_BYTES_MAX:
            message = f"Exceeded maximum allowed payload size ({STREAM_BYTES_MAX} bytes)."
            refuse(self._exchange, 413, "RequestEntityTooLarge", message)
            error_type = "Function.ResponseSizeTooLarge"
            self._api.end_stream((error_document(error_type, message), error_type))
        elif not self._sink.write(data):
            self._exchange.pause_body()

    def end(self, trailers: Mapping[str, str]) -> None:
        error_type = trailers.get(_TRAILER_TYPE)
        accept(self._exchange)
        if error_type is None:
            self._api.end_stream(None)
            return
        try:
            payload = base64.b64decode(trailers.get(_TRAILER_BODY, ""), validate=True)
        except ValueError:  # Also for characters outside ASCII.
            payload = b""
        self._api.end_stream((payload or error_document(error_type, ""), error_type))

    def cut(self) -> None:
        error_type = "Runtime.TruncatedResponse"
        message = "The runtime closed the connection before the end of its response."
        self._api.end_stream((error_document(error_type, message), error_type))


def _not_found(exchange: Exchange) -> None:
    refuse(exchange, 404, "NotFound", "404 page not found")


def _method_not_allowed(exchange: Exchange) -> None:
    refuse(exchange, 405, "MethodNotAllowed", "Method not allowed")
