"""What operators see of the queue, and what they may do with it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests import forking

from .conftest import Platform, deploy, wait_for

SOURCE = "def handler(event, context):\n    raise ValueError('as asked')\n"


@pytest.fixture
def waiting(start_platform: Callable[..., Platform]) -> Platform:
    """A platform on which events of one function wait for their next attempt."""
    platform = start_platform()
    client = platform.client("lambda")
    deploy(client, "waits", {"app.py": SOURCE})
    for number in range(5):
        client.invoke(FunctionName="waits", InvocationType="Event", Payload=b"%d" % number)
    wait_for(lambda: queue(platform)[0]["later"] == 5, "all have been tried once")
    return platform


def queue(platform: Platform, *arguments: str) -> Any:
    """What `lambent queue` prints."""
    command = [sys.executable, "-m", "lambent", "queue", *arguments, "--json"]
    command += ["--endpoint-url", platform.endpoint]
    done = forking.run(command, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def get(platform: Platform, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(platform.endpoint + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_depths_metrics_and_purge(waiting: Platform) -> None:
    """How many wait, how old they are; and that they are gone when they are thrown away."""
    (found,) = queue(waiting)
    assert found["function"] == "waits"
    assert (found["due"], found["later"], found["in_flight"]) == (0, 5, 0)
    assert 0 <= found["oldest_age_s"] < 60
    assert queue(waiting, "waits")[0]["later"] == 5
    _, text = get(waiting, "/_lambent/metrics")
    labels = '{function="waits",region="us-east-1"}'
    assert f"lambent_async_events_received_total{labels} 5.0\n".encode() in text
    assert f"lambent_async_event_age_seconds_count{labels} 5.0\n".encode() in text
    assert queue(waiting, "waits", "--purge", "--yes") == {"function": "waits", "purged": 5}
    assert queue(waiting) == []


def test_purge_asks_first(waiting: Platform) -> None:
    """And does nothing without an answer."""
    command = [sys.executable, "-m", "lambent", "queue", "waits", "--purge"]
    command += ["--endpoint-url", waiting.endpoint]
    done = subprocess.run(
        command, input="n\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert queue(waiting)[0]["later"] == 5


def test_hostile_requests(waiting: Platform) -> None:
    """Other methods, other names, pages of a browser: refused, and nothing is lost."""
    assert get(waiting, "/_lambent/queues", "DELETE")[0] == 405
    assert get(waiting, "/_lambent/metrics", "POST")[0] == 405
    assert get(waiting, "/_lambent/queues/waits", "PUT")[0] == 405
    for name in ("..%2f..%2fetc", "a%00b", "x" * 65, "%27%20OR%201=1"):
        assert get(waiting, f"/_lambent/queues/{name}", "DELETE")[0] == 404
    origin = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert get(waiting, "/_lambent/queues/waits", "DELETE", **origin)[0] == 403
    assert queue(waiting)[0]["later"] == 5


def test_strict_platforms_authenticate_the_caller(start_platform: Callable[..., Platform]) -> None:
    """Unsigned requests neither read nor delete anything."""
    platform = start_platform(None, "--set", "server.auth=strict")
    assert get(platform, "/_lambent/metrics")[0] == 403
    assert get(platform, "/_lambent/queues")[0] == 403
    assert get(platform, "/_lambent/queues/f", "DELETE")[0] == 403
