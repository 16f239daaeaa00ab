"""Runs a tool as a user does, and looks at what it has made."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import requests
from botocore.exceptions import ClientError

from tests import forking
from tests.packages import INSTALLED
from tests.platforms import ACCOUNT, PYTHON, Platform, log_lines, wait_for

__all__ = ["AWS", "INSTALLED", "PYTHON", "Platform", "Project"]

AWS = str(Path(sys.executable).with_name("aws"))
"""The AWS CLI."""


class Project:
    """A directory with what is deployed, and beside it a home directory."""

    def __init__(self, parent: Path, platform: Platform) -> None:
        self.directory = parent / "project"
        self.platform = platform
        self._home = parent / "home"
        self.models = parent / "models"
        self.directory.mkdir()
        self._home.mkdir()

    def write(self, **files: str) -> None:
        """Write files; a `__` in a name is a dot."""
        for name, text in files.items():
            path = self.directory / name.replace("__", ".")
            path.write_text(text.replace("PYTHON_VERSION", PYTHON))

    def wait_briefly(self, service: str, version: str) -> None:
        """Write models of botocore that ask each 0.2 seconds whether something is done, not each
        30."""
        inside = Path(service, version, "waiters-2.json")
        waiters = botocore.session.get_session().get_data(f"{service}/{version}/waiters-2")
        for waiter in waiters["waiters"].values():
            waiter.update(delay=0.2, maxAttempts=600)
        written = self.models / inside
        written.parent.mkdir(parents=True)
        written.write_text(json.dumps(waiters))

    def run(
        self, command: Sequence[str], code: int = 0, answers: str = "", **variables: str
    ) -> str:
        """Run a tool, one in Python from loaded libraries; returns what it prints to both streams.
        Asserts its exit code. `answers` are those to its questions."""
        is_forked = command[0] == sys.executable and command[1] != "-c"
        start = forking.Forked if is_forked else subprocess.Popen
        with start(
            command,
            cwd=self.directory,
            env=self._environment(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            printed, _ = process.communicate(answers, timeout=110)
        assert process.returncode == code, printed + self._failures()
        return printed

    @contextmanager
    def running(self, command: Sequence[str], sign: str, **variables: str) -> Iterator[None]:
        """Have a tool run beside the block, from the moment at which it has printed a sign."""
        output = self._home / "output"
        with (
            output.open("w") as written,
            subprocess.Popen(
                command,
                cwd=self.directory,
                env=self._environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                wait_for(lambda: sign in output.read_text(), f"it prints {sign}", 110)
                yield
            except AssertionError as error:
                raise AssertionError(f"{error}\n{output.read_text()}") from None
            finally:
                process.terminate()

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "AWS_ENDPOINT_URL": self.platform.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            **variables,
        }

    def _failures(self) -> str:
        """Why steps of stacks failed, for the report of a test."""
        client = self.platform.client("cloudformation")
        return "\n".join(
            f"{event['StackName']} {event['LogicalResourceId']} {event['ResourceStatus']}:"
            f" {event['ResourceStatusReason']}"
            for stack in client.list_stacks()["StackSummaries"]
            for event in client.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
            if event.get("ResourceStatusReason")
        )

    def events(self, stack: str) -> list[dict[str, Any]]:
        """The events of a stack, the newest first."""
        client = self.platform.client("cloudformation")
        pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
        return [event for page in pages for event in page["StackEvents"]]

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a stack."""
        client = self.platform.client("cloudformation")
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}

    def is_gone(self, stack: str) -> bool:
        """Whether there is no stack of this name."""
        try:
            self.platform.client("cloudformation").describe_stacks(StackName=stack)
        except ClientError as error:
            return "does not exist" in str(error)
        return False

    def arn(self, function: str) -> str:
        """The ARN of a function."""
        client = self.platform.client("lambda")
        found = client.get_function_configuration(FunctionName=function)
        return str(found["FunctionArn"])

    def get(self, url: str) -> Any:
        """The JSON that a URL of the platform returns, whether or not its name resolves here."""
        parts = urlsplit(url)
        answer = requests.get(
            f"{self.platform.endpoint}{parts.path}", headers={"Host": parts.netloc}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sends(self, queue: str, function: str, message: str) -> None:
        """Send a message to a queue, and wait until the function has printed it."""
        self.platform.client("sqs").send_message(QueueUrl=queue, MessageBody=message)
        wait_for(
            lambda: any(message in line for line in log_lines(self.platform, function)),
            f"{function} receives {message}",
        )

    def invoked(self, function: str, event: Any) -> Any:
        """What a function returns."""
        answer = self.platform.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(event)
        )
        return json.loads(answer["Payload"].read())
