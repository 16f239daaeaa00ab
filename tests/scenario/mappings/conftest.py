"""A platform that reads from real servers, and functions that log their events."""

import copy
import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ROLE, Platform, deploy, log_lines, start_platform, wait_for
from tests.servers.ministack import Ministack, ministack

__all__ = ["ROLE", "Ministack", "Platform", "ministack", "start_platform", "wait_for"]

RECORDER = """
import json, os
def handler(event, context):
    print("EVENT " + json.dumps(event))
    return act(event)
"""


def impatient(ministack: Ministack) -> list[str]:
    """Flags of a platform that finds all AWS services at one server, with short waits."""
    services = ("s3", "kinesis", "dynamodbstreams", "secretsmanager", "mq")
    endpoints = {
        **dict.fromkeys(services, ministack.endpoint),
        **dict.fromkeys(("sqs", "sns"), ministack.strict_endpoint),
    }
    options = [
        option
        for service, endpoint in endpoints.items()
        for option in ("--set", f"aws.{service}.endpoint_url={endpoint}")
    ]
    for setting in (
        "retry_s=0.05",
        "retry_max_s=0.2",
        "idle_poll_s=0.1",
        "backoff_s=0.2",
        "backoff_max_s=1",
        "long_poll_s=2",
        "session_s=6",
    ):
        options += ["--set", f"polling.{setting}"]
    return options


@pytest.fixture(scope="module")
def platform(ministack: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that finds all AWS services at one server, with short waits."""
    running = Platform(tmp_path_factory.mktemp("polls") / "data", *impatient(ministack))
    yield running
    assert running.stop() == 0, running.output


class Function:
    """A function that logs each event, and then runs `act(event)` of its source."""

    def __init__(self, platform: Platform, name: str, act: str, **more: Any) -> None:
        self.platform = platform
        self.name = name
        self.client = platform.client("lambda")
        source = f"{RECORDER}\n{act}"
        self.arn = deploy(self.client, name, {"app.py": source}, **more)["FunctionArn"]

    def at(self, platform: Platform) -> "Function":
        """The same on another platform, with the same data."""
        other = copy.copy(self)
        other.platform, other.client = platform, platform.client("lambda")
        return other

    def lines(self, start: str) -> list[str]:
        """Its log lines with this prefix, without it."""
        try:
            found = log_lines(self.platform, self.name)
        except ClientError:  # It was never called.
            return []
        return [line.removeprefix(start) for line in found if line.startswith(start)]

    def events(self) -> list[Any]:
        """The events so far, in the order of its log."""
        return [json.loads(line) for line in self.lines("EVENT ")]

    def wait_events(self, number: int) -> list[Any]:
        """Wait for at least that many events."""
        wait_for(lambda: len(self.events()) >= number, f"{number} calls of {self.name}")
        return self.events()

    def map(self, source_arn: str | None, **more: Any) -> str:
        """Create a mapping and wait until it is enabled; returns its UUID."""
        if source_arn is not None:
            more["EventSourceArn"] = source_arn
        uuid: str = self.client.create_event_source_mapping(FunctionName=self.name, **more)["UUID"]
        self.wait_state(uuid, "Disabled" if more.get("Enabled") is False else "Enabled")
        return uuid

    def update(self, uuid: str, **more: Any) -> None:
        """Change a mapping and wait until it is enabled."""
        self.client.update_event_source_mapping(UUID=uuid, **more)
        self.wait_state(uuid, "Enabled")

    def shown(self, uuid: str) -> dict[str, Any]:
        """A mapping as operators see it."""
        page = f"{self.platform.endpoint}/_lambent/mappings"
        with urllib.request.urlopen(page, timeout=20) as answer:
            found = json.load(answer)["mappings"]
        shown: dict[str, Any] = next(mapping for mapping in found if mapping["uuid"] == uuid)
        return shown

    def metrics(self) -> str:
        """The platform's metrics."""
        page = f"{self.platform.endpoint}/_lambent/metrics"
        with urllib.request.urlopen(page, timeout=20) as answer:
            text: bytes = answer.read()
        return text.decode()

    def wait_state(self, uuid: str, state: str) -> None:
        """Wait until the mapping is in a state."""
        wait_for(
            lambda: self.client.get_event_source_mapping(UUID=uuid)["State"] == state,
            f"{uuid} is {state}",
        )

    def wait_gone(self, uuid: str) -> None:
        """Wait until a deleted mapping is gone."""

        def is_gone() -> bool:
            try:
                self.client.get_event_source_mapping(UUID=uuid)
            except self.client.exceptions.ResourceNotFoundException:
                return True
            return False

        wait_for(is_gone, f"{uuid} is gone")

    def wait_result(self, uuid: str, result: str) -> dict[str, Any]:
        """Wait until LastProcessingResult has this prefix; returns the mapping."""

        def shown() -> dict[str, Any] | None:
            mapping: dict[str, Any] = self.client.get_event_source_mapping(UUID=uuid)
            return mapping if mapping.get("LastProcessingResult", "").startswith(result) else None

        found: dict[str, Any] = wait_for(shown, f"{uuid} says {result}")
        return found


@pytest.fixture
def new_function(
    platform: Platform, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Function]]:
    """Makes functions; their mappings are deleted at the end."""
    made: list[Function] = []

    def new(act: str = "def act(event): return None", name: str = "", **more: Any) -> Function:
        name = name or f"f{len(made)}-{request.node.name[:40]}".replace("[", "-").replace("]", "")
        made.append(Function(platform, name, act, **more))
        return made[-1]

    yield new
    for function in made:
        found = function.client.list_event_source_mappings(FunctionName=function.name)
        for mapping in found["EventSourceMappings"]:
            function.client.delete_event_source_mapping(UUID=mapping["UUID"])
