"""Logs in JSON: the platform's events, what functions print, and which levels are shown."""

import json
from typing import Any

import pytest

from tests.platforms import Platform, deploy, invoke, log_lines

PYTHON = """
import logging, os
logger = logging.getLogger()
def handler(event, context):
    if event == "exit":
        os._exit(1)
    logger.debug("a debug")
    logger.info("an info")
    logger.warning("a warning", extra={"colour": "red"})
    print("plain text\\n")
    print('{"level": "debug", "message": "printed debug"}')
    print('{"message": "printed without level"}')
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT"), os.environ.get("AWS_LAMBDA_LOG_LEVEL")
"""
NODE = """
exports.handler = async (event, context) => {
  console.debug("a debug"); console.info("an info"); console.warn("a warning");
};
"""


def objects(platform: Platform, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_lines(platform, name)]


def test_defaults(platform: Platform, lambda_client: Any) -> None:
    """Both levels are INFO: start and report, no debug."""
    deploy(lambda_client, "json-logs", {"app.py": PYTHON}, LoggingConfig={"LogFormat": "JSON"})
    payload, answer = invoke(lambda_client, "json-logs", LogType="Tail")
    assert payload == ["JSON", "INFO"]
    assert "LogResult" in answer
    lines = objects(platform, "json-logs")
    events = [line for line in lines if "record" in line]
    assert [event["type"] for event in events] == [
        "platform.initStart",
        "platform.start",
        "platform.report",
    ]
    report = events[-1]["record"]
    assert report["status"] == "success"
    assert report["metrics"]["billedDurationMs"] >= report["metrics"]["durationMs"]
    assert report["requestId"] == answer["ResponseMetadata"]["RequestId"]
    application = [line for line in lines if "record" not in line]
    # Log records and printed lines come through two pipes, each in its own order.
    logged = [line for line in application if "logger" in line]
    printed = [line for line in application if "logger" not in line]
    assert [line["message"] for line in logged] == ["an info", "a warning"]
    assert [line["message"] for line in printed] == ["plain text", "printed without level"]
    assert logged[1]["colour"] == "red"
    assert logged[1]["level"] == "WARNING"
    for line in application:
        assert line["timestamp"]
    assert printed[0]["level"] == "INFO"
    assert printed[0]["requestId"] == report["requestId"]


@pytest.mark.parametrize(
    ("application", "system", "messages", "kinds"),
    [
        (
            "DEBUG",
            "DEBUG",
            ["a debug", "an info", "a warning"],
            {"platform.initRuntimeDone", "platform.initReport", "platform.runtimeDone"},
        ),
        ("ERROR", "WARN", [], set()),
    ],
)
def test_levels(
    platform: Platform,
    lambda_client: Any,
    application: str,
    system: str,
    messages: list[str],
    kinds: set[str],
) -> None:
    """Each of the two levels hides events below it."""
    name = f"json-{system.lower()}"
    config = {
        "LogFormat": "JSON",
        "ApplicationLogLevel": application,
        "SystemLogLevel": system,
    }
    for language, source, handler, runtime in (
        ("py", {"app.py": PYTHON}, "app.handler", None),
        ("js", {"index.js": NODE}, "index.handler", "nodejs20.x"),
    ):
        more = {"Runtime": runtime} if runtime else {}
        deploy(
            lambda_client,
            f"{name}-{language}",
            source,
            Handler=handler,
            LoggingConfig=config,
            **more,
        )
        invoke(lambda_client, f"{name}-{language}")
        lines = objects(platform, f"{name}-{language}")
        said = [line["message"] for line in lines if "record" not in line]
        assert [message for message in said if message.startswith("a")] == messages
        found = {line["type"] for line in lines if "record" in line}
        assert kinds <= found
        if system == "WARN":
            assert not found


def test_failures_are_warnings(platform: Platform, lambda_client: Any) -> None:
    """A crash is shown where successes are not."""
    config = {"LogFormat": "JSON", "SystemLogLevel": "WARN"}
    deploy(lambda_client, "json-crash", {"app.py": PYTHON}, LoggingConfig=config)
    invoke(lambda_client, "json-crash", "exit")
    records = {line["type"]: line["record"] for line in objects(platform, "json-crash")}
    assert records["platform.report"]["errorType"] == "Runtime.ExitError"
    assert records["platform.runtimeDone"]["status"] == "error"
