"""A queue in a server that is not killed. It only takes messages: an emulator's work would be most
of a test's."""

import hashlib
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class QueueServer(ThreadingHTTPServer):
    """Listens on a loopback port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages = queue.SimpleQueue[bytes]()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def take(self) -> list[bytes]:
        """The bodies of the messages that have arrived since the last call."""
        return [self.messages.get() for _ in range(self.messages.qsize())]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: QueueServer

    def do_POST(self) -> None:
        """`GetQueueUrl` and `SendMessage` in SQS's JSON protocol."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Amz-Target"] == "AmazonSQS.GetQueueUrl":
            result = {"QueueUrl": f"{self.server.url}/{request['QueueName']}"}
        else:
            assert self.headers["X-Amz-Target"] == "AmazonSQS.SendMessage"
            body = request["MessageBody"].encode()
            self.server.messages.put(body)
            digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
            result = {"MessageId": digest, "MD5OfMessageBody": digest}
        answer = json.dumps(result).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running_queue() -> Iterator[QueueServer]:
    """A server, until the context ends."""
    with QueueServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
