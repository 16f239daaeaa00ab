"""The command line against a running platform, and `make run`."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import forking
from tests.lengths import IS_LONG
from tests.scenario.conftest import Platform, wait_for

ROOT = Path(__file__).parents[2]
CODE = """
def handler(event, context):
    print("got", event)
    if event == "fail":
        raise ValueError("as you wish")
    return {"version": 1, "event": event}
"""


def run(platform: Platform, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """`lambent ARGUMENTS` against the platform."""
    return forking.run(
        [sys.executable, "-m", "lambent", *arguments],
        timeout=60,
        given=given,
        env={"PATH": os.environ["PATH"], "LAMBENT_ENDPOINT": platform.endpoint},
    )


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory with a function and its description."""
    directory = tmp_path / "typed"
    directory.mkdir()
    (directory / "app.py").write_text(CODE)
    (directory / "function.toml").write_text('timeout = 7\n[environment]\nONE = "1"\n')
    return directory


def test_from_deploy_to_delete(platform: Platform, code: Path) -> None:
    """Deploy, call, change, call again, list, delete."""
    deployed = run(platform, "deploy", str(code), "--env", "TWO=2", "--json")
    assert deployed.returncode == 0, deployed.stderr
    configuration = json.loads(deployed.stdout)
    assert (configuration["State"], configuration["Timeout"]) == ("Active", 7)
    assert configuration["Environment"] == {"Variables": {"ONE": "1", "TWO": "2"}}

    called = run(platform, "invoke", "typed", "-d", '{"a": "ü"}')
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout) == {"version": 1, "event": {"a": "ü"}}

    (code / "app.py").write_text(CODE.replace('"version": 1', '"version": 2'))
    again = run(platform, "deploy", str(code), "--memory", "256")
    assert again.returncode == 0, again.stderr
    assert "typed" in again.stdout
    assert "256 MB" in again.stdout
    called = run(platform, "invoke", "typed", "-d", "-", given="[1]")
    assert json.loads(called.stdout) == {"version": 2, "event": [1]}

    listed = json.loads(run(platform, "functions", "--json").stdout)
    assert "typed" in [function["FunctionName"] for function in listed]
    assert run(platform, "delete", "typed").returncode == 0
    gone = run(platform, "invoke", "typed")
    assert gone.returncode == 1
    assert "ResourceNotFoundException" in gone.stderr


@pytest.mark.skipif(not IS_LONG, reason="long: make test-long runs it")
def test_a_package_that_no_request_can_have(platform: Platform, code: Path) -> None:
    """It goes through the bucket for deployments, which is empty afterwards; `.env` stays."""
    (code / "data.bin").write_bytes(os.urandom(60 << 20))
    (code / ".env").write_text("TOKEN=secret")
    (code / "app.py").write_text(
        "import os\ndef handler(event, context):\n    return sorted(os.listdir('/var/task'))\n"
    )
    deployed = run(platform, "deploy", str(code), "--name", "heavy")
    assert deployed.returncode == 0, deployed.stderr
    assert ".env" in deployed.stderr
    assert json.loads(run(platform, "invoke", "heavy").stdout) == ["app.py", "data.bin"]
    s3 = platform.client("s3")
    (bucket,) = [b["Name"] for b in s3.list_buckets()["Buckets"] if "lambent-deploy" in b["Name"]]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert run(platform, "delete", "heavy").returncode == 0


def test_a_function_whose_runtime_is_not_here(platform: Platform, code: Path) -> None:
    """It is refused before anything is uploaded, with what to install."""
    deployed = run(
        platform, "deploy", str(code), "--name", "early", "--runtime", "dotnet8", "--handler", "a.b"
    )
    assert deployed.returncode == 1
    assert run(platform, "invoke", "early").returncode == 1
    assert "dotnet8 does not run on the platform's machine yet" in deployed.stderr


