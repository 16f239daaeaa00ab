"""Functions are invoked by real clients and answer as on AWS."""

import base64
import concurrent.futures
import json
import re
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.scenario.conftest import (
    ACCOUNT,
    PYTHON,
    Platform,
    deploy,
    invoke,
    wait_active,
    wait_for,
    zip_of,
)

ECHO = """
import os, time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    return {"event": event, "calls": calls, "id": context.aws_request_id,
            "arn": context.invoked_function_arn, "version": context.function_version,
            "memory": context.memory_limit_in_mb, "name": context.function_name,
            "remaining": context.get_remaining_time_in_millis(),
            "group": context.log_group_name, "stream": context.log_stream_name,
            "client": context.client_context and context.client_context.custom,
            "environment": dict(os.environ)}
"""


@pytest.fixture(scope="module")
def echo(lambda_client: Any) -> str:
    """A function that returns its input."""
    deploy(lambda_client, "echo", {"app.py": ECHO}, Environment={"Variables": {"COLOR": "blue"}})
    return "echo"


def test_the_answer_comes_back_with_aws_headers(lambda_client: Any, echo: str) -> None:
    """Status 200, executed version, request id equal to the function's, JSON payload."""
    payload, answer = invoke(lambda_client, echo, {"a": [1, "ü"]})
    assert payload["event"] == {"a": [1, "ü"]}
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    assert payload["id"] == answer["ResponseMetadata"]["RequestId"]
    assert uuid.UUID(payload["id"])
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-remapped-content-length"] == "0"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")


def test_the_context_is_awss(lambda_client: Any, echo: str) -> None:
    """Name, ARN, version, memory, remaining time, log names."""
    payload, _ = invoke(lambda_client, echo)
    assert payload["event"] is None
    assert payload["arn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo"
    assert (payload["name"], payload["version"], payload["memory"]) == ("echo", "$LATEST", "512")
    assert 15_000 < payload["remaining"] <= 20_000
    assert payload["group"] == "/aws/lambda/echo"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", payload["stream"])


def test_the_environment_is_awss_and_nothing_of_the_host(lambda_client: Any, echo: str) -> None:
    """Reserved variables are set, the user's are there, the platform's own are not."""
    environment = invoke(lambda_client, echo)[0]["environment"]
    expected = {
        "COLOR": "blue",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "echo",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON}",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "_HANDLER": "app.handler",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9002",
    }
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert {name: environment.get(name) for name in expected} == expected
    assert not [name for name in environment if name.startswith(("LAMBENT", "PYTEST", "VIRTUAL"))]
    assert "HOME" not in environment


def test_an_environment_is_reused(lambda_client: Any, echo: str) -> None:
    """The second call finds what the first left in memory."""
    first, _ = invoke(lambda_client, echo)
    second, _ = invoke(lambda_client, echo)
    assert second["calls"] == first["calls"] + 1
    assert second["stream"] == first["stream"]


def test_an_empty_body_is_an_empty_object(lambda_client: Any, echo: str) -> None:
    """As AWS does."""
    answer = lambda_client.invoke(FunctionName=echo)
    assert json.loads(answer["Payload"].read())["event"] == {}


