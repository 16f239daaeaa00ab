"""What CloudWatch Logs has of an invocation, byte by byte."""

import re
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.telemetry.lines import LINE_BYTES_MAX, chunks
from tests.platforms import log_lines

from .conftest import Platform, deploy, invoke, log_of, wait_for

CODE = """
import os, sys, time
def handler(event, context):
    if "exit" in event:
        os._exit(event["exit"])
    if "sleep" in event:
        time.sleep(event["sleep"])
    print("multi\\nline")
    print("another\\rline")
    print()
    print("\\n")
    sys.stdout.write("no newline")
"""
NODE = """
exports.handler = async () => {
  process.stdout.write('multi\\nline\\n\\n');
  console.log('logged\\ntwice');
};
"""
LONG = {
    "python": "def handler(event, context): print('€' * 120_000)",
    "node": "exports.handler = async () => { console.log('€'.repeat(120000)) }",
}


def messages(platform: Platform, name: str, last: str) -> list[str]:
    """Messages of a function, once one contains this."""
    logs = platform.client("logs")

    def found() -> list[str] | None:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        got = [event["message"] for page in pages for event in page["events"]]
        return got if any(last in line for line in got) else None

    events: list[str] = wait_for(found, f"the log has {last}")
    return events


def test_each_event_ends_with_a_newline(platform: Platform, lambda_client: Any) -> None:
    """Empty lines are not events; the caller's log tail is the printed text."""
    deploy(lambda_client, "newlines", {"app.py": CODE})
    _, answer = invoke(lambda_client, "newlines", {}, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    init, start, *printed, end, report = messages(platform, "newlines", "REPORT")
    assert re.fullmatch(
        r"INIT_START Runtime Version: python:3\.\d+\.v\d+\tRuntime Version ARN: "
        r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}\n",
        init,
    )
    configuration = lambda_client.get_function_configuration(FunctionName="newlines")
    assert configuration["RuntimeVersionConfig"]["RuntimeVersionArn"] in init
    assert start == f"START RequestId: {request_id} Version: $LATEST\n"
    assert printed == ["multi\n", "line\n", "another\rline\n", "no newline\n"]
    assert end == f"END RequestId: {request_id}\n"
    assert re.fullmatch(r"REPORT RequestId: \S+\tDuration: .*\t\n", report)
    tail = log_of(answer)
    assert "$LATEST\nmulti\nline\nanother\rline\n\n\n\nno newline\nEND " in tail
    assert tail.endswith("\t\n")
    logs = platform.client("logs")
    for pattern in ("another", "%^multi$%", '"no newline"'):
        found = logs.filter_log_events(logGroupName="/aws/lambda/newlines", filterPattern=pattern)
        assert len(found["events"]) == 1, pattern


def test_of_node_too(platform: Platform, lambda_client: Any) -> None:
    """Also events from the runtime client's own log."""
    deploy(lambda_client, "newlines-node", {"app.js": NODE}, Runtime="nodejs22.x", MemorySize=256)
    invoke(lambda_client, "newlines-node")
    _, _, *printed, _, _ = messages(platform, "newlines-node", "REPORT")
    logged = [line for line in printed if "INFO" in line]
    assert [line for line in printed if line not in logged] == ["multi\n", "line\n"]
    assert [line.partition("\tINFO\t")[2] for line in logged] == ["logged\ntwice\n"]


@pytest.mark.parametrize("language", ["python", "node"])
def test_long_lines_are_cut_between_characters(
    platform: Platform, lambda_client: Any, language: str
) -> None:
    """No part of a text outside ASCII is lost."""
    name, file, runtime = f"long-{language}", "app.js", {"Runtime": "nodejs22.x"}
    if language == "python":
        file, runtime = "app.py", {}
    deploy(lambda_client, name, {file: LONG[language]}, **runtime)
    invoke(lambda_client, name)
    printed = [message for message in messages(platform, name, "REPORT") if "€" in message]
    assert len(printed) == 2
    assert "".join(line.removesuffix("\n") for line in printed).endswith("€" * 120_000)