def test_a_functions_error(platform: Platform, code: Path) -> None:
    """Its payload goes to stdout, the description to stderr, and the exit code is 1."""
    run(platform, "deploy", str(code), "--name", "failing")
    failed = run(platform, "invoke", "failing", "-d", '"fail"', "--tail")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["errorType"] == "ValueError"
    assert "failing failed (Unhandled): ValueError: as you wish" in failed.stderr
    assert "REPORT RequestId" in failed.stderr
    document = json.loads(run(platform, "invoke", "failing", "-d", '"fail"', "--json").stdout)
    assert document["StatusCode"] == 200
    assert document["FunctionError"] == "Unhandled"
    assert document["Payload"]["errorMessage"] == "as you wish"
    assert document["ExecutedVersion"] == "$LATEST"
    assert "got fail" in document["LogResult"]


def test_logs(platform: Platform, code: Path) -> None:
    """The printed lines, optionally filtered; as text and as JSON."""
    run(platform, "deploy", str(code), "--name", "chatty")
    assert run(platform, "logs", "chatty").returncode == 0
    run(platform, "invoke", "chatty", "-d", '"one"')
    run(platform, "invoke", "chatty", "-d", '"two"')
    text = wait_for(
        lambda: (done := run(platform, "logs", "chatty").stdout).count("REPORT") == 2 and done,
        "both calls' logs",
    )
    assert text.index("got one") < text.index("got two")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", text)
    events = json.loads(run(platform, "logs", "chatty", "--filter", '"got two"', "--json").stdout)
    assert [event["message"].strip() for event in events] == ["got two"]
    assert run(platform, "logs", "nobody").returncode == 1


def test_logs_of_all_functions_and_of_a_request(platform: Platform, code: Path) -> None:
    """With names; a request has what was printed while it ran, and nothing else."""
    for name in ("all-one", "all-two"):
        run(platform, "deploy", str(code), "--name", name)
    run(platform, "invoke", "all-one", "-d", '"before"')
    run(platform, "invoke", "all-one", "-d", '"wanted"')
    run(platform, "invoke", "all-two", "-d", '"other"')
    text = run(platform, "logs", "--all", "--filter", "got").stdout
    assert re.search(r"\d\d:\d\d:\d\d all-one +got wanted", text)
    assert re.search(r"\d\d:\d\d:\d\d all-two +got other", text)
    starts = json.loads(run(platform, "logs", "all-one", "--filter", "START", "--json").stdout)
    request_id = re.findall(r"RequestId: (\S+)", starts[-1]["message"])[0]
    found = json.loads(run(platform, "logs", "--request", request_id, "--json").stdout)
    shown = [event["message"].split()[0] for event in found]
    assert shown == ["START", "got", "END", "REPORT"]
    assert "got wanted" in found[1]["message"]
    assert {event["logGroupName"] for event in found} == {"/aws/lambda/all-one"}
    nothing = run(platform, "logs", "--request", "no-such-request")
    assert "nothing logged" in nothing.stderr


def test_queries_of_logs(platform: Platform, code: Path) -> None:
    """A table, or JSON; an error shows the place."""
    run(platform, "deploy", str(code), "--name", "queried")
    run(platform, "invoke", "queried", "-d", '"one"')
    query = "filter @message like /^got/ | parse 'got *' as word | display word, 1 + 1 as two"
    done = run(platform, "logs", "queried", "--query", query)
    assert done.stdout.splitlines()[0].split() == ["word", "two"]
    assert done.stdout.splitlines()[-1].split() == ["one", "2"]
    rows = json.loads(run(platform, "logs", "queried", "--query", query, "--json").stdout)
    assert rows == [{"word": "one", "two": "2"}]
    everywhere = run(platform, "logs", "--query", "stats count(*) as n by @log", "--json")
    assert any(row["@log"].endswith("/queried") for row in json.loads(everywhere.stdout))
    wrong = run(platform, "logs", "queried", "--query", "fields @message | filtr a = 1")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].index("^") == len("  fields @message | ")
    for arguments in (
        ("logs",),
        ("logs", "queried", "--all"),
        ("logs", "queried", "--query", "limit 1", "--follow"),
        ("logs", "queried", "--request", "x"),
    ):
        assert run(platform, *arguments).returncode == 2


