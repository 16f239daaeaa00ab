"""Hostile functions on a real platform, watched from the host.

Each test asserts what the host sees: its files and processes, the box in `/proc`, and a neighbor
that continues to respond. What a function reports about itself is never enough.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.host import Box
from tests.platforms import Platform, deploy, invoke, lambda_client, platform, start_platform
from tests.yardstick import allowing

__all__ = ["lambda_client", "platform", "start_platform"]

PACKAGE = {path.name: path.read_text() for path in Path(__file__).parent.glob("functions/*.*")}
MODES: dict[str, dict[str, str]] = {"default": {}, "exec": {"LAMBENT_START_MODE": "exec"}}
LATENCY_MAX_S = 1.0
"""Seconds. 99 of 100 calls of a neighbor take less, whatever a function does; on two busy cores."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the full sandbox."""
    for item in items:
        if item.nodeid.startswith("tests/hostile/"):
            item.add_marker(pytest.mark.root)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root: makes namespaces"))


class Function:
    """A deployed function made of `functions/`."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.last_namespace = ""
        """The box of the last successful call."""
        self._is_deleted = False

    def do(self, attack: str, **arguments: Any) -> Any:
        """Run an attack whose call succeeds; returns its result."""
        payload, answer = self.try_to(attack, **arguments)
        assert "FunctionError" not in answer, payload
        self.last_namespace = payload["box"]
        return payload["result"]

    def try_to(
        self, attack: str, *, version: str = "$LATEST", **arguments: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Run an attack whose call may fail; returns the payload and the whole response."""
        event = {"do": attack, **arguments}
        return invoke(self.client, self.name, event, LogType="Tail", Qualifier=version)

    def box(self, by: str = "attempts.here") -> Box:
        """Its current box; `by` is a call that does nothing."""
        self.do(by)
        return Box(self.last_namespace)

    def delete(self) -> None:
        """Delete it, as its owner would. Idempotent."""
        if not self._is_deleted:
            self.client.delete_function(FunctionName=self.name)
            self._is_deleted = True


StartFunction = Callable[..., Function]


@pytest.fixture(scope="session")
def function_names() -> Iterator[int]:
    """Numbers for functions' names."""
    return itertools.count()


@pytest.fixture(scope="module")
def start(lambda_client: Any, function_names: Iterator[int]) -> Iterator[StartFunction]:
    """Deploys hostile functions; they are deleted at the end of the module."""
    started: list[Function] = []

    def deploy_one(mode: str = "default", **more: Any) -> Function:
        variables = {**MODES[mode], **more.pop("variables", {})}
        options = {"Timeout": 15, "MemorySize": 256, **more}
        name = f"hostile-{next(function_names)}"
        deploy(lambda_client, name, PACKAGE, Environment={"Variables": variables}, **options)
        started.append(Function(lambda_client, name))
        return started[-1]

    yield deploy_one
    for function in started:
        function.delete()


@pytest.fixture(scope="module", params=list(MODES))
def mode(request: pytest.FixtureRequest) -> str:
    """How processes of functions start: forked from a zygote where possible, or executed."""
    return str(request.param)


class Neighbour:
    """A well-behaved function of another customer."""

    def __init__(self, function: Function) -> None:
        self.function = function
        for value in range(3):
            assert function.do("attempts.echo", value=value) == value
        self.box = function.box()

    @contextmanager
    def watched(self, *, is_timed: bool = True) -> Iterator[None]:
        """Call it continuously in the meantime: all responses must be right and, unless the load is
        the attack itself, in time."""
        latencies: list[float] = []
        wrong: list[Any] = []
        is_over = threading.Event()

        def call() -> None:
            while not is_over.is_set() or len(latencies) < 20:
                began = time.monotonic()
                payload, answer = self.function.try_to("attempts.echo", value=len(latencies))
                latencies.append(time.monotonic() - began)
                if "FunctionError" in answer or payload["result"] != len(latencies) - 1:
                    wrong.append(payload)
                    return

        thread = threading.Thread(target=call)
        with allowing(LATENCY_MAX_S) as most_s:
            thread.start()
            try:
                yield
            finally:
                is_over.set()
                thread.join()
        assert not wrong
        assert not is_timed or sorted(latencies)[int(len(latencies) * 0.99)] < most_s(), max(
            latencies
        )


@pytest.fixture(scope="session")
def neighbour(lambda_client: Any, platform: Platform) -> Neighbour:
    """One neighbor for all attacks; its box must be the same at the end."""
    deploy(lambda_client, "neighbour", PACKAGE, Timeout=10, MemorySize=512)
    return Neighbour(Function(lambda_client, "neighbour"))


@pytest.fixture(autouse=True)
def serving(neighbour: Neighbour, platform: Platform) -> Iterator[None]:
    """After every attack the platform works, and the neighbor has the same box."""
    yield
    assert platform.process.poll() is None
    assert neighbour.function.do("attempts.echo", value="still here") == "still here"
    assert neighbour.function.last_namespace == neighbour.box.namespace
