"""A burst of simultaneous calls that each need a new environment. `make burst` is as large as an
account's limit allows."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.platforms import Platform, deploy
from tests.yardstick import allowing

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: so many boxes need cgroups")

CALLS = int(os.environ.get("BURST_CALLS", "300"))
SLEEP_S = 5 if CALLS <= 300 else 20
DEADLINE_S = 400
COLD_START_MAX_S = 2.0
"""Of another function, in the middle of the burst; on two busy cores."""
NEIGHBOURS = 5
FILES = {
    "app.py": """
import time

def handler(event, context):
    time.sleep(event["sleep_s"])
    return event["number"]
"""
}


async def call(endpoint: str, name: str, number: int, sleep_s: float = 0) -> tuple[int, bytes]:
    """Invoke without a client library, which would use up the processors; returns status and
    body."""
    at = urlsplit(endpoint)
    body = json.dumps({"number": number, "sleep_s": sleep_s})
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    try:
        writer.write(
            f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1\r\nHost: {at.netloc}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
    finally:
        writer.close()
    head, _, payload = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), payload


@pytest.mark.timeout(DEADLINE_S + 100)
def test_a_burst_succeeds_and_delays_no_other_function(
    platform: Platform, lambda_client: Any
) -> None:
    """Every call ends with its answer, and other functions start as if nothing were."""
    deploy(lambda_client, "burst", FILES, MemorySize=128, Timeout=60)
    names = [f"beside-burst-{number}" for number in range(NEIGHBOURS)]
    for name in names:
        deploy(lambda_client, name, FILES, MemorySize=128)
    took = []

    async def call_others() -> None:
        for name in names:
            await asyncio.sleep(0.5)
            began = time.monotonic()
            assert await call(platform.endpoint, name, 7) == (200, b"7")
            took.append(time.monotonic() - began)

    async def run() -> list[tuple[int, bytes]]:
        calls = [call(platform.endpoint, "burst", number, SLEEP_S) for number in range(CALLS)]
        *answers, _ = await asyncio.gather(*calls, call_others())
        return answers

    try:
        with allowing(COLD_START_MAX_S) as most_s:
            answers = asyncio.run(run())
    finally:
        for name in ("burst", *names):
            lambda_client.delete_function(FunctionName=name)
    assert Counter(status for status, _ in answers) == {200: CALLS}
    assert [int(payload) for _, payload in answers] == list(range(CALLS))
    assert max(took) < most_s(), took


def test_what_cannot_be_had_in_time_is_throttled(start_platform: Callable[..., Platform]) -> None:
    """A platform that builds one sandbox at a time, with a short limit for waiting."""
    platform = start_platform(
        environment={
            "LAMBENT_WORKER__STARTS_AT_ONCE": "1",
            "LAMBENT_WORKER__START_WAIT_S": "0.1",
        }
    )
    variables = {"Variables": {"LAMBENT_START_MODE": "exec"}}
    client = platform.client("lambda")
    deploy(client, "burst", FILES, MemorySize=128, Environment=variables)

    async def run() -> list[tuple[int, bytes]]:
        calls = [call(platform.endpoint, "burst", number, 2) for number in range(60)]
        return await asyncio.gather(*calls)

    answers = asyncio.run(run())
    found = Counter(status for status, _ in answers)
    assert set(found) == {200, 429}, found
    for number, (status, payload) in enumerate(answers):
        expected = number if status == 200 else "ConcurrentInvocationLimitExceeded"
        response = json.loads(payload)
        assert (response if status == 200 else response["Reason"]) == expected
    platform.stop()
    assert "Traceback" not in platform.output
