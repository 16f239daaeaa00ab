"""A platform with something for the pages to show: functions that log, fail and are called."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platforms import ROLE, Platform, deploy
from tests.servers.ministack import Ministack

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
"""Would change the title if a page took it as markup."""
SHOUTER = """
import json

def handler(event, context):
    for line in event.get("lines", []):
        print(line)
    if "huge" in event:
        print("x" * event["huge"])
    if "many" in event:
        width = event.get("width", 80)
        print("\\n".join(f"line {n} of a long log".ljust(width, ".") for n in range(event["many"])))
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {"requestId": context.aws_request_id, "path": event.get("rawPath") or event.get("path")}
"""


@pytest.fixture(scope="package")
def workshop(ministack: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform, with queues of an emulator."""
    running = Platform(
        tmp_path_factory.mktemp("workshop") / "data",
        environment={"LAMBENT_AWS__SQS__ENDPOINT_URL": ministack.endpoint},
    )
    client = running.client("lambda")
    for name in ("shouter", "listener"):
        deploy(client, name, {"app.py": SHOUTER})
    yield running
    running.stop()


def shout(platform: Platform, event: Any, name: str = "shouter") -> dict[str, Any]:
    """Call a function; returns its response."""
    answer = platform.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return dict(json.loads(answer["Payload"].read()) or {})


__all__ = ["HOSTILE", "ROLE", "shout", "workshop"]
