"""Hooks as people make them, with the command line, and as their callers call them."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests import forking
from tests.platforms import Platform, log_lines, wait_for

PRINTS = """
import json
def handler(event, context):
    print("got", json.dumps(event))
    return {"statusCode": 200, "body": "done"}
"""
"""Prints each event as a line of its log."""


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Hook:
    """A hook that was created."""

    def __init__(self, platform: Platform, shown: Mapping[str, Any]) -> None:
        self.platform = platform
        self.shown = shown
        self.name: str = shown["name"]
        self.address: str = shown["address"]
        self.secret: str = shown.get("secret", "")

    def post(
        self,
        body: bytes | Any = b"",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        path: str = "",
    ) -> Answer:
        """Send a request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = urlsplit(self.address)
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        try:
            connection.request(method, address.path + path, data, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()


def lambent(
    platform: Platform, *arguments: str, given: str = "", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """`lambent ARGUMENTS` against the platform."""
    return forking.run(
        [sys.executable, "-m", "lambent", *arguments],
        timeout=60,
        given=given,
        env={"PATH": os.environ["PATH"], "LAMBENT_ENDPOINT": platform.endpoint, **variables},
    )


def create(platform: Platform, name: str, kind: str, *arguments: str, **variables: str) -> Hook:
    """`lambent hook create NAME --kind KIND …`."""
    done = lambent(platform, "hook", "create", name, "--kind", kind, *arguments, **variables)
    assert done.returncode == 0, done.stderr
    return Hook(platform, json.loads(done.stdout))


def events_of(platform: Platform, function: str, count: int = 1) -> list[Any]:
    """The events that a function has printed, once there are so many."""

    def found() -> list[Any]:
        lines = log_lines(platform, function)
        return [json.loads(line[4:]) for line in lines if line.startswith("got ")]

    return list(wait_for(lambda: len(seen := found()) >= count and seen, f"{count} events"))
