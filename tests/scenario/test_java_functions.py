"""Java functions on the host's JVM, over the public API."""

import base64
import json
import re
from typing import Any

import pytest

from tests.scenario.conftest import ACCOUNT, Platform, deploy, invoke, log_of, wait_for
from tests.scenario.java_classes import OPTIONS, needs_jdk
from tests.scenario.large_answers import check_a_long_log_event, check_what_is_too_large

pytestmark = needs_jdk


@pytest.fixture(scope="module")
def act(lambda_client: Any, classes: dict[str, bytes]) -> Any:
    """Makes the function do something; returns its result and the whole response."""
    deploy(lambda_client, "java-act", classes, Handler="example.Act", Timeout=10, **OPTIONS)

    def do(deed: str) -> tuple[Any, dict[str, Any]]:
        return invoke(lambda_client, "java-act", {"what": deed}, LogType="Tail")

    return do


def test_the_context_is_full(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Names and values as AWS's."""
    variables = {"JAVA_TOOL_OPTIONS": "-XX:+UseParallelGC -Xmx200m -Dmine=yes"}
    deploy(
        lambda_client,
        "java-context",
        classes,
        Handler="example.Forms::context",
        Environment={"Variables": variables},
        **OPTIONS,
    )
    client = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    known, answer = invoke(lambda_client, "java-context", {}, ClientContext=client)
    assert "FunctionError" not in answer, known
    expected = {
        "functionName": "java-context",
        "functionVersion": "$LATEST",
        "invokedFunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:java-context",
        "memoryLimitInMB": 512,
        "logGroupName": "/aws/lambda/java-context",
        "awsRequestId": answer["ResponseMetadata"]["RequestId"],
        "custom": {"k": "v"},
        "mine": "yes",
        "encoding": "UTF-8",
        "directory": "/var/task",
    }
    assert {name: known[name] for name in expected} == expected
    assert 15_000 < known["remaining"] <= 20_000
    assert 190 <= known["heap"] <= 200
    assert known["trace"].startswith("Root=1-")
    assert known["trace id"] == known["trace"]


def test_the_heap_follows_the_functions_memory(act: Any) -> None:
    """85 % of it, as in AWS."""
    payload, _ = act("heap")
    assert 0.8 * 512 < payload <= 0.85 * 512


def test_errors_are_in_awss_words(act: Any) -> None:
    """Type, message, the function's own frames, the cause; also in the log."""
    payload, answer = act("raise")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorMessage"] == "on purpose: ü"
    assert payload["errorType"] == "java.lang.IllegalStateException"
    assert [re.sub(r":\d+", "", frame) for frame in payload["stackTrace"]] == [
        "example.Act.fail(Act.java)",
        "example.Act.handleRequest(Act.java)",
        "example.Act.handleRequest(Act.java)",
    ]
    assert payload["cause"]["errorType"] == "java.lang.NumberFormatException"
    assert "on purpose: ü: java.lang.IllegalStateException\n" in log_of(answer)
    assert "Caused by: java.lang.NumberFormatException" in log_of(answer)


def test_a_process_that_ends_or_hangs_is_replaced(act: Any) -> None:
    """As in any runtime; a process whose heap is full ends itself."""
    payload, _ = act("exit")
    assert payload["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in payload["errorMessage"]
    assert "timed out after 10.00 seconds" in act("hang")[0]["errorMessage"]
    assert act("eat")[0]["errorType"] == "java.lang.OutOfMemoryError"
    assert act("deep")[0]["errorType"] == "java.lang.StackOverflowError"
    assert act("none")[0] is None


def test_what_is_too_large_is_an_error_and_the_process_goes_on(act: Any) -> None:
    """A result as well as an error."""
    check_what_is_too_large(act)


def test_a_log_event_of_any_size_arrives(platform: Platform, act: Any) -> None:
    """A log event that is too large is split."""
    act("long")
    check_a_long_log_event(platform, "java-act")


def test_what_is_printed_is_logged_at_once(act: Any) -> None:
    """From both streams."""
    _, answer = act("print")
    for line in ("printed: ü\n", "to stderr\n"):
        assert line in log_of(answer)


def logged(platform: Platform, name: str, request_id: str) -> list[str]:
    """The function's own events of an invocation, without the newline at their end."""
    logs = platform.client("logs")

    def events() -> list[str]:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        messages = [event["message"].removesuffix("\n") for event in found]
        of = [at for at, message in enumerate(messages) if f"RequestId: {request_id}" in message]
        return messages[of[0] + 1 : of[1]] if len(of) == 3 else []  # START, END and REPORT

    found: list[str] = wait_for(events, "the invocation's log")
    return found


@pytest.mark.parametrize("runtime", ["java17", "java25"])
def test_each_call_of_a_logger_is_one_event(
    platform: Platform, lambda_client: Any, classes: dict[str, bytes], runtime: str
) -> None:
    """For the context's logger and the runtime's: with its level if it has one, with all its lines;
    bytes and null too."""
    name = f"log-{runtime}"
    deploy(lambda_client, name, classes, Handler="example.Act", Runtime=runtime)
    _, answer = invoke(lambda_client, name, {"what": "log"})
    request_id = answer["ResponseMetadata"]["RequestId"]
    expected = [
        "plain ü",
        "[DEBUG] debug",
        "[ERROR] one\ntwo",
        "null",
        "null",
        '{"message":"own","level":"WARN"}',
        "[TRACE] traced",
    ]
    assert logged(platform, name, request_id) == expected * 2


def test_json_logs_have_levels(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Those below the function's level are left out; bytes are expected to be JSON already."""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    deploy(
        lambda_client, "java-json", classes, Handler="example.Act", LoggingConfig=logging, **OPTIONS
    )
    _, answer = invoke(lambda_client, "java-json", {"what": "log"}, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    lines = log_of(answer).splitlines()
    records = [json.loads(line) for line in lines if '"message"' in line]
    assert [(record["level"], record["message"]) for record in records] == [
        ("ERROR", "one\ntwo\n"),
        ("WARN", "own"),
    ] * 2
    assert records[0]["AWSRequestId"] == request_id
    assert '{"message":"own","level":"WARN"}' in lines


def test_it_is_confined_like_others(act: Any) -> None:
    """No secrets of the host, no writing, no answers to other invocations, threads are limited."""
    assert act("shadow")[0]["errorType"] == "java.nio.file.NoSuchFileException"
    assert act("write")[0]["errorType"] == "java.nio.file.FileSystemException"
    assert act("forge")[0] in (400, 403)
    assert act("spawn")[0].split() == ["993", "0", "1", "2", "3"]
    payload, _ = act("threads")
    assert 100 < payload < 1024


def test_tls_and_names_work(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Files of a JVM in the distribution's configuration are there: certificates, providers."""
    deploy(lambda_client, "java-tls", classes, Handler="example.Forms::trusted", **OPTIONS)
    payload, answer = invoke(lambda_client, "java-tls", {})
    assert "FunctionError" not in answer, payload
    assert payload > 50
