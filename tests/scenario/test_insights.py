"""Queries of CloudWatch Logs Insights as boto3 and the AWS CLI see them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import ACCOUNT, Platform, deploy, invoke, wait_for

CODE = """
import json
def handler(event, context):
    for number in range(event.get("count", 0)):
        print(json.dumps({"level": "INFO" if number % 2 else "ERROR", "n": number}))
    if "line" in event:
        print(event["line"])
    return context.aws_request_id
"""
GROUP = "/aws/lambda/insights"


@pytest.fixture(scope="module")
def logs(platform: Platform, lambda_client: Any) -> Any:
    """A client, and a function that has logged."""
    deploy(lambda_client, "insights", {"app.py": CODE})
    invoke(lambda_client, "insights", {"count": 10})
    return platform.client("logs")


def start(logs: Any, query: str, **options: Any) -> str:
    """Start a query over the last hour; returns its id."""
    now = int(time.time())
    what = options or {"logGroupName": GROUP}
    answer = logs.start_query(startTime=now - 3600, endTime=now + 60, queryString=query, **what)
    return str(answer["queryId"])


def finish(logs: Any, query_id: str) -> Any:
    """The results of a query, once it has ended."""

    def ended() -> Any:
        found = logs.get_query_results(queryId=query_id)
        return found if found["status"] not in ("Scheduled", "Running") else None

    return wait_for(ended, "the query ends", deadline_s=90)


def rows(answer: Any) -> list[dict[str, str]]:
    """Without pointers."""
    return [
        {each["field"]: each["value"] for each in row if each["field"] != "@ptr"}
        for row in answer["results"]
    ]


def test_a_query_of_a_function_s_log(logs: Any) -> None:
    """JSON fields, the platform's fields, statistics, and what was scanned."""
    answer = finish(logs, start(logs, "filter level = 'ERROR' | stats count(*) as n, max(n)"))
    assert answer["status"] == "Complete"
    assert rows(answer) == [{"n": "5", "max(n)": "8"}]
    statistics = answer["statistics"]
    assert statistics["recordsMatched"] == 5
    assert statistics["recordsScanned"] >= 14
    assert statistics["bytesScanned"] > 500
    report = "filter @type = 'REPORT' | fields @duration, @requestId, @memorySize"
    (row,) = rows(finish(logs, start(logs, report)))
    assert float(row["@duration"]) > 0
    assert row["@memorySize"].endswith("000000")
    about = f"fields @message | filter @requestId = '{row['@requestId']}' | sort @timestamp"
    found = [each["@message"] for each in rows(finish(logs, start(logs, about)))]
    assert found[0].startswith("START")
    assert found[-1].startswith("REPORT")


def test_a_record_by_its_pointer(logs: Any) -> None:
    """GetLogRecord has all fields."""
    answer = finish(logs, start(logs, "fields n | filter n = 3", logGroupIdentifiers=[GROUP]))
    ((_, pointer),) = answer["results"]
    assert pointer["field"] == "@ptr"
    record = logs.get_log_record(logRecordPointer=pointer["value"])["logRecord"]
    assert record["level"] == "INFO"
    assert record["n"] == "3"
    assert record["@log"] == f"{ACCOUNT}:{GROUP}"
    for wrong in ("", "x", "W10=", "WyJhIiwgImIiLCAxXQ==", "bnVsbA=="):
        with pytest.raises(ClientError) as caught:
            logs.get_log_record(logRecordPointer=wrong)
        assert caught.value.response["Error"]["Code"] in (
            "InvalidParameterException",
            "ResourceNotFoundException",
        )


def test_pages_and_the_list_of_queries(logs: Any) -> None:
    """A result has pages if they are asked for; queries are listed, newest first."""
    query_id = start(logs, "fields n | filter ispresent(n) | sort n asc")
    finish(logs, query_id)
    first = logs.get_query_results(queryId=query_id, maxItems=6)
    assert [row["n"] for row in rows(first)] == ["0", "1", "2", "3", "4", "5"]
    second = logs.get_query_results(queryId=query_id, maxItems=6, nextToken=first["nextToken"])
    assert [row["n"] for row in rows(second)] == ["6", "7", "8", "9"]
    assert "nextToken" not in second
    listed = logs.describe_queries(logGroupName=GROUP, status="Complete")["queries"]
    assert listed[0]["queryId"] == query_id
    assert listed[0]["queryString"].startswith("fields n")
    assert logs.describe_queries(logGroupName="/no/such")["queries"] == []


def test_what_is_refused(logs: Any) -> None:
    """Malformed queries say where; groups have to exist."""
    with pytest.raises(ClientError) as caught:
        start(logs, "fields @message | filter @message like /(/")
    error = caught.value.response
    assert error["Error"]["Code"] == "MalformedQueryException"
    location = error["queryCompileError"]["location"]
    assert location == {"startCharOffset": 39, "endCharOffset": 42}
    for code, options in (
        ("ResourceNotFoundException", {"logGroupName": "/no/such"}),
        ("InvalidParameterException", {"logGroupName": GROUP, "logGroupNames": [GROUP]}),
        ("InvalidParameterException", {"logGroupName": GROUP, "queryLanguage": "SQL"}),
    ):
        with pytest.raises(ClientError) as caught:
            start(logs, "fields @message", **options)
        assert caught.value.response["Error"]["Code"] == code
    for call in (logs.get_query_results, logs.stop_query):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            call(queryId="no-such-query")


def test_an_endless_regular_expression(logs: Any, lambda_client: Any) -> None:
    """It runs in a process of its own: the platform goes on, and StopQuery ends it."""
    invoke(lambda_client, "insights", {"line": "a" * 40 + "!"})
    query_id = start(logs, "filter @message like /^(a|a)*$/")
    wait_for(lambda: logs.get_query_results(queryId=query_id)["status"] == "Running", "it runs")
    for _ in range(3):
        assert invoke(lambda_client, "insights", {})[1]["StatusCode"] == 200
    assert rows(finish(logs, start(logs, "stats count(*) as n | filter n > 0")))
    assert logs.stop_query(queryId=query_id)["success"] is True
    assert finish(logs, query_id)["status"] == "Cancelled"
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.stop_query(queryId=query_id)


def test_the_cli(platform: Platform, logs: Any) -> None:
    """`aws logs start-query` and `get-query-results`."""
    now = int(time.time())

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("aws")), "logs", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "AWS_ACCESS_KEY_ID": ACCOUNT,
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": platform.endpoint,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            },
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    times = ("--start-time", str(now - 3600), "--end-time", str(now + 60))
    query = ("--query-string", "filter n = 1 | display level")
    query_id = run("start-query", "--log-group-name", GROUP, *times, *query)["queryId"]
    finish(logs, query_id)
    assert rows(run("get-query-results", "--query-id", query_id)) == [{"level": "INFO"}]
