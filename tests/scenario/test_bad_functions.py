"""Functions that misbehave: each gets AWS's response, and the next invocation works.

One case of each kind. tests/unit/node/test_playbook_*.py has all ways to end, in every phase.
"""

import base64
import json
import re
from typing import Any

import pytest

from lambent.kit import machine
from tests.scenario.conftest import Platform, deploy, invoke

CODE = """
import json, os, signal, subprocess, sys, threading, time

def handler(event, context):
    return globals()[event["do"]](event) if isinstance(event, dict) else "fine"

def hang(event):
    subprocess.Popen(["sleep", "1000"])
    time.sleep(1000)

def leave(event):
    sys.exit(event["code"])

def kill(event):
    os.kill(os.getpid(), signal.SIGKILL)

def fail(event):
    raise ValueError("on purpose")

def not_json(event):
    return {1, 2}

def large(event):
    return "x" * (10 * 1024 * 1024)

def eat(event):
    held = []
    while True:
        held.append(bytearray(16 * 1024 * 1024))

def fill(event):
    try:
        with open("/tmp/file", "wb") as file:
            while True:
                file.write(bytes(1024 * 1024))
    except OSError as error:
        size = os.path.getsize("/tmp/file")
        os.unlink("/tmp/file")
        return [error.errno, size]

def keep(event):
    open("/tmp/kept", "a").write("x")
    return len(open("/tmp/kept").read())

def flood(event):
    line = "y" * 1023 + "\\n"
    for _ in range(event["mb"] * 1024):
        sys.stdout.write(line)
    return "printed"

def no_newline(event):
    sys.stdout.write("no newline")
    return "written"

def orphans(event):
    for _ in range(5):
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
    return "left them"

def count(event):
    return len([name for name in os.listdir("/proc") if name.isdigit()])

def forks(event):
    made = 0
    try:
        for _ in range(5000):
            if os.fork() == 0:
                time.sleep(1000)
            made += 1
    except OSError as error:
        return [made, error.errno]

def files(event):
    held = []
    try:
        while True:
            held.append(open("/dev/null"))
    except OSError as error:
        return [len(held), error.errno]
"""


@pytest.fixture(scope="module", params=["forked", "executed"])
def lambda_client(platform: Platform, request: pytest.FixtureRequest) -> Any:
    """A client of an account whose functions start in one of the two ways: AWS's own runtime
    client, executed, is the reference for ours."""
    if request.param == "forked":
        return platform.client("lambda")
    client = platform.client("lambda", aws_access_key_id="000000000777")
    client.deploy_defaults = {"Environment": {"Variables": {"LAMBENT_START_MODE": "exec"}}}
    return client


@pytest.fixture(scope="module")
def bad(lambda_client: Any) -> str:
    """A function that does what the event says."""
    deploy(lambda_client, "bad", {"app.py": CODE}, Timeout=20, MemorySize=256)
    return "bad"


def is_fine(lambda_client: Any, name: str) -> bool:
    """Whether the function still works afterwards."""
    payload, answer = invoke(lambda_client, name)
    return payload == "fine" and "FunctionError" not in answer


def test_a_handler_that_raises(lambda_client: Any, bad: str) -> None:
    """Type, message, request id and a stack trace that begins at the user's code."""
    payload, answer = invoke(lambda_client, bad, {"do": "fail"})
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "on purpose")
    assert payload["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert payload["stackTrace"][0].startswith('  File "/var/task/app.py", line 5, in handler\n')
    assert is_fine(lambda_client, bad)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"do": "leave", "code": 7}, "Runtime exited with error: exit status 7"),
        ({"do": "kill"}, "Runtime exited with error: signal: killed"),
    ],
)
def test_a_handler_that_exits(lambda_client: Any, bad: str, event: Any, reason: str) -> None:
    """Runtime.ExitError with how it ended; the environment starts over."""
    payload, answer = invoke(lambda_client, bad, event, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {reason}",
    }
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "\tStatus: error\tError Type: Runtime.ExitError" in log
    assert is_fine(lambda_client, bad)


