"""Policies, headers, functions, disks and databases that used to end the platform, or to leave a
caller without an answer."""

import json
import os
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.platforms import publish_layer

from .conftest import Platform, deploy, invoke, wait_active, wait_for
from .functions_api import refusal
from .test_telemetry_api import HANDLER, LISTENER, SUBSCRIPTION

ECHO = "def handler(event, context): return event"
STRANGER = "111111111111"
FRAMES = """
import os, struct

PIPE = 3  # of framed log lines

def handler(event, context):
    for micros in (2**64 - 1, 2**63, 253402300800 * 10**6, 0):
        for kind in (0xA55A0003, 0xA55A0017):
            os.write(PIPE, struct.pack(">IIQ", kind, 5, micros) + b"hello")
    print("done")
    return event
"""
RESTORE_FAILS = """#!/usr/bin/env python3
import http.client, os, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
connection = http.client.HTTPConnection(host, int(port))
headers = {"Lambda-Runtime-Function-Error-Type": "Mine"}
body = '{"errorType": "Mine", "errorMessage": "not a snapshot"}'
connection.request("POST", "/2018-06-01/runtime/restore/error", body, headers)
connection.getresponse().read()
time.sleep(1)
"""


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("when", ["9" * 17, "9" * 20, "9" * 400])
def test_a_policy_with_a_time_that_no_calendar_has_allows_nothing(
    platform: Platform, lambda_client: Any, when: str
) -> None:
    """It is evaluated for callers of other accounts, who are refused."""
    name = f"no-calendar-{len(when)}"
    arn = deploy(lambda_client, name, {"app.py": ECHO})["FunctionArn"]
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": STRANGER},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {"DateLessThan": {"aws:CurrentTime": when}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    lambda_client.put_resource_policy(ResourceArn=arn, Policy=policy)
    stranger = platform.client("lambda", aws_access_key_id=STRANGER)
    code, _ = refusal(stranger.invoke, FunctionName=arn)
    assert code == "AccessDeniedException"
    assert invoke(lambda_client, name, 1)[0] == 1


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("AllowHeaders", "a\r\nx: 1", "ValidationException"),
        ("ExposeHeaders", "a\nx: 1", "ValidationException"),
        ("AllowOrigins", "a\u2028b", "ValidationException"),
        ("AllowHeaders", "x-\x1b", "InvalidParameterValueException"),
        ("ExposeHeaders", "x-ü", "InvalidParameterValueException"),
        ("AllowOrigins", "https://\x7f", "InvalidParameterValueException"),
    ],
)
def test_headers_that_cannot_be_sent_are_not_configured(
    lambda_client: Any, member: str, value: str, code: str
) -> None:
    """Headers for browsers are checked when they are set, not when a browser asks."""
    name = f"cors-{uuid.uuid4().hex[:8]}"
    deploy(lambda_client, name, {"app.py": ECHO})
    create = lambda_client.create_function_url_config
    found, _ = refusal(create, FunctionName=name, AuthType="NONE", Cors={member: [value]})
    assert found == code


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_a_frame_with_a_time_that_no_calendar_has_is_a_line_like_others(
    lambda_client: Any, log_format: str
) -> None:
    """The function's responses arrive, and its environment continues to work."""
    name = f"frames-{log_format.lower()}"
    deploy(lambda_client, name, {"app.py": FRAMES}, LoggingConfig={"LogFormat": log_format})
    for number in range(3):
        assert invoke(lambda_client, name, number)[0] == number


def test_a_function_without_snap_start_cannot_fail_to_be_restored(lambda_client: Any) -> None:
    """Its report is an error of its own init, not of SnapStart."""
    files = {"bootstrap": RESTORE_FAILS}
    deploy(lambda_client, "restores", files, Runtime="provided.al2023", Handler="x")
    payload, answer = invoke(lambda_client, "restores")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Mine"


