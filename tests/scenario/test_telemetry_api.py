"""Telemetry and Logs API: extensions that subscribe receive events, in AWS's schemas.

One case of each kind. tests/unit/node/test_playbook_telemetry.py has the rest: invalid
subscriptions, failures, and slow listeners.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import Platform, deploy, invoke, log_lines, publish_layer, wait_for

LISTENER = (Path(__file__).parent / "extensions" / "listener.py").read_text()
HANDLER = """
import os
print("while loading")
def handler(event, context):
    if event == "exit":
        os._exit(1)
    print("hello", event)
    print('{"level": "warn", "message": "structured"}')
    if event == "flood":
        for _ in range(6_000):
            print("x" * 100)
    return "done"
"""
SUBSCRIPTION: dict[str, Any] = {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function", "extension"],
    "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/here"},
}

Listen = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def listen(platform: Platform, lambda_client: Any) -> Listen:
    """Sends events to a function whose extension subscribes; returns what it received."""

    def listen_(
        name: str,
        *payloads: Any,
        subscription: dict[str, Any] = SUBSCRIPTION,
        variables: dict[str, str] | None = None,
        **more: Any,
    ) -> list[dict[str, Any]]:
        layer = publish_layer(lambda_client, name, {"extensions/listener": LISTENER})
        given = {"EXTENSION_SUBSCRIPTION": json.dumps(subscription), **(variables or {})}
        deploy(
            lambda_client,
            name,
            {"app.py": HANDLER},
            Layers=[layer],
            Environment={"Variables": given},
            **more,
        )
        for payload in payloads:
            invoke(lambda_client, name, payload)
        lambda_client.update_function_configuration(FunctionName=name, Description="end")

        def delivered() -> list[dict[str, Any]]:
            lines = [line for line in log_lines(platform, name) if line.startswith("told ")]
            return [json.loads(line.removeprefix("told ")) for line in lines]

        def is_over() -> bool:
            return any("listener is done" in line for line in log_lines(platform, name))

        wait_for(is_over, "the extension's end", deadline_s=60)
        return delivered()

    return listen_


def kind(event: dict[str, Any]) -> str:
    return str(event["type"])


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_what_is_sent(listen: Listen, protocol: str) -> None:
    """A cold invocation in order, with the records of the schema."""
    destination = SUBSCRIPTION["destination"]
    if protocol == "TCP":
        destination = {"protocol": "TCP", "port": 8080}
    subscription = {**SUBSCRIPTION, "destination": destination}
    events = listen(f"told-{protocol.lower()}", "you", subscription=subscription)
    kinds = [kind(event) for event in events]
    in_order = [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert [kind for kind in kinds if kind in in_order] == in_order
    assert "platform.extension" in kinds
    for event in events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
    records = {kind(event): event["record"] for event in events}
    start = records["platform.initStart"]
    assert start["initializationType"] == "on-demand"
    assert start["phase"] == "init"
    assert start["functionVersion"] == "$LATEST"
    assert records["platform.telemetrySubscription"] == {
        "name": "listener",
        "state": "Subscribed",
        "types": ["platform", "function", "extension"],
    }
    assert records["platform.extension"] == {
        "name": "listener",
        "state": "Ready",
        "events": ["INVOKE", "SHUTDOWN"],
    }
    done = records["platform.runtimeDone"]
    assert done["status"] == "success"
    assert done["metrics"]["producedBytes"] == len(b'"done"')
    assert {span["name"] for span in done["spans"]} >= {"responseLatency", "responseDuration"}
    report = records["platform.report"]
    assert report["requestId"] == done["requestId"] == records["platform.start"]["requestId"]
    assert report["metrics"]["memorySizeMB"] == 512
    assert report["metrics"]["initDurationMs"] > 0
    assert report["tracing"]["type"] == "X-Amzn-Trace-Id"
    function = [event["record"] for event in events if kind(event) == "function"]
    assert function[:2] == ["while loading", "hello you"]
    assert any(
        "subscribed 200" in event["record"] for event in events if kind(event) == "extension"
    )


def test_objects_in_json_logs(listen: Listen) -> None:
    """With the log format JSON, a printed object is delivered as an object."""
    events = listen("told-json", "you", LoggingConfig={"LogFormat": "JSON"})
    records = [event["record"] for event in events if kind(event) == "function"]
    assert {"level": "warn", "message": "structured"}.items() <= records[2].items()
    assert records[1]["message"] == "hello you"


def test_the_older_logs_api(listen: Listen) -> None:
    """Its own records in addition to the shared ones."""
    legacy = {
        **SUBSCRIPTION,
        "schemaVersion": "2021-03-18",
        "destination": {**SUBSCRIPTION["destination"], "method": "PUT", "encoding": "JSON"},
    }
    events = listen(
        "told-legacy",
        "you",
        subscription=legacy,
        variables={"EXTENSION_API": "/2020-08-15/logs"},
    )
    kinds = {kind(event) for event in events}
    assert kinds >= {
        "platform.logsSubscription",
        "platform.start",
        "platform.end",
        "platform.runtimeDone",
        "platform.report",
        "function",
    }
    assert not any(kind.startswith("platform.init") for kind in kinds)


def test_a_flood_is_bounded(platform: Platform, listen: Listen) -> None:
    """A function that prints faster than its subscriber reads loses records and learns how many."""
    events = listen("told-flood", "flood", Timeout=60)
    heard = sum(event["record"] == "x" * 100 for event in events)
    dropped = [event["record"] for event in events if kind(event) == "platform.logsDropped"]
    assert heard + sum(record["droppedRecords"] for record in dropped) >= 6_000
    assert all(record["droppedBytes"] > 100 * record["droppedRecords"] for record in dropped)


def test_what_cannot_be_subscribed(platform: Platform, lambda_client: Any) -> None:
    """An invalid subscription is a validation error that names the mistake."""
    name = "unsubscribed"
    layer = publish_layer(lambda_client, "listener", {"extensions/listener": LISTENER})
    deploy(
        lambda_client,
        name,
        {"app.py": "def handler(e, c): return 1"},
        Layers=[layer],
        Environment={
            "Variables": {"EXTENSION_SUBSCRIPTION": json.dumps({**SUBSCRIPTION, "types": []})}
        },
    )
    assert invoke(lambda_client, name)[0] == 1
    line = next(
        log_line for log_line in log_lines(platform, name) if "listener subscribed" in log_line
    )
    status, body = line.split(" ", 3)[2:]
    assert status == "400"
    assert json.loads(body)["errorType"] == "ValidationError"
    assert "types should not be empty" in json.loads(body)["errorMessage"]
