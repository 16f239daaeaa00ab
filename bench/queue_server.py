"""A server that speaks as much of SQS's protocol as a mapping needs, and does nothing but hand out
identical messages: it shows what the platform can take.

python -m bench.queue_server COUNT

prints its endpoint and serves until it is killed.
"""

import hashlib
import json
import socket
import sys
import time

import anyio

from lambent.kit.http.messages import Exchange
from lambent.kit.http.server import HttpLimits, HttpServer

_BODY = "{}"
_HEADERS = [("Content-Type", "application/x-amz-json-1.0")]


class Queue:
    """Numbers its messages; none comes twice."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._now = str(int(time.time() * 1000))
        self._digest = hashlib.md5(_BODY.encode(), usedforsecurity=False).hexdigest()

    def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        operation = exchange.headers.get("x-amz-target", "").partition(".")[2]
        request = json.loads(exchange.body or b"{}")
        answer: dict[str, object] = {}
        if operation == "GetQueueUrl":
            answer = {"QueueUrl": f"http://{exchange.headers['host']}/0/queue"}
        elif operation == "GetQueueAttributes":
            answer = {"Attributes": {"VisibilityTimeout": "30", "ApproximateNumberOfMessages": "0"}}
        elif operation == "ReceiveMessage":
            answer = {"Messages": self._take(request.get("MaxNumberOfMessages", 1))}
        elif operation.endswith("Batch"):
            answer = {
                "Successful": [{"Id": entry["Id"]} for entry in request["Entries"]],
                "Failed": [],
            }
        exchange.respond(200, _HEADERS, json.dumps(answer).encode())

    def _take(self, most: int) -> list[dict[str, object]]:
        number = min(most, self._left)
        self._left -= number
        return [
            {
                "MessageId": f"00000000-0000-4000-8000-{self._left + at:012}",
                "ReceiptHandle": f"{self._left + at:0180}",
                "Body": _BODY,
                "MD5OfBody": self._digest,
                "Attributes": {
                    "SenderId": "000000000000",
                    "SentTimestamp": self._now,
                    "ApproximateReceiveCount": "1",
                    "ApproximateFirstReceiveTimestamp": self._now,
                },
            }
            for at in range(number)
        ]


async def serve(count: int) -> None:
    """Serve forever."""
    limits = HttpLimits(
        body_bytes_max=lambda _: 1 << 20,
        connections_max=1000,
        request_deadline_s=60.0,
        idle_deadline_s=60.0,
    )
    sock = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(Queue(count).handle, limits)
    await server.start(sock)
    print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
    await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(serve, int(sys.argv[1]), backend_options={"use_uvloop": True})
