"""Extensions written like AWS's public samples, in Python and in shell, in real boxes.

One case of each kind. tests/unit/node/test_playbook_extensions.py has the failures of each phase.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import (
    Platform,
    deploy,
    invoke,
    log_lines,
    publish_layer,
    wait_for,
)

from .test_cloudwatch import statistics

SOURCES = Path(__file__).parent / "extensions"
FOLLOWER = (SOURCES / "follower.py").read_text()
SHELL = (SOURCES / "follower.sh").read_text()
HANDLER = """
import os, time
def handler(event, context):
    if event == "exit":
        os._exit(3)
    if isinstance(event, (int, float)):
        time.sleep(event)
    seen = os.environ.get("TMPDIR", "/tmp") + "/seen"
    open(seen, "a").write("x")
    return len(open(seen).read())
"""


@pytest.fixture
def deploy_with(lambda_client: Any) -> Callable[..., None]:
    """Deploys a function with extensions from a separate layer."""

    def deploy_(name: str, extensions: dict[str, str], **more: Any) -> None:
        files = {f"extensions/{name}": source for name, source in extensions.items()}
        layer = publish_layer(lambda_client, name, files)
        variables = more.pop("variables", {})
        options = {"Environment": {"Variables": {"TEST_MODE": "1", **variables}}, **more}
        deploy(lambda_client, name, {"app.py": HANDLER}, Layers=[layer], **options)

    return deploy_


def end(platform: Platform, name: str) -> None:
    """Have the function's environments end."""
    platform.client("lambda").update_function_configuration(FunctionName=name, Description="end")


def test_an_extension_gets_every_event(
    platform: Platform, lambda_client: Any, deploy_with: Callable[..., None]
) -> None:
    """It registers before the runtime starts, and receives invocations and the shutdown."""
    deploy_with("follows", {"follower": FOLLOWER})
    assert invoke(lambda_client, "follows")[0] == 1
    assert invoke(lambda_client, "follows")[0] == 2
    end(platform, "follows")
    wait_for(lambda: "follower bye" in log_lines(platform, "follows"), "the extension's end")
    lines = log_lines(platform, "follows")
    heard = [line.split(" ", 2) for line in lines if line.startswith("follower ")]
    assert [word for _, word, *_ in heard] == [
        "registered",
        "has",
        "INVOKE",
        "INVOKE",
        "SHUTDOWN",
        "bye",
    ]
    assert json.loads(heard[0][2]) == {
        "functionName": "follows",
        "functionVersion": "$LATEST",
        "handler": "app.handler",
        "accountId": "000000000000",
    }
    assert heard[1][2] == "handler False has mode True"
    invoked, over = json.loads(heard[2][2]), json.loads(heard[4][2])
    start = next(line for line in lines if line.startswith("START"))
    assert invoked["requestId"] in start
    assert invoked["invokedFunctionArn"].endswith(":function:follows")
    assert invoked["tracing"]["value"].startswith("Root=1-")
    assert over == {
        "eventType": "SHUTDOWN",
        "shutdownReason": "spindown",
        "deadlineMs": over["deadlineMs"],
    }
    assert "EXTENSION\tName: follower\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in lines


def test_a_shell_is_enough(
    platform: Platform, lambda_client: Any, deploy_with: Callable[..., None]
) -> None:
    """Two extensions, one of them written with bash and curl."""
    deploy_with("only-shell", {"shell.sh": SHELL, "follower": FOLLOWER})
    assert invoke(lambda_client, "only-shell")[0] == 1
    end(platform, "only-shell")
    wait_for(
        lambda: any(
            'shell.sh heard {"eventType":"SHUTDOWN"' in x for x in log_lines(platform, "only-shell")
        ),
        "SHUTDOWN",
    )
    lines = log_lines(platform, "only-shell")
    assert any('shell.sh heard {"eventType":"INVOKE"' in line for line in lines)


def test_an_invocation_lasts_until_the_extensions_wait(
    platform: Platform, lambda_client: Any, deploy_with: Callable[..., None]
) -> None:
    """The caller gets the response when the function has returned; the report comes later, and a
    metric has the time between."""
    deploy_with("lasts", {"follower": FOLLOWER}, variables={"EXTENSION_BEHAVIOUR": "INVOKE:sleep1"})
    assert invoke(lambda_client, "lasts")[0] == 1
    assert not any(line.startswith("REPORT") for line in log_lines(platform, "lasts"))
    report = wait_for(
        lambda: [line for line in log_lines(platform, "lasts") if line.startswith("REPORT")],
        "a report",
    )[0]
    duration_ms = float(report.split("Duration: ")[1].split(" ")[0])
    assert duration_ms >= 1000
    time_of = partial(statistics, platform.client("cloudwatch"), FunctionName="lasts")
    after = time_of("PostRuntimeExtensionsDuration", "Maximum", "SampleCount")
    assert 990 <= after["Maximum"] < duration_ms
    assert after["SampleCount"] == 1


