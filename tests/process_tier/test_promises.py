"""What the tier `process` prevents, tried by functions; the documentation lists what it does
not."""

import base64
import os
import re
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.sandbox.launcher import landlock
from tests.platforms import Platform, deploy, invoke, log_lines, wait_for, zip_of
from tests.process_tier.conftest import IS_ROOT, launcher_of

needs_landlock = pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
TRY = """
import errno, os, signal, socket
def outcome(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""
WHO = """
import os, subprocess
sleeper = None
def handler(event, context):
    global sleeper
    if sleeper is None:
        sleeper = subprocess.Popen(["sleep", "1000"]).pid
    path = os.environ["TMPDIR"] + "/secret"
    with open(path, "w") as file:
        file.write("mine")
    with open("/tmp/lambent-test-shared-" + str(os.getpid()), "w") as file:
        file.write("mine")
    return {
        "pid": os.getpid(), "sleeper": sleeper, "secret": path, "uid": os.getuid(),
        "shared": file.name, "api": os.environ["AWS_LAMBDA_RUNTIME_API"],
        "code": os.environ["LAMBDA_TASK_ROOT"], "home": os.environ["HOME"],
    }
"""


@pytest.fixture
def victim(run_code: Callable[..., Any]) -> Any:
    """Another environment, which is running."""
    return run_code(WHO, function="victim")


def state_of(pid: int) -> str:
    """A process's state, as in `ps`."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_function_has_no_privileges(run_code: Callable[..., Any], separates_users: bool) -> None:
    """No capability, no_new_privs, the filter; limits of memory, files and size."""
    result = run_code(
        """
import resource
def handler(event, context):
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
    names = ("RLIMIT_DATA", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE")
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in names}
    return {**{name: value.strip() for name, value in status.items()}, **limits}
"""
    )
    assert (result["CapEff"], result["CapPrm"], result["CapAmb"]) == ("0" * 16,) * 3
    assert (result["NoNewPrivs"], result["Seccomp"]) == ("1", "2")
    assert result["RLIMIT_DATA"] == [512 << 20] * 2
    assert result["RLIMIT_FSIZE"] == [512 << 20] * 2
    assert result["RLIMIT_NOFILE"] == [1024] * 2
    assert result["RLIMIT_CORE"] == [1, 1]
    if separates_users:
        assert result["Groups"] == ""
        assert len(set(result["Uid"].split())) == 1
        assert int(result["Uid"].split()[0]) >= 45_000


def test_calls_that_are_not_allowed(run_code: Callable[..., Any]) -> None:
    """The filter is the same as in boxes."""
    result = run_code(
        TRY
        + """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    return "done" if libc.syscall(number, *arguments) >= 0 else errno.errorcode[ctypes.get_errno()]
def handler(event, context):
    return {
        "unshare": call({"x86_64": 272, "aarch64": 97}[os.uname().machine], 0x10000000),
        "ptrace": call({"x86_64": 101, "aarch64": 117}[os.uname().machine], 0, 0, 0, 0),
        "io_uring": call(425, 1, 0), "pidfd_getfd": call(438, 0, 0, 0),
        "vsock": outcome(socket.socket, 40, socket.SOCK_STREAM),
        "packet": outcome(socket.socket, socket.AF_PACKET, socket.SOCK_RAW),
    }
"""
    )
    refused = dict.fromkeys(("unshare", "ptrace", "io_uring", "pidfd_getfd"), "EPERM")
    assert result == {**refused, "vsock": "EAFNOSUPPORT", "packet": "EAFNOSUPPORT"}


@needs_landlock
def test_files_of_others(
    platform: Platform, run_code: Callable[..., Any], victim: Any, separates_users: bool
) -> None:
    """A function reads neither another environment's files and code, nor the platform's."""
    result = run_code(
        TRY
        + """
def handler(event, context):
    return {path: outcome(os.open, path, os.O_RDONLY) for path in event}
""",
        paths := [
            victim["secret"],
            victim["code"] + "/app.py",
            str(platform.data_dir / "state"),
            str(platform.data_dir / "state" / "lambent.db"),
            str(platform.data_dir / "lock"),
            str(platform.data_dir / "code"),
            str(platform.data_dir / "sandbox"),
            "/root",
            "/home",
            "/var/log",
            *([victim["shared"]] if separates_users else []),
        ],
    )
    assert result == {path: result[path] for path in paths}
    assert set(result.values()) <= {"EACCES", "ENOENT"}, result
    assert result[victim["secret"]] == "EACCES"