def test_following_all_logs(platform: Platform, code: Path) -> None:
    """Lines of functions that log later appear, once each, also of new functions."""
    run(platform, "deploy", str(code), "--name", "follow-all-a")
    run(platform, "invoke", "follow-all-a", "-d", '"earlier"')
    with subprocess.Popen(
        [sys.executable, "-m", "lambent", "logs", "--all", "--follow", "--filter", "got"],
        env={"PATH": os.environ["PATH"], "LAMBENT_ENDPOINT": platform.endpoint},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        try:
            seen = []
            for line in following.stdout:
                seen.append(line)
                if "got earlier" in line:
                    break
            run(platform, "deploy", str(code), "--name", "follow-all-b")
            run(platform, "invoke", "follow-all-b", "-d", '"new function"')
            run(platform, "invoke", "follow-all-a", "-d", '"later"')
            wanted = {"got new function", "got later"}
            for line in following.stdout:
                seen.append(line)
                wanted = {text for text in wanted if text not in line}
                if not wanted:
                    break
            text = "".join(seen)
            assert [text.count(f"got {word}") for word in ("new function", "later")] == [1, 1]
            following.send_signal(signal.SIGINT)
            assert following.wait(10) == 130
        finally:
            following.kill()


def test_completion(platform: Platform, code: Path) -> None:
    """Names of functions come from the running platform."""
    run(platform, "deploy", str(code), "--name", "completed-one")
    done = forking.run(
        [sys.executable, "-m", "lambent"],
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "LAMBENT_ENDPOINT": platform.endpoint,
            "_LAMBENT_COMPLETE": "complete_bash",
            "COMP_WORDS": "lambent invoke completed-",
            "COMP_CWORD": "2",
        },
    )
    assert done.stdout.split() == ["completed-one"]


