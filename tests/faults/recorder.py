"""What functions have said, on a machine that no fault touches."""

import dataclasses
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.faults.network import Network

PORT = 9000
"""`functions.py` has it too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A line of a function."""

    at: float
    """Monotonic."""
    address: str
    """The machine's."""
    fields: dict[str, Any]


class Recorder(socketserver.ThreadingTCPServer):
    """Writes lines down, and says `ok` to each."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, address: str) -> None:
        super().__init__((address, PORT), _Handler)
        self.said: list[Said] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that ended early is no error here."""


class _Handler(socketserver.StreamRequestHandler):
    server: Recorder

    def handle(self) -> None:
        if line := self.rfile.readline():
            address, fields = self.client_address[0], json.loads(line)
            self.server.said.append(Said(time.monotonic(), address, fields))
            self.wfile.write(b"ok\n")


@contextmanager
def recorder(network: Network, machine: str) -> Iterator[Recorder]:
    """A recorder on a machine."""
    with network.inside(machine):
        server = Recorder(network.address(machine))
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
