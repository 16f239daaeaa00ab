"""StartLiveTail as boto3 and the AWS CLI see it."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from .conftest import ACCOUNT, Platform, deploy, invoke, wait_for

CODE = """
import json
def handler(event, context):
    for line in event.get("lines", []):
        print(line)
    for number in range(event.get("count", 0)):
        print("flood", number)
"""


class Session:
    """A live tail that a thread reads."""

    def __init__(self, platform: Platform, *functions: str, **options: Any) -> None:
        config = Config(inject_host_prefix=False, read_timeout=30)
        client = platform.client("logs", config=config)
        identifiers = [
            f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/{name}" for name in functions
        ]
        self.stream = client.start_live_tail(logGroupIdentifiers=identifiers, **options)[
            "responseStream"
        ]
        self._events = iter(self.stream)
        self.start = next(self._events)["sessionStart"]
        self.updates: list[Any] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(Exception):
            for event in self._events:
                self.updates.append(event["sessionUpdate"])

    @property
    def results(self) -> list[Any]:
        """All log events so far."""
        return [event for update in list(self.updates) for event in update["sessionResults"]]

    def wait_for(self, message: str) -> Any:
        """The log event with this message, once it has come."""

        def found() -> Any:
            return next((each for each in self.results if message in each["message"]), None)

        return wait_for(found, f"the session has {message}", deadline_s=30)

    def close(self) -> None:
        """Disconnect."""
        self.stream.close()
        self._thread.join(timeout=20)


@contextlib.contextmanager
def session(platform: Platform, *functions: str, **options: Any) -> Iterator[Session]:
    opened = Session(platform, *functions, **options)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def functions(platform: Platform, lambda_client: Any) -> tuple[str, str]:
    """Two functions that have a log group."""
    for name in ("tail-one", "tail-two"):
        deploy(lambda_client, name, {"app.py": CODE})
        invoke(lambda_client, name, {})
    return "tail-one", "tail-two"


def test_lines_of_several_groups(
    platform: Platform, lambda_client: Any, functions: tuple[str, str]
) -> None:
    """A session has what its groups log from then on, with the names of group and stream."""
    one, two = functions
    with session(platform, one, two) as tail:
        assert tail.start["logGroupIdentifiers"][0].endswith(f":/aws/lambda/{one}")
        invoke(lambda_client, one, {"lines": ["from one"]})
        invoke(lambda_client, two, {"lines": ["from two"]})
        assert tail.wait_for("from one")["logGroupIdentifier"] == f"{ACCOUNT}:/aws/lambda/{one}"
        event = tail.wait_for("from two")
        assert "[$LATEST]" in event["logStreamName"]
        assert abs(event["ingestionTime"] - event["timestamp"]) < 60_000
        tail.wait_for("REPORT RequestId")
        assert not any(update["sessionMetadata"]["sampled"] for update in tail.updates)


def test_a_filter_and_streams(
    platform: Platform, lambda_client: Any, functions: tuple[str, str]
) -> None:
    """Only events that match come, and only of the streams."""
    one, _ = functions
    options = {"logEventFilterPattern": "{ $.level = ERROR }"}
    with (
        session(platform, one, **options) as errors,
        session(platform, one, logStreamNamePrefixes=["1999/"]) as old,
    ):
        lines = ['{"level": "INFO", "n": 1}', '{"level": "ERROR", "n": 2}']
        invoke(lambda_client, one, {"lines": lines})
        errors.wait_for('"n": 2')
        assert [event["message"].strip() for event in errors.results] == [lines[1]]
        assert old.results == []
        assert errors.start["logEventFilterPattern"] == options["logEventFilterPattern"]


def test_a_flood_is_sampled(
    platform: Platform, lambda_client: Any, functions: tuple[str, str]
) -> None:
    """An update has at most 500 events and says that there were more."""
    one, _ = functions
    with session(platform, one) as tail:
        invoke(lambda_client, one, {"count": 5000})
        wait_for(
            lambda: any(update["sessionMetadata"]["sampled"] for update in tail.updates),
            "a sampled update",
        )
        assert max(len(update["sessionResults"]) for update in tail.updates) == 500


def test_what_is_refused(platform: Platform, functions: tuple[str, str]) -> None:
    """Errors come before the stream."""
    one, two = functions

    def code_of(*names: str, **options: Any) -> str:
        with pytest.raises(ClientError) as caught:
            Session(platform, *names, **options)
        return str(caught.value.response["Error"]["Code"])

    assert code_of("no-such-function") == "ResourceNotFoundException"
    assert code_of(one, two, logStreamNames=["a"]) == "InvalidParameterException"
    assert (
        code_of(one, logStreamNames=["a"], logStreamNamePrefixes=["a"])
        == "InvalidParameterException"
    )
    assert code_of(one, logEventFilterPattern="{ $.a") == "InvalidParameterException"


def test_the_number_of_sessions_is_bounded(platform: Platform, functions: tuple[str, str]) -> None:
    """The sixteenth is refused; a client that disconnects ends its session."""
    with contextlib.ExitStack() as stack:

        def opened() -> Session | None:
            try:
                return stack.enter_context(session(platform, functions[0]))
            except ClientError:
                return None

        # Sessions of other tests end within seconds.
        every = [wait_for(opened, "another session", deadline_s=20) for _ in range(15)]
        with pytest.raises(ClientError, match="LimitExceededException"):
            Session(platform, functions[0])
        every[0].close()
        wait_for(opened, "another session in its place", deadline_s=20)


def test_the_cli_prints_lines(
    platform: Platform, lambda_client: Any, functions: tuple[str, str]
) -> None:
    """`aws logs start-live-tail` works with host prefixes disabled."""
    one, _ = functions
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/{one}"
    with subprocess.Popen(
        [
            str(Path(sys.executable).with_name("aws")),
            *("logs", "start-live-tail", "--log-group-identifiers", group),
        ],
        env={
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": platform.endpoint,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        ended = threading.Event()

        def call() -> None:
            while not ended.wait(0.5):
                invoke(lambda_client, one, {"lines": ["for the cli"]})

        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        seen = []
        try:
            for line in process.stdout:
                seen.append(line)
                if "for the cli" in line:
                    break
        finally:
            ended.set()
            caller.join(timeout=20)
            process.kill()
    assert any("for the cli" in line for line in seen), seen