def test_the_log_tail_is_start_to_report(lambda_client: Any) -> None:
    """LogType=Tail contains the platform's lines and what the function printed and logged."""
    code = """
import logging, sys
def handler(event, context):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    logging.getLogger().warning("a warning\\nof two lines")
    return 1
"""
    deploy(lambda_client, "tail", {"app.py": code})
    _, answer = invoke(lambda_client, "tail", LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    log = base64.b64decode(answer["LogResult"]).decode()
    lines = log.splitlines()
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[-2] == f"END RequestId: {request_id}"
    assert {"to stdout", "to stderr"} <= set(lines)
    assert re.search(rf"\[WARNING\]\t\S+Z\t{request_id}\ta warning\nof two lines", log)
    report = re.fullmatch(
        rf"REPORT RequestId: {request_id}\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t"
        r"Memory Size: 512 MB\tMax Memory Used: (\d+) MB\tInit Duration: ([\d.]+) ms\t?",
        lines[-1],
    )
    assert report is not None, lines[-1]
    duration, billed, used, init = (float(text) for text in report.groups())
    assert billed == int(-(-(duration + init) // 1))
    assert 1 < used < 200
    _, warm = invoke(lambda_client, "tail", LogType="Tail")
    assert "Init Duration" not in base64.b64decode(warm["LogResult"]).decode()


def test_the_log_tail_is_the_last_4_kib(lambda_client: Any) -> None:
    """However much was printed."""
    deploy(
        lambda_client,
        "long-tail",
        {"app.py": "def handler(e, c):\n    for n in range(3000): print('line', n)\n"},
    )
    _, answer = invoke(lambda_client, "long-tail", LogType="Tail")
    log = base64.b64decode(answer["LogResult"])
    assert len(log) == 4096
    assert b"line 2999\n" in log
    assert b"REPORT RequestId" in log


def test_client_context_reaches_the_function(lambda_client: Any, echo: str) -> None:
    """Base64 JSON in the header, an object in the context; rubbish is refused."""
    context = base64.b64encode(b'{"custom": {"k":\n "v"}}').decode()
    payload, _ = invoke(lambda_client, echo, ClientContext=context)
    assert payload["client"] == {"k": "v"}
    for bad in ("!!!", base64.b64encode(b"[1").decode(), base64.b64encode(b"x" * 4000).decode()):
        with pytest.raises(ClientError) as refused:
            invoke(lambda_client, echo, ClientContext=bad)
        assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_dry_run_checks_and_does_not_run(lambda_client: Any, echo: str) -> None:
    """204 without a body; a missing function is still 404."""
    before = invoke(lambda_client, echo)[0]["calls"]
    answer = lambda_client.invoke(FunctionName=echo, InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert answer["Payload"].read() == b""
    assert invoke(lambda_client, echo)[0]["calls"] == before + 1
    with pytest.raises(ClientError) as missing:
        lambda_client.invoke(FunctionName="nobody", InvocationType="DryRun")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_name_forms_and_qualifiers(lambda_client: Any) -> None:
    """Name, partial ARN, full ARN, each with a qualifier; the ARN as invoked is in the context."""
    deploy(lambda_client, "forms", {"app.py": ECHO})
    assert lambda_client.publish_version(FunctionName="forms")["Version"] == "1"
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:forms"
    for name, more, version, invoked in (
        ("forms", {}, "$LATEST", arn),
        ("forms:1", {}, "1", f"{arn}:1"),
        ("forms", {"Qualifier": "1"}, "1", f"{arn}:1"),
        ("forms", {"Qualifier": "$LATEST"}, "$LATEST", f"{arn}:$LATEST"),
        (f"{ACCOUNT}:function:forms", {}, "$LATEST", arn),
        (arn, {}, "$LATEST", arn),
        (f"{arn}:1", {"Qualifier": "1"}, "1", f"{arn}:1"),
    ):
        payload, answer = invoke(lambda_client, name, None, **more)
        assert (payload["arn"], payload["version"]) == (invoked, version), name
        assert answer["ExecutedVersion"] == version


@pytest.mark.parametrize(
    ("name", "more", "status", "code", "message"),
    [
        ("nobody", {}, 404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:"),
        ("echo:7", {}, 404, "ResourceNotFoundException", "function:echo:7"),
        ("echo:7", {"Qualifier": "8"}, 400, "InvalidParameterValueException", "derived qualifier"),
        ("echo", {"InvocationType": "Later"}, 400, "ValidationException", "enum value set"),
        ("echo", {"LogType": "Head"}, 400, "ValidationException", "enum value set"),
        ("echo", {"Payload": b"{not json"}, 400, "InvalidRequestContentException", "parse"),
        ("echo", {"Payload": b'{"a": NaN}'}, 400, "InvalidRequestContentException", "parse"),
        ("echo", {"Payload": b"\xff\xfe1\x00"}, 400, "InvalidRequestContentException", "parse"),
        ("a b", {}, 400, "ValidationException", "regular expression pattern"),
        (
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:echo",
            {},
            404,
            "ResourceNotFoundException",
            "not reachable in this region",
        ),
        (
            "arn:aws:lambda:us-east-1:111111111111:function:echo",
            {},
            403,
            "AccessDeniedException",
            "not authorized",
        ),
    ],
)
def test_bad_requests_get_awss_answers(
    lambda_client: Any, echo: str, name: str, more: Any, status: int, code: str, message: str
) -> None:
    """Codes, statuses and the telling part of the message."""
    with pytest.raises(ClientError) as refused:
        lambda_client.invoke(FunctionName=name, **more)
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["Error"]["Code"] == code
    assert message in response["Error"]["Message"]


def test_an_event_over_6_mib_is_refused(lambda_client: Any, echo: str) -> None:
    """413 RequestTooLargeException, in AWS's words; just below it works."""
    with pytest.raises(ClientError) as refused:
        invoke(lambda_client, echo, "x" * 6_291_456)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"
    deploy(lambda_client, "length", {"app.py": "def handler(e, c): return len(e)"})
    assert invoke(lambda_client, "length", "x" * 6_200_000)[0] == 6_200_000


def test_accounts_and_regions_are_apart(platform: Platform, lambda_client: Any, echo: str) -> None:
    """A 12-digit key id is a separate account; a region sees only its own functions."""
    other = platform.client("lambda", aws_access_key_id="123456789012")
    abroad = platform.client("lambda", region_name="eu-west-1")
    for client in (other, abroad):
        with pytest.raises(ClientError) as missing:
            invoke(client, "echo")
        assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"
    deploy(other, "echo", {"app.py": "def handler(e, c): return c.invoked_function_arn"})
    assert invoke(other, "echo")[0] == "arn:aws:lambda:us-east-1:123456789012:function:echo"


def test_concurrent_calls_get_environments_of_their_own(lambda_client: Any) -> None:
    """Eight calls that wait for each other run in eight environments, one call at a time each."""
    code = """
import time, uuid
me, running = uuid.uuid4().hex, 0
def handler(event, context):
    global running
    running += 1
    time.sleep(1.5)
    seen, running = running, running - 1
    return [me, seen]
"""
    deploy(lambda_client, "parallel", {"app.py": code}, MemorySize=1769)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: invoke(lambda_client, "parallel")[0], range(8)))
    assert len({me for me, _ in answers}) == 8
    assert {seen for _, seen in answers} == {1}


def test_new_code_is_used_at_once(lambda_client: Any) -> None:
    """After an update has succeeded no call sees the old code; the published version does."""
    deploy(lambda_client, "change", {"app.py": "def handler(e, c): return 'old'"}, Publish=True)
    assert invoke(lambda_client, "change")[0] == "old"
    lambda_client.update_function_code(
        FunctionName="change", ZipFile=zip_of({"app.py": "def handler(e, c): return 'new'"})
    )
    lambda_client.get_waiter("function_updated_v2").wait(
        FunctionName="change", WaiterConfig={"Delay": 0.05}
    )
    assert invoke(lambda_client, "change")[0] == "new"
    assert invoke(lambda_client, "change", Qualifier="1")[0] == "old"
    lambda_client.delete_function(FunctionName="change")
    with pytest.raises(ClientError) as missing:
        invoke(lambda_client, "change")
    assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_sdk_inside_a_function_reaches_the_platform(lambda_client: Any, echo: str) -> None:
    """boto3 is importable, AWS_ENDPOINT_URL leads here, the account and region are the caller's."""
    code = """
import boto3, json
def handler(event, context):
    answer = boto3.client("lambda").invoke(FunctionName="echo", Payload=json.dumps(event))
    return [json.load(answer["Payload"])["event"],
            boto3.client("sts").get_caller_identity()["Account"]]
"""
    deploy(lambda_client, "sdk-caller", {"app.py": code}, MemorySize=1024)
    assert invoke(lambda_client, "sdk-caller", {"x": 1})[0] == [{"x": 1}, ACCOUNT]


def test_idle_environments_are_frozen(lambda_client: Any) -> None:
    """A background thread is stopped between calls and continues in the next."""
    code = """
import threading, time
ticks = 0
def tick():
    global ticks
    while True:
        time.sleep(0.01)
        ticks += 1
threading.Thread(target=tick, daemon=True).start()
def handler(event, context):
    before = ticks
    if event == "work":
        time.sleep(0.5)
    return [before, ticks]
"""
    deploy(lambda_client, "frozen", {"app.py": code}, MemorySize=1769)
    _, after = invoke(lambda_client, "frozen", "work")[0]
    time.sleep(2.0)  # noqa: TID251 - what must not advance is measured against real time
    before, _ = invoke(lambda_client, "frozen")[0]
    assert before - after < 100, "the thread went on while the environment was idle"
    first, last = invoke(lambda_client, "frozen", "work")[0]
    assert last > first


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_every_python_of_the_host(lambda_client: Any, version: str) -> None:
    """The runtime identifier selects the interpreter, with boto3; a missing one is named."""
    name = f"python{version.replace('.', '')}"
    code = "import sys, boto3\ndef handler(e, c): return list(sys.version_info[:2])"
    deploy(lambda_client, name, {"app.py": code}, Runtime=f"python{version}", MemorySize=1024)
    try:
        payload, answer = invoke(lambda_client, name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidRuntimeException"
        assert f"python{version}" in error.response["Error"]["Message"]
        assert "install" in error.response["Error"]["Message"]
        return
    assert "FunctionError" not in answer, payload
    assert payload == [int(part) for part in version.split(".")]


def test_a_runtime_that_is_not_installed_says_what_to_install(lambda_client: Any) -> None:
    """Accepted at creation, a clear error at the call."""
    deploy(lambda_client, "net", {"app.dll": b"MZ"}, Runtime="dotnet8", Handler="A::B::C")
    with pytest.raises(ClientError) as refused:
        invoke(lambda_client, "net")
    assert refused.value.response["Error"]["Code"] == "InvalidRuntimeException"
    assert "dotnet8" in refused.value.response["Error"]["Message"]


NODE = """
import {LambdaClient} from '@aws-sdk/client-lambda';
export const handler = async (event, context) => {
  console.log('two\\nlines');
  return {event, id: context.awsRequestId, client: typeof LambdaClient};
};
"""


def test_node_esm_and_commonjs(lambda_client: Any) -> None:
    """Async ESM with the SDK, callback CommonJS, and an error in AWS's shape."""
    node = {"Runtime": "nodejs20.x", "MemorySize": 1024}
    deploy(lambda_client, "esm", {"app.mjs": NODE}, **node)
    payload, answer = invoke(lambda_client, "esm", {"a": 1}, LogType="Tail")
    assert "FunctionError" not in answer, payload
    assert (payload["event"], payload["client"]) == ({"a": 1}, "function")
    assert payload["id"] == answer["ResponseMetadata"]["RequestId"]
    assert "\tINFO\ttwo\nlines" in base64.b64decode(answer["LogResult"]).decode()
    common = """
const {S3Client} = require('@aws-sdk/client-s3');
exports.handler = (event, context, callback) => {
  if (event === 'fail') return callback(new TypeError('no'));
  setTimeout(() => callback(null, typeof S3Client), 5);
};
"""
    deploy(lambda_client, "commonjs", {"app.js": common}, **node)
    assert invoke(lambda_client, "commonjs")[0] == "function"
    payload, answer = invoke(lambda_client, "commonjs", "fail")
    assert answer["FunctionError"] == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("TypeError", "no")
    assert payload["trace"][0] == "TypeError: no"


BOOTSTRAP = r"""#!/bin/bash
set -eu
request() {  # METHOD PATH BODY
  exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
  printf '%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\n' "$1" "$2" >&3
  printf 'Connection: close\r\nContent-Length: %d\r\n\r\n%s' "${#3}" "$3" >&3
  cat <&3; exec 3>&-
}
while :; do
  answer=$(request GET invocation/next "")
  id=$(printf '%s' "$answer" | tr -d '\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
  event=$(printf '%s' "$answer" | tr -d '\r' | sed '1,/^$/d')
  request POST "invocation/$id/response" "{\"handler\":\"$_HANDLER\",\"event\":$event}" >/dev/null
done
"""


def test_an_os_only_function(lambda_client: Any) -> None:
    """Any executable `bootstrap` that speaks the Runtime API; here a shell script."""
    deploy(
        lambda_client,
        "shell",
        {"bootstrap": BOOTSTRAP},
        Runtime="provided.al2023",
        Handler="what.ever",
    )
    for _ in range(2):
        payload, answer = invoke(lambda_client, "shell", {"n": 1})
        assert "FunctionError" not in answer, payload
        assert payload == {"handler": "what.ever", "event": {"n": 1}}


def test_an_os_only_function_without_bootstrap(lambda_client: Any) -> None:
    """The message names the paths that were tried, as in AWS."""
    deploy(lambda_client, "no-bootstrap", {"other": "x"}, Runtime="provided.al2023")
    payload, answer = invoke(lambda_client, "no-bootstrap")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.InvalidEntrypoint"
    assert "Couldn't find valid bootstrap(s): [/var/task/bootstrap" in payload["errorMessage"]


def test_the_log_is_in_cloudwatch(platform: Platform, lambda_client: Any, echo: str) -> None:
    """Group and stream have AWS's names, and contain START, END and REPORT of the call."""
    payload, answer = invoke(lambda_client, echo)
    logs = platform.client("logs")
    request_id = answer["ResponseMetadata"]["RequestId"]

    def found() -> list[str]:
        events = logs.filter_log_events(
            logGroupName=payload["group"], filterPattern=f'"{request_id}"'
        )["events"]
        return [event["message"] for event in events]

    messages = wait_for(lambda: len(found()) >= 3 and found(), "three log lines of the request")
    assert [message.split()[0] for message in messages] == ["START", "END", "REPORT"]
    streams = logs.describe_log_streams(logGroupName=payload["group"])["logStreams"]
    assert payload["stream"] in {stream["logStreamName"] for stream in streams}


def test_throttling_names_its_reason(start_platform: Any) -> None:
    """More calls at once than the account may run: 429 with AWS's reason."""
    own = start_platform(environment={"LAMBENT_INVOCATION__CONCURRENT_EXECUTIONS": "2"})
    client = own.client("lambda")
    code = "import time\ndef handler(e, c): time.sleep(1.5)"
    deploy(client, "slow", {"app.py": code}, MemorySize=1769)

    def call(_: int) -> str:
        try:
            invoke(client, "slow")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            assert error.response["Error"]["Code"] == "TooManyRequestsException"
            assert error.response["Reason"] == "ConcurrentInvocationLimitExceeded"
            return "throttled"
        return "answered"

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        outcomes = sorted(threads.map(call, range(4)))
    assert outcomes == ["answered", "answered", "throttled", "throttled"]
    assert call(0) == "answered"


VERSIONED = """
import os
def handler(event, context):
    version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
    return [version, context.function_version, context.invoked_function_arn, MARK]
"""


def test_aliases_route(lambda_client: Any) -> None:
    """To their version, or by chance to either of two; the answer says which it was."""
    name = "routed"
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    deploy(lambda_client, name, {"app.py": VERSIONED.replace("MARK", "1")})
    lambda_client.publish_version(FunctionName=name)
    lambda_client.update_function_code(
        FunctionName=name, ZipFile=zip_of({"app.py": VERSIONED.replace("MARK", "2")})
    )
    wait_active(lambda_client, name)
    lambda_client.publish_version(FunctionName=name)
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for which in ({"FunctionName": name, "Qualifier": "live"}, {"FunctionName": f"{arn}:live"}):
        payload, answer = invoke(lambda_client, which.pop("FunctionName"), **which)
        assert payload == ["1", "1", f"{arn}:live", 1]
        assert answer["ExecutedVersion"] == "1"
    lambda_client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert invoke(lambda_client, f"{name}:live")[0][3] == 2
    lambda_client.update_alias(
        FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}}
    )
    seen = set()
    for _ in range(60):
        payload, answer = invoke(lambda_client, f"{name}:live")
        assert payload[0] == payload[1] == answer["ExecutedVersion"] == str(payload[3])
        seen.add(payload[3])
    assert seen == {1, 2}
    for weight, version in ((0.0, "2"), (1.0, "1")):
        weights = {"AdditionalVersionWeights": {"1": weight}}
        lambda_client.update_alias(FunctionName=name, Name="live", RoutingConfig=weights)
        answers = [invoke(lambda_client, f"{name}:live")[1] for _ in range(10)]
        assert {answer["ExecutedVersion"] for answer in answers} == {version}
    lambda_client.delete_alias(FunctionName=name, Name="live")
    with pytest.raises(ClientError) as caught:
        lambda_client.invoke(FunctionName=name, Qualifier="live")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_results_as_event_streams(lambda_client: Any) -> None:
    """Chunks, then how it ended; a function's failure comes at the end."""
    source = """
def handler(event, context):
    if event == "fail":
        raise ValueError("no")
    return "x" * event
"""
    deploy(lambda_client, "streamed", {"app.py": source})

    def stream(event: Any, **more: Any) -> tuple[bytes, dict[str, str]]:
        answer = lambda_client.invoke_with_response_stream(
            FunctionName="streamed", Payload=json.dumps(event), **more
        )
        assert answer["ExecutedVersion"] == "$LATEST"
        chunks, complete = b"", None
        for message in answer["EventStream"]:
            chunks += message.get("PayloadChunk", {}).get("Payload", b"")
            complete = message.get("InvokeComplete", complete)
        assert complete is not None
        return chunks, complete

    assert stream(3) == (b'"xxx"', {})
    assert stream(1_000_000)[0] == b'"' + b"x" * 1_000_000 + b'"'
    chunks, complete = stream("fail", LogType="Tail")
    assert chunks == b""
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "no"
    assert b"ValueError" in base64.b64decode(complete["LogResult"])
    with pytest.raises(ClientError) as caught:
        lambda_client.invoke_with_response_stream(FunctionName="nobody")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