def test_following_a_log(platform: Platform, code: Path) -> None:
    """Later calls appear; Ctrl-C ends it without a traceback."""
    run(platform, "deploy", str(code), "--name", "followed-here")
    with subprocess.Popen(
        [sys.executable, "-m", "lambent", "logs", "followed-here", "--follow"],
        env={"PATH": os.environ["PATH"], "LAMBENT_ENDPOINT": platform.endpoint},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        try:
            run(platform, "invoke", "followed-here", "-d", '"live"')
            assert any("got live" in line for line in following.stdout)
            following.send_signal(signal.SIGINT)
            assert following.wait(10) == 130
            assert following.stderr is not None
            assert following.stderr.read().strip() == ""
        finally:
            following.kill()


def test_doctor(platform: Platform, code: Path) -> None:
    """It names the tier and the runtimes, as a table and as JSON, and tries a box, next to a
    running platform and on its disk, which it does not disturb."""
    run(platform, "deploy", str(code), "--name", "beside-doctor")
    where = ("doctor", "--data-dir", str(platform.data_dir))
    report = json.loads(run(platform, *where, "--json").stdout)
    checks = {f"{check['section']}/{check['name']}": check for check in report["checks"]}
    assert len(checks) == len(report["checks"])
    assert f"runtimes/python3.{sys.version_info.minor}" in checks
    assert all(check["fix"] for check in checks.values() if check["state"] != "ok")
    assert checks["isolation/isolation"]["found"] == f"tier {report['tier']}"
    assert checks["trial/try: kill"]["state"] == "ok"
    assert checks["trial/try: nothing left"]["state"] == "ok"
    table = run(platform, *where)
    assert "try: memory limit" in table.stdout
    assert table.stdout.rstrip().endswith(report["summary"])
    assert json.loads(run(platform, "invoke", "beside-doctor").stdout)["version"] == 1


@pytest.mark.timeout(300)
def test_make_run_ends_cleanly(tmp_path: Path) -> None:
    """On a terminal: an example is called, lines to copy are shown, Ctrl-C ends with code 0."""
    master, slave = pty.openpty()
    flags = f"--port 0 --data-dir {tmp_path / 'data'}"
    with subprocess.Popen(
        # A separate session, with the terminal as its controlling terminal, as for a shell.
        ["setsid", "--ctty", "--wait", "make", "run", f"FLAGS={flags}"],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as running:
        os.close(slave)
        try:
            seen = read_until(master, "Ctrl-C stops the platform", time.monotonic() + 240)
            os.write(master, b"\x03")
            assert running.wait(60) == 0, seen
        finally:
            running.kill()
            os.close(master)
    assert "lambent is ready at http://127.0.0.1:" in seen
    assert "deployed hello-python" in seen
    assert "Ada" in seen
    assert "Traceback" not in seen


def read_until(descriptor: int, text: str, deadline: float) -> str:
    """The terminal's output, up to a text."""
    seen = ""
    while text not in seen and time.monotonic() < deadline:
        try:
            seen += os.read(descriptor, 65536).decode(errors="replace")
        except OSError:
            break  # the other side is closed
    assert text in seen, seen
    return seen


def test_an_http_api_and_a_url_for_a_function(platform: Platform, code: Path) -> None:
    """Both are made once, are reached, and are listed."""
    options = ("deploy", str(code), "--name", "reached", "--url", "--http-api", "--json")
    deployed = run(platform, *options)
    assert deployed.returncode == 0, deployed.stderr
    first = json.loads(deployed.stdout)
    again = json.loads(run(platform, *options).stdout)
    members = ("ApiEndpoint", "FunctionUrl")
    assert [first[member] for member in members] == [again[member] for member in members]
    for member in members:
        request = urllib.request.Request(f"{platform.endpoint}/there")
        request.add_header("Host", urlsplit(first[member]).netloc)
        with urllib.request.urlopen(request, timeout=60) as response:
            assert json.load(response)["event"]["rawPath"] == "/there"
    v1 = platform.client("apigateway")
    rest = v1.create_rest_api(name="resting")["id"]
    (top,) = v1.get_resources(restApiId=rest)["items"]
    named = {"restApiId": rest, "resourceId": top["id"], "httpMethod": "GET"}
    v1.put_method(**named, authorizationType="AWS_IAM")
    v1.put_integration(**named, type="MOCK")
    v1.create_deployment(restApiId=rest, stageName="live")
    listed = run(platform, "apis", "--json")
    assert listed.returncode == 0, listed.stderr
    (api,) = [api for api in json.loads(listed.stdout) if api["name"] == "reached"]
    assert (api["type"], api["endpoints"]) == ("HTTP", [first["ApiEndpoint"]])
    assert api["routes"] == [{"route": "$default", "target": "reached", "authorizer": None}]
    (other,) = [api for api in json.loads(listed.stdout) if api["id"] == rest]
    assert other == {
        "id": rest,
        "name": "resting",
        "type": "REST",
        "endpoints": [f"{platform.endpoint}/_lambent/api/{rest}/live"],
        "routes": [{"route": "GET /", "target": None, "authorizer": "AWS_IAM"}],
    }
    v1.delete_rest_api(restApiId=rest)
    table = run(platform, "apis").stdout
    assert first["ApiEndpoint"] in table
    assert run(platform, "delete", "reached").returncode == 0
    platform.client("apigatewayv2").delete_api(ApiId=api["id"])


def test_a_saved_file_is_live(platform: Platform, code: Path) -> None:
    """`--watch` updates the code of a running function; Ctrl-C ends it."""
    command = [sys.executable, "-m", "lambent", "deploy", str(code), "--name", "watched", "--watch"]
    environment = {"PATH": os.environ["PATH"], "LAMBENT_ENDPOINT": platform.endpoint}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            assert any("watching watched; Ctrl-C ends it" in line for line in lines)
            (code / "app.py").write_text(CODE.replace('"version": 1', '"version": 2'))
            assert "watched is updated" in next(lines)
            called = run(platform, "invoke", "watched")
            assert json.loads(called.stdout)["version"] == 2
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
