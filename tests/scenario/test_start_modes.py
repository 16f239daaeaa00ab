"""A function can only tell by its speed how it was started: forked from a zygote into a prewarmed
box, or executed."""

import concurrent.futures
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.conftest import Platform, deploy, invoke, log_of, wait_for

MODES = ["forked", "exec"]
LOOK = """
import gzip, io, os, signal, sys, tempfile, time
def handler(event, context):
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status"))
    packed = io.BytesIO()
    with gzip.GzipFile("named", "wb", fileobj=packed) as file:
        file.write(b"x" * 1000)
    return {
        "argv": sys.argv,
        "path": sys.path,
        "cwd": os.getcwd(),
        "pid is 1": os.getpid() == 1,
        "variables": sorted(os.environ),
        "of a shell": [os.environ["PWD"], os.environ["SHLVL"]],
        "zone": time.tzname,
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)],
        "ignored": status["SigIgn"],
        "caps": {status[key] for key in status if key.startswith("Cap")} == {"0" * 16 + "\\n"},
        "filter": status["Seccomp"],
        "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4],
        "packed": gzip.decompress(packed.getvalue()) == b"x" * 1000,
        "single bytes": sum(bytes([x]) != chr(x).encode("latin-1") for x in range(256)),
        "streams": [sys.stdout.encoding, sys.stderr.errors, sys.stdout.isatty()],
        "flags": [sys.flags.no_site, sys.dont_write_bytecode, sys.flags.hash_randomization],
        "temporary": tempfile.gettempdir(),
        "builtins": [exit.name, license.__class__.__name__],
        "threads": status["Threads"],
        "umask": os.umask(0o022),
    }
"""


def variables(mode: str, **more: str) -> dict[str, Any]:
    """Variables that select one of the two start modes for a function."""
    chosen = {"LAMBENT_START_MODE": "exec"} if mode == "exec" else {}
    return {"Environment": {"Variables": {**chosen, **more}}}


def test_both_ways_look_the_same(lambda_client: Any) -> None:
    """To the function: variables, paths, signals, streams, privileges."""
    found = {}
    for mode in MODES:
        deploy(lambda_client, f"look-{mode}", {"app.py": LOOK}, **variables(mode, TZ="Asia/Tokyo"))
        found[mode], _ = invoke(lambda_client, f"look-{mode}")
    found["exec"]["variables"].remove("LAMBENT_START_MODE")
    for key in found["exec"]:
        assert found["forked"][key] == found["exec"][key], key
    assert found["forked"]["zone"] == ["JST", "JST"]
    assert found["forked"]["of a shell"] == ["/var/task", "0"]
    assert "AWS_LAMBDA_LOG_FORMAT" not in found["forked"]["variables"]
    assert found["forked"]["packed"]
    assert found["forked"]["single bytes"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_own_modules_come_before_ours(lambda_client: Any, mode: str) -> None:
    """Whatever was loaded before, a function gets the modules of its own package."""
    code = """
import base64, bootstrap, channel, simplejson, six, zygote
def handler(event, context):
    return [module.__file__ for module in (base64, bootstrap, channel, simplejson, six, zygote)]
"""
    names = ["base64", "bootstrap", "channel", "simplejson", "six", "zygote"]
    files = {
        f"{name}.py": "mine = True\n" for name in names if name != "simplejson" or mode != "exec"
    }
    if mode == "exec":
        # AWS's client then uses the function's module, which must be a real one.
        code = code.replace("simplejson, ", "")
        names.remove("simplejson")
    deploy(lambda_client, f"own-{mode}", {"app.py": code, **files}, **variables(mode))
    found, answer = invoke(lambda_client, f"own-{mode}")
    assert "FunctionError" not in answer, found
    assert found == [f"/var/task/{name}.py" for name in names]


@pytest.mark.parametrize("mode", MODES)
def test_python_path_is_searched(lambda_client: Any, mode: str) -> None:
    """Before the standard library, behind the function and the runtime."""
    code = "import sys, extra\ndef handler(event, context):\n    return [extra.x, sys.path]\n"
    files = {"app.py": code, "more/extra.py": "x = 7\n"}
    options = variables(mode, PYTHONPATH="/var/task/more:/var/none")
    deploy(lambda_client, f"searched-{mode}", files, **options)
    (value, path), _ = invoke(lambda_client, f"searched-{mode}")
    assert value == 7
    assert path[3:6] == ["/var/runtime", "/var/task/more", "/var/none"]


@pytest.mark.parametrize("mode", MODES)
def test_json_logging_is_on_from_the_first_line(
    lambda_client: Any, platform: Platform, mode: str
) -> None:
    """Although the client reads its format when it is imported."""
    code = "import logging\ndef handler(event, context):\n    logging.getLogger().warning('said')\n"
    name = f"json-{mode}"
    options = {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}}
    deploy(lambda_client, name, {"app.py": code}, **options, **variables(mode))
    invoke(lambda_client, name)
    events = platform.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    (said,) = [json.loads(event["message"]) for event in events if '"said"' in event["message"]]
    assert (said["level"], said["message"]) == ("WARN", "said") or said["level"] == "WARNING"


