"""SnapStart: versions that are initialised once, when they are published."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.interpreters import installed
from tests.platforms import Platform, deploy, invoke, log_lines, wait_for
from tests.yardstick import slowdown

VERSIONS = [
    interpreter.line
    for interpreter in installed()
    if interpreter.kind == "python" and (3, 12) <= interpreter.version < (3, 14)
]
pytestmark = pytest.mark.skipif(not VERSIONS, reason="no Python that may use SnapStart")
RUNTIME = f"python{VERSIONS[-1]}" if VERSIONS else ""
CODE = """
import os, random, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot

loaded = time.monotonic()
steps = ["loaded"]
register_before_snapshot(lambda: steps.append("before"))
@register_after_restore
def after():
    steps.append("after")
    if os.environ.get("FAIL") == "after":
        raise ValueError("cannot go on")
if os.environ.get("FAIL") == "init":
    raise KeyError("cannot load")
unique = str(uuid.uuid4())
count = 0

def handler(event, context):
    global count
    count += 1
    if event == "die":
        os._exit(3)
    if isinstance(event, float):
        time.sleep(event)
    if event == "credentials":
        import boto3
        return boto3.client("sts").get_caller_identity()["Arn"]
    return {
        "age": time.monotonic() - loaded,
        "steps": steps,
        "unique": unique,
        "count": count,
        "random": random.random(),
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "keys": sorted(name for name in os.environ if name.startswith("AWS_")),
        "version": context.function_version,
        "pid": os.getpid(),
    }
