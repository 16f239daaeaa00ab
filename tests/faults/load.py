"""Clients of all machines, on a machine that no fault touches."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.faults.auditor import THROTTLED, Call, Sent
from tests.faults.machine import Machine
from tests.faults.network import enter
from tests.faults.signed_requests import request_signed

Step = Callable[[random.Random, int], None]
_TIMEOUT_S = 15
_PATH = "/2015-03-31/functions/{}/invocations"


class Load:
    """Sends until its context ends."""

    def __init__(
        self,
        namespace: str,
        machines: Sequence[Machine],
        keys: Mapping[str, str],
        numbers: random.Random,
    ) -> None:
        self._namespace = namespace
        self._machines = machines
        self._keys = keys
        self._numbers = numbers
        self._stop = threading.Event()
        self._work: list[Callable[[], None]] = []
        self.calls: list[Call] = []
        """Calls of which none may fail without a reason, and events."""
        self.limited: list[Call] = []
        """Calls of functions that are over their limit."""
        self.sent: list[Sent] = []
        self.errors: list[BaseException] = []

    def add(self, step: Step, every_s: float) -> None:
        """Take a step again and again, with a count."""
        numbers = random.Random(self._numbers.random())

        def work() -> None:
            count = 0
            while not self._stop.wait(every_s):
                step(numbers, count)
                count += 1

        self._work.append(work)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send for as long as the context lasts."""
        threads = [threading.Thread(target=self._run, args=(work,)) for work in self._work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            if self.errors:
                raise self.errors[0]

    def _run(self, work: Callable[[], None]) -> None:
        try:
            enter(self._namespace)
            work()
        except BaseException as error:
            self.errors.append(error)

    # -- steps --------------------------------------------------------------------------------

    def call(self, machine: Machine) -> Step:
        """Calls a function whose answer is known."""

        def step(_: random.Random, count: int) -> None:
            body = {"number": count}
            self.calls.append(self._post(machine, "echo", body, {}, answer=body)[0])

        return step

    def call_limited(self, function: str, s: float) -> Step:
        """Calls a function that is busy for `s` seconds."""

        def step(numbers: random.Random, _: int) -> None:
            machine = numbers.choice(self._machines)
            self.limited.append(self._post(machine, function, {"s": s}, {}, answer="done")[0])

        return step

    def send_event(self, machine: Machine) -> Step:
        """Sends events; every tenth fails."""

        def step(_: random.Random, count: int) -> None:
            name, fails = f"event-{machine.name}-{count}", count % 10 == 0
            headers = {"X-Amz-Invocation-Type": "Event"}
            body = {"name": name, "fails": fails}
            call, request = self._post(machine, "record", body, headers, status=202)
            self.calls.append(call)
            if not call.problem:
                self.sent.append(Sent(name, call.ended, request, fails=fails))

        return step

    def produce(self, kind: str, put: Callable[[str], object]) -> Step:
        """Puts a record into a queue or a stream."""

        def step(_: random.Random, count: int) -> None:
            name = f"{kind}-{count}"
            try:
                put(name)
            except (ClientError, BotoCoreError):
                return
            self.sent.append(Sent(name, time.monotonic(), None))

        return step

    def _post(
        self,
        machine: Machine,
        function: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        status: int = 200,
        answer: object = None,
    ) -> tuple[Call, str]:
        began, got, request = time.monotonic(), 0, ""
        try:
            path, data = _PATH.format(function), json.dumps(body).encode()
            response, text = request_signed(
                self._keys, machine.address, "POST", path, data, headers, timeout_s=_TIMEOUT_S
            )
            got, request = response.status, response.headers.get("x-amzn-RequestId", "")
            problem = "" if got == status else f"{got}: {text[:200]!r}"
            if not problem and status == 200:
                failed = response.headers.get("X-Amz-Function-Error")
                if failed is not None or json.loads(text) != answer:
                    problem = f"{failed}: {text[:200]!r}, expected {answer}"
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        if got == THROTTLED:
            self._stop.wait(0.1)
        return Call(machine.name, began, time.monotonic(), got, problem), request