@needs_landlock
def test_nothing_is_written_elsewhere(run_code: Callable[..., Any]) -> None:
    """A function writes to its own directory and to `/tmp`."""
    result = run_code(
        TRY
        + """
import tempfile
def handler(event, context):
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    places = (os.environ["LAMBDA_TASK_ROOT"], "/var/tmp", "/dev/shm", "/run", "/etc")
    return [outcome(os.open, f"{place}/written", os.O_WRONLY | os.O_CREAT) for place in places]
"""
    )
    assert set(result) <= {"EACCES", "EROFS", "ENOENT"}, result


def test_processes_of_others(
    platform: Platform, run_code: Callable[..., Any], victim: Any, separates_users: bool
) -> None:
    """No signal reaches another environment or the platform, and no process reads their memory or
    variables, if environments have users or the kernel keeps signals within a domain."""
    if not separates_users and landlock.abi() < 6:
        pytest.skip("this kernel's Landlock knows no signals")
    launcher = launcher_of(platform)
    result = run_code(
        TRY
        + """
def handler(event, context):
    found = {}
    for pid in event:
        found[pid] = [
            outcome(os.kill, pid, signal.SIGCONT), outcome(os.kill, pid, signal.SIGKILL),
            outcome(os.open, f"/proc/{pid}/mem", os.O_RDONLY),
            outcome(os.open, f"/proc/{pid}/environ", os.O_RDONLY),
            outcome(os.readlink, f"/proc/{pid}/fd/1"),
        ]
    outcome(os.kill, -1, signal.SIGCONT)
    return found
""",
        pids := [victim["pid"], victim["sleeper"], platform.process.pid, launcher],
    )
    for pid in pids:
        assert set(result[str(pid)]) <= {"EPERM", "EACCES"}, result
        assert state_of(pid) != "Z"


def test_the_runtime_api_of_others(
    run_code: Callable[..., Any], victim: Any, separates_users: bool
) -> None:
    """An environment's API responds only to its own user; its address cannot be guessed."""
    assert re.fullmatch(r"127(\.\d+){3}:\d+", victim["api"])
    assert not victim["api"].startswith("127.0.0.1:")
    if not separates_users:
        return
    result = run_code(
        """
import http.client, os
def ask(address):
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", "/nothing")
        return connection.getresponse().status
    except OSError as error:
        return type(error).__name__
def handler(event, context):
    return [ask(event), ask(os.environ["AWS_LAMBDA_RUNTIME_API"])]
""",
        victim["api"],
    )
    assert result[0] in (403, "ConnectionResetError", "RemoteDisconnected"), result
    assert result[1] == 404, result


SEND = """
import json, os, socket, time
def handler(event, context):
    address = os.environ["AWS_XRAY_DAEMON_ADDRESS"]
    host, port = (event["address"] or address).split(":")
    now = time.time()
    segment = {"id": event["id"], "trace_id": event["trace"], "name": "mine",
               "start_time": now, "end_time": now}
    data = b'{"format": "json", "version": 1}' + bytes([10]) + json.dumps(segment).encode()
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.sendto(data, (host, int(port)))
    time.sleep(0.3)
    return address
"""


def test_traces_of_others(
    platform: Platform, run_code: Callable[..., Any], separates_users: bool
) -> None:
    """What a function sends as a trace arrives. An environment's port takes nothing from the users
    of other environments."""
    xray, digits = platform.client("xray"), uuid.uuid4().hex[:24]
    event = {"trace": f"1-{int(time.time()):08x}-{digits}", "id": "1" * 16, "address": ""}
    address = run_code(SEND, event, function="sender")
    assert re.fullmatch(r"127(\.\d+){3}:\d+", address)
    other = {**event, "id": "2" * 16, "address": address}
    run_code(SEND, other, function="other-sender")
    (trace,) = xray.batch_get_traces(TraceIds=[event["trace"]])["Traces"]
    expected = {"1" * 16} if separates_users else {"1" * 16, "2" * 16}
    assert {segment["Id"] for segment in trace["Segments"]} == expected


def test_everything_that_was_started_ends(
    lambda_client: Any, run_code: Callable[..., Any], separates_users: bool
) -> None:
    """Daemons that left their session and ignore signals end with the environment."""
    code = """
import subprocess
def handler(event, context):
    script = "trap '' TERM HUP INT; setsid sh -c 'echo $$; exec >/dev/null; sleep 1000; :' & wait"
    daemon = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    return int(daemon.stdout.readline())
"""
    pid = run_code(code, function="daemons")
    assert state_of(pid) not in "ZX"
    lambda_client.delete_function(FunctionName="daemons")
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the daemon's end")