"""


def publish(client: Any, name: str, *, waits: bool = True) -> str:
    """Publish a version and wait until it is ready; returns its number."""
    version = str(client.publish_version(FunctionName=name)["Version"])
    if waits:
        client.get_waiter("published_version_active").wait(
            FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 1}
        )
    return version


@pytest.fixture(scope="module")
def snapped(lambda_client: Any) -> tuple[str, str]:
    """A function and its version."""
    deploy(
        lambda_client,
        "snapped",
        {"app.py": CODE},
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    return "snapped", publish(lambda_client, "snapped")


def test_hooks_and_variables(lambda_client: Any, snapped: tuple[str, str]) -> None:
    """Each at its moment; variables contain nothing of another environment."""
    name, version = snapped
    payload, answer = invoke(lambda_client, name, Qualifier=version)
    assert answer["ExecutedVersion"] == version
    assert payload["steps"] == ["loaded", "before", "after"]
    assert payload["type"] == "snap-start"
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in payload["keys"]
    assert not {"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME"} & set(payload["keys"])
    shown = lambda_client.get_function_configuration(FunctionName=name, Qualifier=version)
    assert shown["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    latest = lambda_client.get_function_configuration(FunctionName=name)
    assert latest["SnapStart"]["OptimizationStatus"] == "Off"
    assert invoke(lambda_client, name)[0]["type"] == "on-demand"


def test_what_the_log_says(
    platform: Platform, lambda_client: Any, snapped: tuple[str, str]
) -> None:
    """Init when it is published, restores when it is called, no init in reports."""
    name, version = snapped
    invoke(lambda_client, name, Qualifier=version)
    lines = log_lines(platform, name)
    assert any(line.startswith("RESTORE_START Runtime Version: python") for line in lines)
    assert any(line.startswith("RESTORE_REPORT Restore Duration: ") for line in lines)
    assert any("INIT_REPORT Init Duration" in line and "Phase: init" in line for line in lines)
    restored = [line for line in lines if "Billed Restore Duration" in line]
    assert restored
    assert not any("Init Duration" in line for line in restored)


def test_credentials(lambda_client: Any, snapped: tuple[str, str]) -> None:
    """The SDK finds those of the role."""
    name, version = snapped
    arn, _ = invoke(lambda_client, name, "credentials", Qualifier=version)
    assert ":assumed-role/lambda-role/snapped" in arn


def test_environments_begin_where_init_has_ended(
    lambda_client: Any, snapped: tuple[str, str]
) -> None:
    """What init loaded is the same in all; later state is separate, randomness included."""
    name, version = snapped
    answers: list[Any] = []

    def call() -> None:
        answers.append(invoke(lambda_client, name, 0.3 * slow, Qualifier=version)[0])

    slow = slowdown()
    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = [answer for answer in answers if answer["count"] == 1]
    assert len(first) > 3
    assert len({answer["unique"] for answer in answers}) == 1
    assert len({answer["random"] for answer in answers}) == len(answers)


def test_it_recovers(lambda_client: Any, snapped: tuple[str, str]) -> None:
    """After a crash the next call is served."""
    name, version = snapped
    payload, _ = invoke(lambda_client, name, "die", Qualifier=version)
    assert payload["errorType"] == "Runtime.ExitError"
    assert invoke(lambda_client, name, Qualifier=version)[0]["count"] == 1


def test_failures(lambda_client: Any) -> None:
    """A failure in init fails the version, one after a restore fails the call."""
    for moment in ("init", "after"):
        deploy(
            lambda_client,
            f"snap-{moment}",
            {"app.py": CODE},
            Runtime=RUNTIME,
            SnapStart={"ApplyOn": "PublishedVersions"},
            Environment={"Variables": {"FAIL": moment}},
        )
    version = publish(lambda_client, "snap-init", waits=False)

    def state() -> Any:
        shown = lambda_client.get_function_configuration(
            FunctionName="snap-init", Qualifier=version
        )
        return shown if shown["State"] != "Pending" else None

    failed = wait_for(state, "an end of the publication")
    assert failed["State"] == "Failed"
    assert failed["StateReasonCode"] == "FunctionError.RuntimeInitError"
    assert "cannot load" in failed["StateReason"]
    with pytest.raises(ClientError, match="SnapStartException"):
        invoke(lambda_client, "snap-init", Qualifier=version)
    version = publish(lambda_client, "snap-after")
    with pytest.raises(ClientError, match="SnapStartException") as refused:
        invoke(lambda_client, "snap-after", Qualifier=version)
    assert "cannot go on" in str(refused.value)


def test_not_ready(lambda_client: Any) -> None:
    """A call before it is ready gets an error that says so."""
    deploy(
        lambda_client,
        "snap-slow",
        {"app.py": "import time\ntime.sleep(1)\n" + CODE},
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    version = publish(lambda_client, "snap-slow", waits=False)
    shown = lambda_client.get_function_configuration(FunctionName="snap-slow", Qualifier=version)
    assert (shown["State"], shown["StateReasonCode"]) == ("Pending", "Creating")
    with pytest.raises(ClientError, match="SnapStartNotReadyException"):
        invoke(lambda_client, "snap-slow", Qualifier=version)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Runtime": "nodejs20.x"}, "nodejs20.x is not supported for SnapStart"),
        ({"Runtime": "python3.11"}, "python3.11 is not supported for SnapStart"),
        ({"EphemeralStorage": {"Size": 1024}}, "ephemeral storage"),
    ],
)
def test_what_cannot_use_it(lambda_client: Any, more: dict[str, Any], message: str) -> None:
    """Refused when it is configured."""
    options = {"Runtime": RUNTIME, "SnapStart": {"ApplyOn": "PublishedVersions"}, **more}
    with pytest.raises(ClientError, match=message):
        deploy(lambda_client, "snap-not", {"app.py": CODE}, **options)


LEFT = {
    "threads": "import threading; threading.Thread(target=time.sleep, args=(99,), daemon=True)"
    ".start()",
    "children": "import subprocess; child = subprocess.Popen(['sleep', '99'])",
    "shared": "import mmap; shared = mmap.mmap(-1, 4096)",
    "files": "open('/tmp/left', 'w').write('x')",
    "pipes": "pipe = os.pipe()",
    "parts": "import mmap; parts = [mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE,"
    " prot=1 + at % 2 * 2) for at in range(9000)]",
}


@pytest.mark.parametrize("leftover", LEFT)
def test_what_cannot_be_captured(platform: Platform, lambda_client: Any, leftover: str) -> None:
    """Then every environment is initialised by itself, with the same hooks; the log says why."""
    name = f"snap-{leftover}"
    deploy(
        lambda_client,
        name,
        {"app.py": f"{CODE}\n{LEFT[leftover]}"},
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    version = publish(lambda_client, name)
    payload, _ = invoke(lambda_client, name, Qualifier=version)
    assert payload["steps"] == ["loaded", "before", "after"]
    lines = log_lines(platform, name)
    assert any(line.startswith("SNAPSHOT_SKIPPED Reason: it") for line in lines), lines


CARRIED = """
import json, os, socket
text = open("/var/task/data.txt")
text.readline()
gone = socket.create_connection(("127.0.0.1", 9001))
big = bytearray(b"x" * 30_000_000)
sys_path = os.getcwd()

