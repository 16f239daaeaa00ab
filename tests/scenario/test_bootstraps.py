"""Programs and files of packages: what the kernel executes, what it does not, and the shell."""

import io
import json
import stat
import zipfile
from typing import Any

import pytest

from tests.platforms import log_lines, publish_layer

from .conftest import PYTHON, ROLE, Platform, deploy, invoke, wait_active, wait_for

# The header of an ELF file of a machine that is extinct.
VAX = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\x00\x4b\x00\x01\x00\x00\x00" + bytes(64)
NO_FILE = "fork/exec /var/task/bootstrap: no such file or directory"
NO_PROGRAM = "fork/exec /var/task/bootstrap: exec format error"
OS_ONLY = {"Runtime": "provided.al2023", "Handler": "h"}


@pytest.mark.parametrize(
    ("name", "bootstrap", "reason"),
    [
        ("crlf", b"#!/bin/sh\r\necho\r\n", NO_FILE),
        ("no-interpreter", b"#!/usr/bin/nobody-has-it\n", NO_FILE),
        ("no-shebang", b"echo hello\n", NO_PROGRAM),
        ("other-machine", VAX, NO_PROGRAM),
        ("empty", b"", NO_PROGRAM),
    ],
    ids=["crlf", "no-interpreter", "no-shebang", "other-machine", "empty"],
)
def test_a_bootstrap_that_is_not_executed(
    name: str, bootstrap: bytes, reason: str, lambda_client: Any
) -> None:
    """Is the function's failure, in AWS's words, however it is invoked."""
    deploy(lambda_client, f"boot-{name}", {"bootstrap": bootstrap}, **OS_ONLY)
    for _ in range(2):
        payload, answer = invoke(lambda_client, f"boot-{name}")
        assert answer["StatusCode"] == 200
        assert answer["FunctionError"] == "Unhandled"
        assert payload["errorType"] == "Runtime.InvalidEntrypoint"
        request_id = answer["ResponseMetadata"]["RequestId"]
        assert payload["errorMessage"] == f"RequestId: {request_id} Error: {reason}"
    stream = lambda_client.invoke_with_response_stream(FunctionName=f"boot-{name}")
    (end,) = [
        event["InvokeComplete"] for event in stream["EventStream"] if "InvokeComplete" in event
    ]
    assert end["ErrorCode"] == "Unhandled"
    details = json.loads(end["ErrorDetails"])
    assert details["errorType"] == "Runtime.InvalidEntrypoint"
    assert details["errorMessage"].endswith(f" Error: {reason}")


def test_a_layer_s_bootstrap_that_is_not_executed(lambda_client: Any) -> None:
    """It is named as the function's own would be."""
    layer = publish_layer(lambda_client, "boot-layer", {"bootstrap": VAX})
    deploy(lambda_client, "boot-of-layer", {"data": ""}, Layers=[layer], **OS_ONLY)
    payload, _ = invoke(lambda_client, "boot-of-layer")
    assert payload["errorType"] == "Runtime.InvalidEntrypoint"
    assert payload["errorMessage"].endswith("fork/exec /opt/bootstrap: exec format error")


def test_an_asynchronous_event_for_it(platform: Platform, lambda_client: Any) -> None:
    """It ends after its retries, as any failed event, and the destination gets a record."""
    function = deploy(lambda_client, "boot-told", {"app.py": "def handler(e, c): print(e)"})
    deploy(lambda_client, "boot-later", {"bootstrap": b"x"}, **OS_ONLY)
    lambda_client.put_function_event_invoke_config(
        FunctionName="boot-later",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": function["FunctionArn"]}},
    )
    lambda_client.invoke(FunctionName="boot-later", InvocationType="Event", Payload=b"{}")

    def records() -> list[str]:
        try:
            return [line for line in log_lines(platform, "boot-told") if "requestContext" in line]
        except platform.client("logs").exceptions.ResourceNotFoundException:
            return []

    (record,) = wait_for(records, "the destination is told")
    assert "'condition': 'RetriesExhausted'" in record
    assert "Runtime.InvalidEntrypoint" in record


TUTORIAL = r"""#!/bin/sh
set -euo pipefail
request() {
  exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
  printf '%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\n' "$1" "$2" >&3
  printf 'Connection: close\r\nContent-Length: %d\r\n\r\n%s' "${#3}" "$3" >&3
  cat <&3; exec 3>&-
}
while true
do
  answer=$(request GET invocation/next "")
  id=$(printf '%s' "$answer" | tr -d '\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
  request POST "invocation/$id/response" "\"$(sh -c 'echo $BASH_VERSION')\"" >/dev/null
done
"""


def test_sh_is_bash(lambda_client: Any) -> None:
    """As in AWS: a `bootstrap` written as in AWS's tutorial runs, whatever the host's sh is."""
    deploy(lambda_client, "boot-tutorial", {"bootstrap": TUTORIAL}, **OS_ONLY)
    payload, answer = invoke(lambda_client, "boot-tutorial")
    assert "FunctionError" not in answer, payload
    assert payload[:1].isdigit()
    source = "import subprocess\ndef handler(e, c):\n    return subprocess.run("
    source += "'set -o pipefail; echo ${BASH_VERSION:-no}', shell=True, capture_output=True,"
    source += " text=True, check=True).stdout"
    deploy(lambda_client, "boot-python", {"app.py": source})
    payload, _ = invoke(lambda_client, "boot-python")
    assert payload[:1].isdigit(), json.dumps(payload)


def test_files_that_the_function_may_not_read(lambda_client: Any) -> None:
    """The modes of a package apply: a file that only its owner may read causes an error."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, mode in (("app.py", 0o644), ("group.txt", 0o640), ("none.txt", 0o000)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, READER if name == "app.py" else "secret")
        archive.writestr("unsaid.txt", "read")
    lambda_client.create_function(
        FunctionName="modes",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    wait_active(lambda_client, "modes")
    payload, _ = invoke(lambda_client, "modes", ["group.txt", "none.txt", "unsaid.txt"])
    assert payload == ["PermissionError", "PermissionError", "read"]


READER = """
def handler(event, context):
    return [read(name) for name in event]
def read(name):
    try:
        return open(name).read()
    except OSError as error:
        return type(error).__name__
"""