def test_a_package_that_cannot_be_read_is_reported(platform: Platform, lambda_client: Any) -> None:
    """Downloads get 500, and the package when it can be read again."""
    deploy(lambda_client, "unreadable", {"app.py": f"{ECHO}\n# {uuid.uuid4()}"})
    location = lambda_client.get_function(FunctionName="unreadable")["Code"]["Location"]
    key = location.rpartition("/")[2].split(".")[1]
    (blob,) = (platform.data_dir / "state" / "blobs").rglob(f"*{key}*")
    mode = blob.stat().st_mode
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: the platform has its user's rights to files")
    blob.chmod(0)
    try:
        assert _status(location) == 500
    finally:
        blob.chmod(mode & 0o777)
    assert _status(location) == 200


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose database and launcher may suffer."""
    running = Platform(tmp_path_factory.mktemp("own") / "data")
    yield running
    running.kill()


def test_a_database_that_is_locked_costs_the_calls_that_need_it(own: Platform) -> None:
    """Changes get 503 after a limited wait. Calls are served meanwhile, also if the function has to
    be read, and changes when the database is free again."""
    client = own.client("lambda")
    deploy(client, "locked", {"app.py": ECHO})
    client.publish_version(FunctionName="locked")
    wait_active(client, "locked")
    change = {"FunctionName": "locked", "Description": "goes on"}
    database = sqlite3.connect(own.data_dir / "state" / "lambent.db", isolation_level=None)
    failures: list[Any] = []

    def call() -> None:
        with pytest.raises(ClientError) as failed:
            own.client("lambda").update_function_configuration(**change)
        failures.append(failed.value.response)

    database.execute("BEGIN EXCLUSIVE")
    thread = threading.Thread(target=call)
    thread.start()
    calls = 0
    slowest = 0.0
    assert invoke(client, "locked", 1, Qualifier="1")[0] == 1
    while thread.is_alive():
        began = time.monotonic()
        assert invoke(client, "locked", calls)[0] == calls
        slowest = max(slowest, time.monotonic() - began)
        calls += 1
        thread.join(0.2)
    database.execute("ROLLBACK")
    database.close()
    (failure,) = failures
    assert failure["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert failure["Error"]["Code"] == "ServiceUnavailable"
    assert "lock" not in failure["Error"]["Message"]
    assert calls > 10
    assert slowest < 5
    patient = own.client("lambda", config=Config(retries={"total_max_attempts": 8}))
    patient.update_function_configuration(**change)
    wait_active(client, "locked")
    assert invoke(client, "locked", 2)[0] == 2


def test_the_api_outlives_the_launcher(own: Platform) -> None:
    """Also during a delivery to an extension: its box cannot be reached any more."""
    client = own.client("lambda")
    layer = publish_layer(client, "listener", {"extensions/listener": LISTENER})
    variables = {"EXTENSION_SUBSCRIPTION": json.dumps(SUBSCRIPTION)}
    deploy(
        client,
        "listened",
        {"app.py": HANDLER},
        Layers=[layer],
        Environment={"Variables": variables},
    )
    assert invoke(client, "listened", 1)[0] == "done"
    launcher = _launcher_of(own)
    os.kill(launcher, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{launcher}/exe").exists(), "the end of the launcher")

    def fails() -> bool:
        try:
            return "FunctionError" in invoke(client, "listened", 1)[1]
        except ClientError as error:
            return error.response["Error"]["Code"] == "ServiceException"

    wait_for(fails, "nothing can be run any more")
    time.sleep(1)  # noqa: TID251 - deliveries to the extension are retried meanwhile
    assert client.get_function(FunctionName="listened")["Configuration"]["State"] == "Active"
    assert own.process.poll() is None


def _launcher_of(platform: Platform) -> int:
    """The platform's child that has the launcher's program."""
    pid = platform.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (found,) = [pid for pid in children if b"launcher" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(found)
