"""`/_lambent/environments`: what each environment of the caller's account is doing and uses."""

import json
import urllib.error
import urllib.request
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.platforms import ACCOUNT, Platform, deploy, wait_for

FUNCTION = """
import time
def handler(event, context):
    event = [0] * 4_000_000
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    return len(event)
"""


def environments(platform: Platform, account: str = ACCOUNT) -> list[dict[str, Any]]:
    signed = AWSRequest("GET", f"{platform.endpoint}/_lambent/environments")
    SigV4Auth(Credentials(account, "secret"), "lambda", "us-east-1").add_auth(signed)
    request = urllib.request.Request(signed.url, headers=dict(signed.headers))
    with urllib.request.urlopen(request, timeout=20) as response:
        shown: list[dict[str, Any]] = json.load(response)["environments"]
    return shown


def test_an_environment_is_shown_with_what_it_uses(platform: Platform) -> None:
    """State, age, memory and CPU time; other accounts see nothing of it."""
    client = platform.client("lambda")
    name = "shown-in-environments"
    deploy(client, name, {"app.py": FUNCTION}, MemorySize=256)
    client.invoke(FunctionName=name, Payload="1")

    def own(account: str = ACCOUNT) -> list[dict[str, Any]]:
        return [shown for shown in environments(platform, account) if shown["function"] == name]

    (shown,) = own()
    assert shown["version"] == "$LATEST"
    assert shown["state"] in ("idle", "frozen")
    assert shown["memory_mb"] == 256
    assert shown["tier"] in ("root", "rootless", "process")
    assert 0 <= shown["idle_s"] <= shown["age_s"] < 300
    assert shown["id"] in shown["log_stream"]
    if shown["tier"] == "root":
        # What it shares with the process that it was forked from is not its own.
        assert 0 < shown["memory_bytes"] <= 256 << 20
        assert shown["cpu_s"] >= 0.2
    assert shown["sent_bytes"] == shown["received_bytes"] == 0

    def is_frozen() -> bool:
        return bool(own()[0]["frozen"])

    wait_for(is_frozen, "the environment is frozen")
    assert own("222222222222") == []
    client.delete_function(FunctionName=name)
    wait_for(lambda: not own(), "the environment has ended")


def test_only_a_caller_who_may_sees_them(platform: Platform) -> None:
    """Any method but GET is refused."""
    request = urllib.request.Request(
        f"{platform.endpoint}/_lambent/environments", b"{}", method="POST"
    )
    try:
        urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        assert error.code == 405
    else:
        raise AssertionError("POST is not refused")