@given(
    st.integers(LINE_BYTES_MAX - 3, 2 * LINE_BYTES_MAX + 3),
    st.text(min_size=1, max_size=8),
    st.integers(0, 3),
)
def test_chunks_of_any_text_are_text(size: int, text: str, shift: int) -> None:
    """And none is too long; invalid text is cut as well."""
    encoded = text.encode(errors="surrogatepass") if text.isprintable() else b"\xc3\xa4"
    line = b"x" * shift + encoded * (size // len(encoded))
    found = chunks(line)
    assert b"".join(found) == line
    assert all(0 < len(line) <= LINE_BYTES_MAX for line in found)
    for line in found:
        line.decode(errors="surrogatepass")
    assert b"".join(chunks(b"\x80" * size)) == b"\x80" * size


def test_the_log_says_why_an_invocation_ended(platform: Platform, lambda_client: Any) -> None:
    """After its report, in the words that runbooks and metric filters look for."""
    deploy(lambda_client, "reasons", {"app.py": CODE}, Timeout=1)
    _, answer = invoke(lambda_client, "reasons", {"sleep": 5}, LogType="Tail")
    late = answer["ResponseMetadata"]["RequestId"]
    _, answer_2 = invoke(lambda_client, "reasons", {"exit": 3})
    dead = answer_2["ResponseMetadata"]["RequestId"]
    found = messages(platform, "reasons", "Runtime.ExitError\n")
    by_report = {
        line.split()[2]: found[at + 1] for at, line in enumerate(found) if "REPORT" in line
    }
    at, _, text = by_report[late].partition(" ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert text == f"{late} Task timed out after 1.00 seconds\n\n"
    assert by_report[dead] == (
        f"RequestId: {dead} Error: Runtime exited with error: exit status 3\nRuntime.ExitError\n"
    )
    assert f"{late} Task timed out after 1.00 seconds" in log_of(answer)


def test_a_log_in_json_says_it_in_its_reports(platform: Platform, lambda_client: Any) -> None:
    """There are no lines of text in it."""
    deploy(
        lambda_client,
        "reasons-json",
        {"app.py": CODE},
        Timeout=1,
        LoggingConfig={"LogFormat": "JSON"},
    )
    invoke(lambda_client, "reasons-json", {"exit": 3})
    found = messages(platform, "reasons-json", "platform.report")
    assert all(line.startswith("{") and line.endswith("}\n") for line in found)
    assert '"errorType":"Runtime.ExitError"' in found[-1]


def test_lines_go_to_a_function(platform: Platform) -> None:
    """Through a subscription filter, within seconds; the others stay."""
    group, lambdas, logs = "/aws/lambda/says", platform.client("lambda"), platform.client("logs")
    deploy(lambdas, "says", {"app.py": "def handler(event, context): print(event)"})
    watch = """
        import base64, gzip, json
        def handler(event, context):
            content = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
            print("got", [each["message"].strip() for each in content["logEvents"]])
    """
    arn = deploy(lambdas, "watches", {"app.py": textwrap.dedent(watch)})["FunctionArn"]
    logs.create_log_group(logGroupName=group)
    given = {"logGroupName": group, "filterName": "f", "destinationArn": arn}
    logs.put_subscription_filter(**given, filterPattern="ERROR")
    (shown,) = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    assert shown["destinationArn"] == arn

    def is_watched() -> bool:
        invoke(lambdas, "says", "fine")
        invoke(lambdas, "says", "ERROR one")
        return any("got ['ERROR one'" in line for line in log_lines(platform, "watches"))

    wait_for(is_watched, "the line arrives")
    assert not any("fine" in line for line in log_lines(platform, "watches"))
    logs.delete_subscription_filter(logGroupName=group, filterName="f")
    assert not logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
