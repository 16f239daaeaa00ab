"""Clients that keep their connections and retry nothing, as a measure of what a restart loses."""

import http.client
import json
import select
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from tests.platforms import client_at, invoke

CALL_S = 120
"""Seconds for a response: a restart takes a while on a busy machine."""


class SteadyLoad:
    """Calls a function with a constant rate. Clients reconnect when a response says that the
    connection ends, or when it has ended before they send, as urllib3 and others do; and in no
    other case."""

    def __init__(self, host: str, port: int, name: str, *, clients: int, rate: float) -> None:
        """`rate` is of all clients, in calls per second."""
        self._host, self._port = host, port
        self._path = f"/2015-03-31/functions/{name}/invocations"
        self._pause_s = clients / rate
        self._clients = clients
        self._stop = threading.Event()
        self.statuses: Counter[int] = Counter()
        """Of responses."""
        self.failures: list[str] = []
        """What else came of a call."""
        self.payloads: set[str] = set()
        """Different ones that functions returned."""
        self.reconnects = 0
        self._lasted_s = 0.0
        self.slowest_s = 0.0

    @property
    def calls(self) -> int:
        """How many have a response."""
        return sum(self.statuses.values())

    @contextmanager
    def running(self) -> Iterator[Self]:
        """For as long as the context lasts."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._call) for _ in range(self._clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(2 * CALL_S)
            self._lasted_s = time.monotonic() - began

    def __str__(self) -> str:
        return (
            f"{self.calls} calls, {self.calls / max(self._lasted_s, 1.0):.0f}/s,"
            f" {len(self.failures)} failed, slowest {self.slowest_s:.1f} s,"
            f" {self.reconnects} connections"
        )

    def _call(self) -> None:
        connection: http.client.HTTPConnection | None = None
        next_at = time.monotonic()
        while not self._stop.wait(max(next_at - time.monotonic(), 0)):
            next_at = max(next_at + self._pause_s, time.monotonic())
            began = time.monotonic()
            try:
                if connection is not None and _has_ended(connection):
                    connection.close()
                    connection = None
                if connection is None:
                    connection = http.client.HTTPConnection(self._host, self._port, timeout=CALL_S)
                    self.reconnects += 1
                connection.request("POST", self._path, body=b"{}")
                response = connection.getresponse()
                text = response.read().decode()
                self.statuses[response.status] += 1
                if response.status != 200 or response.headers.get("X-Amz-Function-Error"):
                    self.failures.append(f"{response.status} {text}")
                else:
                    self.payloads.add(str(json.loads(text)))
                if response.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection = None
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        if connection is not None:
            connection.close()


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed a connection that is idle."""
    return bool(select.select([connection.sock], [], [], 0)[0])


class Repeated:
    """Does something again and again in a thread, and notes what was acknowledged."""

    def __init__(self, pause_s: float, act: Callable[[int], str]) -> None:
        """`act` gets 1, 2, 3, … and returns the name of what was acknowledged, or raises."""
        self._pause_s = pause_s
        self._act = act
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[str] = []
        self.failures: list[Exception] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(120)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._pause_s):
            number += 1
            try:
                self.acknowledged.append(self._act(number))
            except Exception as error:
                self.failures.append(error)


def sending_events(endpoint: str) -> Repeated:
    """Sends asynchronous events to the function `kept`."""
    client = client_at(endpoint, "lambda")

    def send(_: int) -> str:
        event = uuid.uuid4().hex
        invoke(client, "kept", event, InvocationType="Event")
        return event

    return Repeated(0.2, send)
