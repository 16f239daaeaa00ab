"""Makes the emulator of AWS as strict as AWS: it refuses requests that AWS refuses."""

import contextlib
import http.client
import json
import re
import socket
import threading
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})
_TRACE_HEADER = re.compile(r"(^|;)Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;|$)")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_KEYS = ("StringValue", "BinaryValue")
_TRACE_MAX = 500

Refusal = tuple[str, str]
"""A code and a message."""


def why_refused(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
    """Why SQS, SNS or EventBridge refuses a request with these parameters; None if it accepts
    it."""
    if operation == "PutEvents":
        return next(filter(None, map(_why_event_refused, parameters["Entries"])), None)
    entries = parameters.get("Entries")
    if entries is not None and operation.endswith("Batch"):
        ids = [entry["Id"] for entry in entries]
        if not ids:
            return "AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one entry."
        if len(ids) > 10:
            return "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "At most 10 entries."
        if len(set(ids)) < len(ids):
            return "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Ids must be distinct."
    for message in entries or [parameters]:
        refusal = _why_message_refused(operation, message)
        if refusal is not None:
            return refusal
    return None


def _why_event_refused(entry: Mapping[str, Any]) -> Refusal | None:
    header = entry.get("TraceHeader")
    if header is not None and not 0 < len(header) <= _TRACE_MAX:
        return "ValidationException", "TraceHeader must have 1 to 500 characters."
    return None


def _why_message_refused(operation: str, message: Mapping[str, Any]) -> Refusal | None:
    body = {"SendMessage": "MessageBody", "SendMessageBatch": "MessageBody", "Publish": "Message"}
    if operation in body and not message.get(body[operation]):
        return "MissingParameter", f"The request must contain the parameter {body[operation]}."
    if operation in body and _FORBIDDEN.search(message[body[operation]]):
        return "InvalidMessageContents", "The message has characters that are not allowed."
    for kind in ("MessageAttributes", "MessageSystemAttributes"):
        for name, value in (message.get(kind) or {}).items():
            given = next((value[key] for key in _TEXT_KEYS if key in value), "")
            if isinstance(given, str) and _FORBIDDEN.search(given):
                return "InvalidMessageContents", f"{name} has characters that are not allowed."
            if not given:
                text = f"Message (user) attribute '{name}' must contain a non-empty value of type"
                return "InvalidParameterValue", f"{text} '{value.get('DataType')}'."
            if kind == "MessageSystemAttributes" and not _TRACE_HEADER.search(given):
                return "InvalidParameterValue", f"{name} is no X-Ray trace header."
    for name, most in (("VisibilityTimeout", 43_200), ("WaitTimeSeconds", 20)):
        if not 0 <= message.get(name, 0) <= most:
            return "InvalidParameterValue", f"{name} must be between 0 and {most}."
    if not 1 <= message.get("MaxNumberOfMessages", 1) <= 10:
        return "InvalidParameterValue", "MaxNumberOfMessages must be between 1 and 10."
    return None


class Strict:
    """A port in front of such a server; use it as a context manager. If the client has
    disconnected, the response is lost, as in AWS."""

    def __init__(self, target_port: int) -> None:
        class Handler(_Handler):
            port = target_port

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._serving = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._serving.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, and with them the threads that `server_close` waits for."""
        for request in list(self._open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client or the server has disconnected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    port = 0

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target", "")
        if target.startswith(("AmazonSQS.", "AWSEvents.")):
            refusal = why_refused(target.partition(".")[2], json.loads(body))
            if refusal is not None:
                document = {"__type": refusal[0], "message": refusal[1]}
                self._answer(400, {}, json.dumps(document).encode())
                return
        elif self.command == "POST" and body.startswith(b"Action="):
            form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
            refusal = why_refused(form["Action"], {**form, "MessageAttributes": _attributes(form)})
            if form["Action"] == "Publish" and refusal is not None:
                self._answer(400, {}, _xml(*refusal))
                return
        self._pass_on(body)

    do_GET = do_POST = _handle

    def _pass_on(self, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {n: v for n, v in self.headers.items() if n.lower() not in _HOP_BY_HOP}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            kept = {n: v for n, v in answer.getheaders() if n.lower() not in _HOP_BY_HOP}
            self._answer(answer.status, kept, answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _attributes(form: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """Message attributes of a form: `MessageAttributes.entry.1.Value.StringValue`."""

    def read() -> Iterator[tuple[str, Mapping[str, str]]]:
        for key, name in form.items():
            entry, is_name, _ = key.partition(".Name")
            if is_name and entry.startswith("MessageAttributes.entry."):
                start = f"{entry}.Value."
                yield name, {k[len(start) :]: v for k, v in form.items() if k.startswith(start)}

    return dict(read())


def _xml(code: str, message: str) -> bytes:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
        f"</Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()
