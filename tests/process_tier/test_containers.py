"""Lambent as the root of a container: an ordinary one, and a privileged one."""

import json
import os
import shutil
from typing import Any

import pytest

from lambent.sandbox.launcher import landlock
from tests.process_tier.containers import Kind, run_in_container

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("runc") is None,
    reason="needs root and runc; tools/make-test-needs installs it",
)
SCRIPT = """
import json, pathlib, re, subprocess, sys
from tests.platforms import Platform, deploy, invoke, publish_layer, wait_for

FUNCTION = '''
import os, subprocess, tempfile
def handler(event, context):
    daemon = subprocess.Popen(["setsid", "sleep", "1000"])
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("x")
    status = dict(line.split(":\\\\t", 1) for line in open("/proc/self/status") if ":\\\\t" in line)
    layers = os.environ.get("LAMBENT_LAYERS_DIR", "/opt")
    return {
        "uid": os.getuid(), "caps": status["CapEff"].strip(), "seccomp": status["Seccomp"].strip(),
        "layer": open(layers + "/words").read(), "daemon": daemon.pid,
    }
'''
NODE = "exports.handler = async (event) => ({ doubled: event.a * 2 });"
report = {}
doctor = subprocess.run(
    [sys.executable, "-m", "lambent", "doctor", "--json"], capture_output=True, text=True
)
report["doctor"] = json.loads(doctor.stdout)
pathlib.Path("/var/lib").mkdir(exist_ok=True)
settings = ("--set", "worker.runtimes_dir=/var/cache/lambent/runtimes")
platform = Platform(pathlib.Path("/var/lib/lambent"), *settings, is_fresh=True)
try:
    report["said"] = platform.output
    client = platform.client("lambda")
    layer = publish_layer(client, "words", {"words": "of the layer"})
    deploy(client, "python", {"app.py": FUNCTION}, Layers=[layer])
    report["first"] = invoke(client, "python")[0]
    report["second"] = invoke(client, "python")[0]
    deploy(client, "node", {"app.js": NODE}, Runtime="nodejs20.x")
    report["node"] = invoke(client, "node", {"a": 21})[0]
    slow = "import time\\ndef handler(event, context):\\n    time.sleep(30)"
    deploy(client, "slow", {"app.py": slow}, Timeout=1)
    report["slow"] = invoke(client, "slow")[0]
    deploy(client, "grows", {"app.py": "def handler(e, c):\\n    return len(bytearray(e))"})
    report["grows"] = invoke(client, "grows", 2 << 30)[0]
finally:
    report["code"] = platform.stop()
    report["output"] = platform.output
def runs(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
left = [entry for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()]
report["left"] = [
    (entry / "cmdline").read_text() for entry in left if runs(entry.name) and entry.name != "1"
]
print("REPORT " + json.dumps(report))
"""


def report_of(output: str) -> Any:
    """The report that the script prints at its end."""
    lines = [line for line in output.splitlines() if line.startswith("REPORT ")]
    assert lines, output
    return json.loads(lines[0][7:])


def check_functions(report: Any) -> None:
    """The functions ran, confined, and left nothing behind."""
    for which in ("first", "second"):
        assert report[which]["caps"] == "0" * 16
        assert report[which]["seccomp"] == "2"
        assert report[which]["layer"] == "of the layer"
        assert report[which]["uid"] != 0
    assert report["node"] == {"doubled": 42}
    assert report["slow"]["errorType"] == "Sandbox.Timedout"
    assert report["grows"]["errorType"] in (
        "MemoryError",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
    )
    assert report["code"] == 0, report["output"]
    assert report["left"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["ordinary", "without Landlock"])
def test_an_ordinary_container(kind: Kind) -> None:
    """The doctor and the platform name the tier, and say whether there is Landlock; functions run
    either way."""
    code, output = run_in_container(SCRIPT, kind)
    report = report_of(output)
    assert code == 0, output
    assert report["doctor"]["tier"] == "process"
    assert report["doctor"]["state"] != "broken", report["doctor"]
    assert report["said"].count("ISOLATION IS WEAK") == 1
    assert "Each environment has a user of its own" in report["said"]
    assert ("Landlock is absent" in report["said"]) == (kind != "ordinary" or landlock.abi() == 0)
    check_functions(report)


@pytest.mark.timeout(300)
def test_a_container_that_may_make_user_namespaces() -> None:
    """Root without capabilities over mounts is like an ordinary user: boxes with namespaces."""
    code, output = run_in_container(SCRIPT, "unconfined")
    report = report_of(output)
    assert code == 0, output
    assert report["doctor"]["tier"] == "rootless"
    assert "ISOLATION IS WEAK" not in report["said"]
    check_functions(report)


@pytest.mark.timeout(300)
def test_a_privileged_container() -> None:
    """All that root of a host has: boxes with their own namespaces."""
    code, output = run_in_container(SCRIPT, "privileged")
    report = report_of(output)
    assert code == 0, output
    assert report["doctor"]["tier"] in ("root", "root-no-cgroups")
    assert report["doctor"]["state"] != "broken", report["doctor"]
    assert "ISOLATION IS WEAK" not in report["said"]
    check_functions(report)