def handler(event, context):
    big[event] = 0
    try:
        gone.sendall(b"x")
        was_sent = True
    except OSError:
        was_sent = False
    return {
        "line": text.readline(),
        "was_sent": was_sent,
        "zeros": big.count(0),
        "open": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
        "directory": [sys_path, os.getcwd()],
        "tmp": os.listdir("/tmp"),
        "deep": deep(5000),
    }

def deep(left):
    import sys
    sys.setrecursionlimit(20_000)
    return 0 if left == 0 else 1 + deep(left - 1)
"""


def test_what_is_carried(lambda_client: Any) -> None:
    """Files at their place; connections are dead; memory is each environment's own."""
    deploy(
        lambda_client,
        "carries",
        {"app.py": CARRIED, "data.txt": "one\ntwo\nthree\n"},
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    version = publish(lambda_client, "carries")
    for round_ in range(3):
        payload, _ = invoke(lambda_client, "carries", round_, Qualifier=version)
        assert payload["was_sent"] is False
        assert payload["directory"] == ["/var/task", "/var/task"]
        assert payload["tmp"] == []
        assert payload["deep"] == 5000
        assert payload["line"] == ["two\n", "three\n", ""][round_]
        assert payload["zeros"] == round_ + 1
    lambda_client.update_function_configuration(FunctionName="carries", Description="new")
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName="carries")
    another = publish(lambda_client, "carries")
    assert invoke(lambda_client, "carries", 5, Qualifier=another)[0]["zeros"] == 1


HOSTILE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, *arguments):
    if getattr(libc, name)(*arguments) == 0:
        return "done"
    return os.strerror(ctypes.get_errno())

def handler(event, context):
    with open("/proc/self/status") as status:
        found = dict(line.split(":", 1) for line in status)
    return {
        "status": {
            name: found[name].strip()
            for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Uid")
        },
        "mount": attempt("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "unshare": attempt("unshare", 0x10000000),
        "setuid": attempt("setuid", 0),
        "ptrace": attempt("ptrace", 16, 1, 0, 0),
        "hosts": os.uname().nodename,
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    }
"""


def test_a_restored_process_is_as_confined_as_any(lambda_client: Any) -> None:
    """It has the same privileges as a started process: none."""
    deploy(
        lambda_client,
        "confined",
        {"app.py": HOSTILE},
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    version = publish(lambda_client, "confined")
    restored, _ = invoke(lambda_client, "confined", Qualifier=version)
    started, _ = invoke(lambda_client, "confined")
    uids = [answer["status"].pop("Uid") for answer in (restored, started)]
    assert restored == started
    assert restored["status"] == {
        "CapEff": "0" * 16,
        "CapBnd": "0" * 16,
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    assert "done" not in restored.values()
    assert all(set(uid.split()) == {"993"} for uid in uids)


def test_versions_are_captured_again(start_platform: Callable[..., Platform]) -> None:
    """A platform that restarts initializes an environment, and has a snapshot for later ones."""
    first = start_platform()
    deploy(
        first.client("lambda"),
        "snapped-again",
        {"app.py": CODE},
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    version = publish(first.client("lambda"), "snapped-again")
    first.kill()
    second = start_platform()
    client = second.client("lambda")
    before, _ = invoke(client, "snapped-again", Qualifier=version)

    def restored() -> Any:
        invoke(client, "snapped-again", "die", Qualifier=version)
        now, _ = invoke(client, "snapped-again", Qualifier=version)
        invoke(client, "snapped-again", "die", Qualifier=version)
        then, _ = invoke(client, "snapped-again", Qualifier=version)
        return now["unique"] == then["unique"] != before["unique"]

    assert wait_for(restored, "environments that share what was captured")


def test_room_for_snapshots(start_platform: Callable[..., Platform]) -> None:
    """An operator limits the memory for them; the log names a version that needs more."""
    platform = start_platform(environment={"LAMBENT_WORKER__SNAPSHOTS_MB": "1"})
    client = platform.client("lambda")
    deploy(
        client,
        "snap-no-room",
        {"app.py": CODE},
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    version = publish(client, "snap-no-room")
    payload, _ = invoke(client, "snap-no-room", Qualifier=version)
    assert payload["steps"] == ["loaded", "before", "after"]
    lines = log_lines(platform, "snap-no-room")
    skipped = [line for line in lines if line.startswith("SNAPSHOT_SKIPPED")]
    assert any("more memory than" in line for line in skipped), lines
