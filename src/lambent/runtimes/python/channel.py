"""AWS's Python runtime client over one plain connection to the Runtime API.

AWS's own client uses libcurl and makes two round trips for each invocation. Here the response and
the request for the next event travel together, and only what is used is parsed. Everything else is
AWS's client, unchanged: loading the handler, contexts, JSON, errors and logs.

Works on Python 3.8 and later.
"""

import socket

import checkpoint
from awslambdaric.lambda_runtime_client import InvocationRequest, LambdaRuntimeClient

RESTORE_NEXT = b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
TOGETHER_BYTES_MAX = 1024 * 1024
"""A larger response may be refused: its result is awaited before the next request."""
XRAY_CAUSE_BYTES_MAX = 1024 * 1024


class Channel(LambdaRuntimeClient):
    """See `LambdaRuntimeClient`."""

    def __init__(self, address, use_thread_for_polling_next=False):
        # AWS polls in a thread to stay open to signals; a plain socket is anyway.
        super().__init__(address, False)
        self._socket = None
        self._received = b""
        self._has_asked = False

    def wait_next_invocation(self):
        if not self._has_asked:
            self._send(NEXT)
        status, headers, body = self._receive()
        self._has_asked = False
        if status != b"200":
            raise RuntimeError("Failed to get next")
        get = headers.get
        return InvocationRequest(
            invoke_id=get("lambda-runtime-aws-request-id"),
            x_amzn_trace_id=get("lambda-runtime-trace-id"),
            invoked_function_arn=get("lambda-runtime-invoked-function-arn"),
            deadline_time_in_ms=int(get("lambda-runtime-deadline-ms", 0)),
            client_context=get("lambda-runtime-client-context"),
            cognito_identity=get("lambda-runtime-cognito-identity"),
            tenant_id=get("lambda-runtime-aws-tenant-id"),
            content_type=get("content-type"),
            event_body=body,
            invocation_id=get("lambda-runtime-invocation-id"),
        )

    def restore_next(self):
        self._send(RESTORE_NEXT)
        status, headers, _ = self._receive()
        if status != b"200":
            raise RuntimeError("Failed to wait for being restored")
        if "lambent-checkpoint" in headers:
            # A copy of the process could not continue to use a connection.
            self._socket.close()
            self._socket, self._received = None, b""
            checkpoint.wait()

    def post_invocation_result(
        self, invoke_id, result_data, content_type="application/json", invocation_id=None
    ):
        body = result_data if isinstance(result_data, bytes) else result_data.encode("utf-8")
        self._post("{}/response".format(invoke_id), body, content_type, "", "response")

    def post_invocation_error(self, invoke_id, error_response_data, xray_fault, invocation_id=None):
        cause = xray_fault if len(xray_fault.encode()) < XRAY_CAUSE_BYTES_MAX else ""
        more = "Lambda-Runtime-Function-Error-Type: Unhandled\r\n"
        if cause and "\n" not in cause and "\r" not in cause:
            more += "Lambda-Runtime-Function-XRay-Error-Cause: {}\r\n".format(cause)
        body = error_response_data.encode("utf-8")
        self._post("{}/error".format(invoke_id), body, "application/json", more, "error")

    def _post(self, path, body, content_type, more, what):
        head = (
            "POST /2018-06-01/runtime/invocation/{} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: {}\r\n{}Content-Length: {}\r\n\r\n"
        ).format(path, content_type, more, len(body))
        request = head.encode("utf-8") + body
        if len(body) <= TOGETHER_BYTES_MAX:
            request += NEXT
            self._has_asked = True
        self._send(request)
        status, _, _ = self._receive()
        if status != b"202":
            raise RuntimeError("Failed to post invocation {}".format(what))

    def _send(self, data):
        if self._socket is None:
            host, port = self.lambda_runtime_address.split(":")
            self._socket = socket.socket()  # An address needs no name service.
            self._socket.connect((host, int(port)))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(data)

    def _receive(self):
        """Return the next response: status, headers by lower-case name, body."""
        received = self._received
        at = received.find(b"\r\n\r\n")
        while at < 0:
            received += self._read()
            at = received.find(b"\r\n\r\n")
        first, _, rest = received[:at].partition(b"\r\n")
        headers = {}
        for line in rest.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        body = received[at + 4 : at + 4 + length]
        if len(body) < length:
            chunks, missing = [body], length - len(body)
            while missing > 0:
                chunk = self._read()
                chunks.append(chunk)
                missing -= len(chunk)
            received = b"".join(chunks)
            body, self._received = received[:length], received[length:]
        else:
            self._received = received[at + 4 + length :]
        return first.split(b" ", 2)[1], headers, body

    def _read(self):
        data = self._socket.recv(1 << 18)
        if not data:
            raise RuntimeError("The Runtime API has closed the connection")
        return data