def test_a_time_out_ends_all(lambda_client: Any) -> None:
    """After a timeout no process of the environment is left, and the next invocation starts
    again."""
    code = """
import os, subprocess, time
def handler(event, context):
    if event:
        daemon = subprocess.Popen(["setsid", "sleep", "1000"])
        with open(os.environ["TMPDIR"] + "/pid", "w") as file:
            file.write(str(daemon.pid))
        time.sleep(60)
    return int(open(os.environ["TMPDIR"] + "/pid").read())
"""
    deploy(lambda_client, "times-out", {"app.py": code}, Timeout=2)
    payload, _ = invoke(lambda_client, "times-out", 1)
    assert payload["errorType"] == "Sandbox.Timedout"
    pid, _ = invoke(lambda_client, "times-out", 0)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the daemon's end")


def test_too_much_memory(lambda_client: Any) -> None:
    """The limit applies to each process: beyond it, the function gets an error."""
    code = "def handler(event, context):\n    return len(bytearray(event))"
    deploy(lambda_client, "grows", {"app.py": code}, MemorySize=128)
    assert invoke(lambda_client, "grows", 10 << 20)[0] == 10 << 20
    payload, answer = invoke(lambda_client, "grows", 300 << 20)
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", "MemoryError")


def test_memory_is_reported(lambda_client: Any) -> None:
    """The maximum that the processes have used."""
    code = "kept = []\ndef handler(event, context):\n    kept.append(b'x' * event)"
    deploy(lambda_client, "uses", {"app.py": code})
    _, answer = invoke(lambda_client, "uses", 100 << 20, LogType="Tail")
    found = re.search(r"Max Memory Used: (\d+) MB", base64.b64decode(answer["LogResult"]).decode())
    assert found is not None
    assert 100 < int(found[1]) < 512


def test_a_program_that_names_the_paths_of_a_box_gets_an_error(
    platform: Platform, lambda_client: Any
) -> None:
    """A bootstrap with a fixed path fails, and its log says why."""
    bootstrap = "#!/bin/sh\ncat /var/task/words\nexit 1\n"
    files = {"bootstrap": bootstrap, "words": "x"}
    deploy(lambda_client, "fixed", files, Runtime="provided.al2023")
    assert invoke(lambda_client, "fixed")[1]["FunctionError"] == "Unhandled"
    lines = log_lines(platform, "fixed")
    assert any("With isolation 'process' there is no such directory" in line for line in lines)


def test_layers_and_variables_find_their_paths(lambda_client: Any) -> None:
    """Variables with the paths of a box refer to what is there."""
    layer = lambda_client.publish_layer_version(
        LayerName="words", Content={"ZipFile": zip_of({"words": "of the layer"})}
    )
    code = (
        "import os\ndef handler(event, context):\n"
        "    return [open(os.environ[name]).read() for name in ('WORDS', 'OWN')]"
    )
    variables = {"WORDS": "/opt/words", "OWN": "/var/task/own"}
    deploy(
        lambda_client,
        "paths",
        {"app.py": code, "own": "of the package"},
        Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": variables},
    )
    assert invoke(lambda_client, "paths")[0] == ["of the layer", "of the package"]


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
@pytest.mark.parametrize(("is_root", "who"), [(True, "platform"), (True, "both"), (False, "both")])
def test_a_kill_leaves_nothing(
    start_in_tier: Callable[..., Platform], is_root: bool, who: str
) -> None:
    """If only the platform is killed, the launcher ends everything; if both are killed, the next
    start does."""
    name = f"killed-{is_root}-{who}"
    first = start_in_tier(name, is_root=is_root)
    code = "import subprocess\ndef handler(event, context):\n" + (
        "    return subprocess.Popen(['setsid', 'sleep', '1000']).pid"
    )
    client = first.client("lambda")
    deploy(client, "starts", {"app.py": code})
    pid = invoke(client, "starts")[0]
    launcher = launcher_of(first)
    if who == "both":
        os.kill(launcher, signal.SIGKILL)
    first.kill()
    wait_for(lambda: not Path(f"/proc/{launcher}").exists(), "the launcher's end")
    if who == "both":
        second = start_in_tier(name, is_root=is_root)
        assert invoke(second.client("lambda"), "starts")[0] != pid
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of all")


def test_weak_isolation_can_be_accepted(start_in_tier: Callable[..., Platform]) -> None:
    """With the setting for it, and then it prints a clear warning of what is missing."""
    arguments = ["--auth", "strict", "--set", "sandbox.allow_weak=true"]
    platform = start_in_tier("accepted", *arguments)
    assert platform.output.count("ISOLATION IS WEAK") == 1
    assert "169.254.169.254" in platform.output