def test_why_it_ends(
    platform: Platform, lambda_client: Any, deploy_with: Callable[..., None]
) -> None:
    """After a failure extensions learn its kind, then all starts again with /tmp as it was. A call
    that comes before the extensions are gone gets another environment, whose /tmp is empty."""

    def call_after_failure(name: str) -> Any:
        deploy_with(name, {"follower": FOLLOWER}, Timeout=2)
        assert invoke(lambda_client, name)[0] == 1
        payload, answer = invoke(lambda_client, name, "exit")
        assert answer["FunctionError"] == "Unhandled"
        assert payload["errorType"] == "Runtime.ExitError"
        wait_for(lambda: "follower bye" in log_lines(platform, name), "the extension's end")
        lines = log_lines(platform, name)
        assert any('"shutdownReason": "failure"' in line for line in lines)
        seen = invoke(lambda_client, name)[0]
        assert sum("registered" in line for line in log_lines(platform, name)) >= 2
        return seen

    seen = [call_after_failure("ends-failure")]
    while seen[-1] == 1 and len(seen) < 10:
        seen.append(call_after_failure(f"ends-failure-{len(seen)}"))
    assert seen[-1] == 2


def test_internal_extensions(platform: Platform, lambda_client: Any) -> None:
    """Code of the function registers too, receives invocations, and may register only during
    init."""
    source = """
import json, os, threading, urllib.error, urllib.request
API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension"
def call(path, body=None, headers={}):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(API + path, data, headers)) as answer:
            return answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.headers, json.load(error)
def register(name, events):
    return call("/register", {"events": events}, {"Lambda-Extension-Name": name})
refused = register("inner", ["SHUTDOWN"])[1]
headers, _ = register("inner", ["INVOKE"])
again = register("inner", ["INVOKE"])[1]
heard = []
def follow():
    while True:
        mine = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
        heard.append(call("/event/next", headers=mine)[1]["requestId"])
threading.Thread(target=follow, daemon=True).start()
def handler(event, context):
    late = register("late", ["INVOKE"])[1]
    return {"refused": refused, "again": again, "late": late, "heard": heard,
            "id": context.aws_request_id}
"""
    deploy(lambda_client, "internal", {"app.py": source})
    first, _ = invoke(lambda_client, "internal")
    assert first["refused"] == {
        "errorType": "Extension.InvalidEventType",
        "errorMessage": "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
    }
    assert first["again"]["errorType"] == "Extension.InvalidExtensionState"
    assert first["late"]["errorType"] == "Extension.RegistrationClosed"
    second, _ = invoke(lambda_client, "internal")
    assert first["id"] in second["heard"]


def test_wrapper_script_from_a_layer(lambda_client: Any) -> None:
    """`AWS_LAMBDA_EXEC_WRAPPER` gets the runtime's command; a missing one is an exit with 127."""
    wrapper = '#!/bin/bash\nexport WRAPPED="$#"\nexec "$@"\n'
    layer = publish_layer(lambda_client, "wrapper", {"wrap.sh": wrapper})
    code = {"app.py": "import os\ndef handler(e, c): return os.environ['WRAPPED']"}
    deploy(
        lambda_client,
        "wrapped",
        code,
        Layers=[layer],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap.sh"}},
    )
    assert int(invoke(lambda_client, "wrapped")[0]) >= 2
    deploy(
        lambda_client,
        "unwrapped",
        code,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/none.sh"}},
    )
    payload, _ = invoke(lambda_client, "unwrapped")
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("exit status 127")


@pytest.mark.parametrize(
    ("behaviour", "error_type", "message"),
    [
        ("start:exit1", "Extension.Crash", "exit status 1"),
        ("INVOKE:exit/error", "Extension.ExitError", "Extension.MyReason"),
    ],
)
def test_extensions_that_fail(
    lambda_client: Any,
    deploy_with: Callable[..., None],
    behaviour: str,
    error_type: str,
    message: str,
) -> None:
    """The function's caller gets the extension's error; the neighbours do not notice."""
    name = "fails-" + behaviour.replace(":", "-").replace("/", "-")
    deploy_with(name, {"follower": FOLLOWER}, variables={"EXTENSION_BEHAVIOUR": behaviour})
    payload, answer = invoke(lambda_client, name, 1)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == error_type
    assert payload["errorMessage"].endswith(f"Error: {message}")


def test_an_extension_that_ignores_the_end(
    platform: Platform, lambda_client: Any, deploy_with: Callable[..., None]
) -> None:
    """It is killed after its two seconds, and the function continues to work."""
    deploy_with(
        "ignores", {"follower": FOLLOWER}, variables={"EXTENSION_BEHAVIOUR": "SHUTDOWN:hang"}
    )
    assert invoke(lambda_client, "ignores")[0] == 1
    invoke(lambda_client, "ignores", "exit")
    assert invoke(lambda_client, "ignores")[0] in (1, 2)


def test_programs_that_cannot_be_started(
    lambda_client: Any, deploy_with: Callable[..., None]
) -> None:
    """A file that is not a program is a launch error; the switch disables all."""
    deploy_with("unstartable", {"notes.txt": "no program"})
    payload, _ = invoke(lambda_client, "unstartable")
    assert payload["errorType"] == "Extension.LaunchError"
    layer = publish_layer(
        lambda_client,
        "switched-off",
        {"extensions/bad": "no program", "disable-extensions-jwigqn8j": ""},
    )
    deploy(lambda_client, "switched-off", {"app.py": HANDLER}, Layers=[layer])
    assert invoke(lambda_client, "switched-off")[0] == 1