def test_a_handler_that_hangs(lambda_client: Any) -> None:
    """Killed at its timeout with everything it had started; /tmp is kept."""
    deploy(lambda_client, "hang", {"app.py": CODE}, Timeout=1, MemorySize=512)
    assert invoke(lambda_client, "hang", {"do": "keep"})[0] == 1
    payload, answer = invoke(lambda_client, "hang", {"do": "hang"}, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    log = base64.b64decode(answer["LogResult"]).decode()
    assert re.search(r"Duration: 1000\.00 ms\tBilled Duration: 1000 ms\t.*\tStatus: timeout", log)
    assert invoke(lambda_client, "hang", {"do": "keep"})[0] == 2
    assert invoke(lambda_client, "hang", {"do": "count"})[0] <= 2


def test_a_handler_that_eats_all_memory(lambda_client: Any, bad: str) -> None:
    """Reads like a kill to the caller; the log says why and that all memory was used."""
    payload, answer = invoke(lambda_client, bad, {"do": "eat"}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Runtime exited with error: signal: killed")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "Max Memory Used: 256 MB" in log
    assert "Error Type: Runtime.OutOfMemory" in log
    assert is_fine(lambda_client, bad)


def test_what_is_not_json(lambda_client: Any, bad: str) -> None:
    """Runtime.MarshalError, in the words of AWS's runtime client."""
    payload, answer = invoke(lambda_client, bad, {"do": "not_json"})
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.MarshalError"
    assert "set is not JSON serializable" in payload["errorMessage"]
    assert is_fine(lambda_client, bad)


def test_an_answer_of_10_mb(lambda_client: Any, bad: str) -> None:
    """Function.ResponseSizeTooLarge, in AWS's words."""
    payload, answer = invoke(lambda_client, bad, {"do": "large"})
    assert answer["FunctionError"] == "Unhandled"
    assert payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }
    assert is_fine(lambda_client, bad)


def test_a_full_tmp(lambda_client: Any, bad: str) -> None:
    """ENOSPC at about the configured 512 MB, which is more than the function's memory."""
    error, size = invoke(lambda_client, bad, {"do": "fill"})[0]
    assert error == 28
    assert 400 * 1024 * 1024 < size <= 512 * 1024 * 1024
    assert is_fine(lambda_client, bad)


def test_100_mb_of_output(lambda_client: Any, bad: str) -> None:
    """Slowed, not lost to memory: the call ends and its log has START and REPORT."""
    deploy(lambda_client, "flood", {"app.py": CODE}, Timeout=60, MemorySize=1769)
    payload, answer = invoke(lambda_client, "flood", {"do": "flood", "mb": 100}, LogType="Tail")
    assert payload == "printed"
    assert b"REPORT RequestId" in base64.b64decode(answer["LogResult"])
    assert is_fine(lambda_client, "flood")


def test_output_without_newline(lambda_client: Any, bad: str) -> None:
    """Still belongs to the invocation that wrote it."""
    payload, answer = invoke(lambda_client, bad, {"do": "no_newline"}, LogType="Tail")
    assert payload == "written"
    assert "\nno newline\n" in base64.b64decode(answer["LogResult"]).decode()


def test_children_left_behind(lambda_client: Any, bad: str) -> None:
    """They stay in their box and do not hinder the next call."""
    assert invoke(lambda_client, bad, {"do": "orphans"})[0] == "left them"
    assert is_fine(lambda_client, bad)


def test_processes_and_descriptors_are_bounded(lambda_client: Any) -> None:
    """About 1,024 of each; the host does not suffer."""
    deploy(lambda_client, "bounds", {"app.py": CODE}, MemorySize=3008, Timeout=60)
    made, error = invoke(lambda_client, "bounds", {"do": "forks"})[0]
    assert error == 11
    assert 900 <= made < 1024
    held, error = invoke(lambda_client, "bounds", {"do": "files"})[0]
    assert error == 24
    assert 900 <= held < 1024


@pytest.mark.parametrize(
    ("handler", "code", "error_type", "message"),
    [
        ("missing.handler", "", "Runtime.ImportModuleError", "Unable to import module 'missing'"),
        ("app.missing", "", "Runtime.HandlerNotFound", "Handler 'missing' missing on module 'app'"),
        ("nodots", "", "Runtime.MalformedHandlerName", "Bad handler 'nodots'"),
        ("app.handler", "def (", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("app.handler", "1/0", "ZeroDivisionError", "division by zero"),
        ("app.handler", "import nothing_like_it", "Runtime.ImportModuleError", "nothing_like_it"),
    ],
)
def test_code_that_cannot_be_loaded(
    lambda_client: Any, handler: str, code: str, error_type: str, message: str
) -> None:
    """The init error is the answer, every time."""
    name = re.sub(r"\W", "-", f"load-{handler}-{code}")[:60].rstrip("-")
    deploy(lambda_client, name, {"app.py": code}, Handler=handler)
    for _ in range(2):
        payload, answer = invoke(lambda_client, name)
        assert answer["FunctionError"] == "Unhandled"
        assert payload["errorType"] == error_type
        assert message in payload["errorMessage"]


def test_code_that_exits_while_loading(lambda_client: Any) -> None:
    """An exit in init is Runtime.ExitError of the invocation."""
    deploy(lambda_client, "exits-early", {"app.py": "import os; os._exit(3)"})
    payload, answer = invoke(lambda_client, "exits-early")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Runtime exited with error: exit status 3")


def test_code_that_never_finishes_loading(start_platform: Any) -> None:
    """Init is cut, tried once more inside the invocation, and ends with its timeout."""
    own = start_platform(environment={"LAMBENT_WORKER__INIT_LIMIT_S": "1"})
    client = own.client("lambda")
    deploy(client, "loads", {"app.py": "import time; time.sleep(1000)"}, Timeout=1)
    payload, _ = invoke(client, "loads")
    assert payload["errorType"] == "Sandbox.Timedout"
    assert payload["errorMessage"].endswith("Task timed out after 1.00 seconds")
    logs = own.client("logs").filter_log_events(
        logGroupName="/aws/lambda/loads", filterPattern="INIT_REPORT"
    )["events"]
    assert [event["message"].partition("ms\t")[2] for event in logs] == [
        "Phase: init\tStatus: timeout\n",
        "Phase: invoke\tStatus: timeout\n",
    ]


def test_a_function_for_another_machine(platform: Platform) -> None:
    """A script runs, whatever the function's architecture is; a program for another machine fails
    as in AWS. The default architecture is this machine's."""
    here = machine.architecture()
    other, number = ("arm64", 183) if here == "x86_64" else ("x86_64", 62)
    client = platform.client("lambda")
    deploy(client, "elsewhere", {"app.py": CODE}, Architectures=[other])
    assert json.load(client.invoke(FunctionName="elsewhere", Payload=b"1")["Payload"]) == "fine"
    program = b"\x7fELF\x02\x01" + bytes(12) + number.to_bytes(2, "little")
    deploy(client, "program", {"bootstrap": program}, Runtime="provided.al2023")
    failed = json.load(client.invoke(FunctionName="program", Payload=b"1")["Payload"])
    assert failed["errorType"] == "Runtime.InvalidEntrypoint"
    assert "exec format error" in failed["errorMessage"]
    created = deploy(client, "here", {"app.py": CODE})
    assert created["Architectures"] == [here]