@pytest.mark.parametrize("variable", ["PYTHONUNBUFFERED", "LD_LIBRARY_PATH", "PYTHONOPTIMIZE"])
def test_variables_that_count_at_execution_have_it_executed(
    lambda_client: Any, variable: str
) -> None:
    """They would do nothing to a process that runs already."""
    code = (
        "import sys\ndef handler(event, context):\n    return open('/proc/self/cmdline').read()\n"
    )
    name = f"at-execution-{variable.lower()}"
    deploy(lambda_client, name, {"app.py": code}, **variables("forked", **{variable: "1"}))
    found, _ = invoke(lambda_client, name)
    assert "bootstrap.py" in found
    assert "zygote" not in found


@pytest.mark.parametrize("mode", MODES)
def test_a_program_can_open_its_output(lambda_client: Any, mode: str) -> None:
    """By name, as programs do whose log is `/dev/stderr`; to write to it and for nothing else."""
    code = """
import os
def handler(event, context):
    with open("/dev/stdout", "w") as output:
        output.write("to a file of this name\\n")
    refused = []
    for way in (os.O_RDONLY, os.O_RDWR):
        try:
            os.open("/dev/stderr", way)
        except PermissionError:
            refused.append(way)
    return refused
"""
    deploy(lambda_client, f"output-{mode}", {"app.py": code}, **variables(mode))
    payload, answer = invoke(lambda_client, f"output-{mode}", {}, LogType="Tail")
    assert "to a file of this name\n" in log_of(answer)
    if os.geteuid() == 0:  # An ordinary user's functions run as that user, who owns the pipe.
        assert payload == [os.O_RDONLY, os.O_RDWR]


def test_random_numbers_of_siblings_differ(lambda_client: Any) -> None:
    """Environments that were forked from one process draw different ones, from every source."""
    code = """
import hashlib, os, random, secrets, ssl, tempfile, time, uuid
def handler(event, context):
    time.sleep(0.5)
    return [random.random(), secrets.token_hex(), uuid.uuid4().hex, os.urandom(8).hex(),
            ssl.RAND_bytes(8).hex(), tempfile.mktemp(), random.SystemRandom().random()]
"""
    deploy(lambda_client, "siblings", {"app.py": code})
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(invoke, lambda_client, "siblings") for _ in range(8)]
        drawn = [call.result()[0] for call in calls]
    for source in zip(*drawn, strict=True):
        assert len(set(source)) == 8


def test_a_crash_is_followed_by_a_new_start_with_the_same_tmp(lambda_client: Any) -> None:
    """A prewarmed process is assigned to an environment that already has a disk."""
    code = """
import os
def handler(event, context):
    if event == "die":
        open("/tmp/left", "w").write("here")
        os._exit(3)
    return [open("/proc/self/cmdline").read(), open("/tmp/left").read()]
"""
    deploy(lambda_client, "crashing", {"app.py": code})
    invoke(lambda_client, "crashing", "die")
    (command, left), _ = invoke(lambda_client, "crashing")
    assert "zygote" in command
    assert left == "here"


def test_a_killed_zygote_costs_no_call(start_platform: Callable[..., Platform]) -> None:
    """Prewarmed processes are used up; then there is a new zygote, or functions are executed."""
    own = start_platform()
    client = own.client("lambda")
    code = "def handler(event, context):\n    return open('/proc/self/cmdline').read()\n"
    deploy(client, "f", {"app.py": code})
    assert "zygote" in invoke(client, "f")[0]
    before = zygotes(own)
    assert before
    for pid in before:
        kill(pid)
    code = "import time\ndef handler(event, context):\n    time.sleep(1)\n    return 'answered'\n"
    deploy(client, "g", {"app.py": code}, Timeout=60)
    with concurrent.futures.ThreadPoolExecutor(100) as threads:
        calls = [threads.submit(invoke, client, "g") for _ in range(100)]
        assert {call.result()[0] for call in calls} == {"answered"}
    assert not set(before) & set(zygotes(own))


def test_a_restart_prepares_what_is_deployed(start_platform: Callable[..., Platform]) -> None:
    """Before the next call there is a zygote again."""
    own = start_platform()
    deploy(own.client("lambda"), "f", {"app.py": "def handler(event, context):\n    return 1\n"})
    own.stop()
    again = start_platform()
    wait_for(lambda: zygotes(again), "a zygote")
    assert invoke(again.client("lambda"), "f")[0] == 1


def zygotes(platform: Platform) -> list[int]:
    """The zygotes of a platform, as the host sees them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                namespaces = os.readlink(entry / "ns/pid") == os.readlink("/proc/self/ns/pid")
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                launcher = Path(f"/proc/{parent}/cmdline").read_bytes()
            except OSError:
                continue
            if (
                b"zygote.py" in command
                and namespaces
                and str(platform.data_dir).encode() in launcher
            ):
                found.append(int(entry.name))
    return found


def kill(pid: int) -> None:
    """SIGKILL."""
    os.kill(pid, signal.SIGKILL)
