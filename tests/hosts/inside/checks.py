"""The fixed set of checks: what a user does, and the expected results. Each returns a note."""

import concurrent.futures
import json
import os
import platform as machine
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import ClientError

from lambent.node.languages.interpreters import find_interpreters
from tests.hosts.inside import functions
from tests.hosts.inside.leftovers import family, groups_of, of_all, of_one, still_alive
from tests.hosts.inside.outcomes import NotRun, Refused
from tests.hosts.inside.served import (
    SERVICE,
    Served,
    call,
    call_well,
    create,
    log_of,
    wait_for,
)

OLD_DATA = Path(__file__).parents[1] / "fixtures" / "data-directory.tar.xz"
BURST = 50
UNKNOWN = "unknown"
STOP_S = 90
"""`TimeoutStopSec` of lambent.service."""
NO_GROUPS = ("process", "root-no-cgroups")
"""Tiers without control groups."""


class Checks:
    """The checks, on one platform that they start, kill and stop."""

    def __init__(self, served: Served, work: Path, *, is_shared: bool = False) -> None:
        """`is_shared`: other platforms run on this host, too."""
        self.served = served
        self.work = work
        self._is_shared = is_shared
        self._promised: str | None = UNKNOWN
        self._before: set[str] = set()
        self._groups: set[Path] = set()

    def by_name(self, name: str) -> Callable[[], str]:
        """One of the checks, by its name in `order.py`."""
        if name.endswith(" suite"):
            return lambda: self.suite(name.removesuffix(" suite"))
        check: Callable[[], str] = getattr(self, name.replace(" ", "_").lower())
        return check

    def doctor(self) -> str:
        """`lambent doctor` tries a sandbox and predicts the isolation of `lambent up`."""
        done = run_lambent("doctor", "--json")
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"no JSON: {done.stdout[-300:]}{done.stderr[-300:]}") from None
        self._promised = report["tier"]
        if report["tier"] is None:
            raise Refused(report["summary"])
        broken = [check for check in report["checks"] if check["state"] == "broken"]
        assert not broken, "; ".join(f"{check['name']}: {check['found']}" for check in broken)
        return str(report["summary"])

    def start(self) -> str:
        """`lambent up` becomes ready, with the isolation that `lambent doctor` predicted."""
        self._before = of_all()
        try:
            self.served.start()
        except Refused:
            assert self._promised in (None, UNKNOWN), f"doctor promised {self._promised}"
            raise
        assert self._promised is not None, "doctor says that the platform cannot run here"
        return f"isolation tier {self._promised}"

    def deploy(self) -> str:
        """`lambent deploy` creates a function from a directory."""
        source = self.work / "deployed"
        source.mkdir()
        (source / "app.py").write_text(functions.PYTHON)
        flags = ["--runtime", python_runtime(), "--handler", "app.handler"]
        flags += ["--endpoint-url", self.served.endpoint]
        done = run_lambent("deploy", str(source), "--name", "deployed", *flags)
        assert done.returncode == 0, done.stdout + done.stderr
        assert call_well(self.served.client(), "deployed", 1) == {"python": 1}
        return ""

    def python(self) -> str:
        """A Python function runs, is not root, and cannot read files of the operator."""
        client = self.served.client()
        create(client, "python", {"app.py": functions.PYTHON}, Runtime=python_runtime())
        assert call_well(client, "python", {"x": [1]}) == {"python": {"x": [1]}}
        secret = self.work / "secret"
        secret.touch(mode=0o600)
        secret.write_text("the operator's")
        user, seen = call_well(client, "python", {"do": "look", "at": str(secret)})
        assert user != 0, "the function is root"
        assert seen in ("FileNotFoundError", "PermissionError"), f"the function reads: {seen}"
        return python_runtime()

    def node(self) -> str:
        """A Node.js function runs."""
        lines = [
            f"nodejs{interpreter.line}"
            for interpreter in find_interpreters()
            if interpreter.kind == "node"
        ]
        if not lines:
            raise NotRun("no Node.js that the platform knows is installed")
        name = lines[-1] if lines[-1].endswith(".x") else f"{lines[-1]}.x"
        client = self.served.client()
        create(client, "node", {"index.js": functions.NODE}, Runtime=name, Handler="index.handler")
        assert call_well(client, "node", {"x": 2}) == {"node": {"x": 2}}
        return name

    def provided(self) -> str:
        """A `bootstrap` shell script runs."""
        client = self.served.client()
        create(client, "provided", {"bootstrap": functions.PROVIDED}, Runtime="provided.al2023")
        assert call_well(client, "provided", {}) == {"provided": "shell"}
        return "provided.al2023"

    def memory_kill(self) -> str:
        """A function that uses up its memory is killed, its log says so, and it runs again. Without
        control groups, its allocations fail instead."""
        payload, answer = call(self.served.client(), "python", {"do": "eat"})
        assert answer.get("FunctionError") == "Unhandled", payload
        if self._promised in NO_GROUPS and payload["errorType"] == "MemoryError":
            assert call_well(self.served.client(), "python", 3) == {"python": 3}
            return "a limit of the process: MemoryError, no kill"
        assert payload["errorType"] == "Runtime.ExitError", payload
        assert payload["errorMessage"].endswith("signal: killed"), payload
        log = log_of(answer)
        assert "Error Type: Runtime.OutOfMemory" in log, log
        used = re.search(r"Max Memory Used: (\d+) MB", log)
        assert used, log
        assert call_well(self.served.client(), "python", 3) == {"python": 3}
        return f"{used[1]} MB used of 256 MB"

    def timeout(self) -> str:
        """A function is ended at its timeout, and runs again."""
        client = self.served.client()
        source = {"app.py": functions.PYTHON}
        create(client, "slow", source, Runtime=python_runtime(), Timeout=3)
        began = time.monotonic()
        payload, answer = call(client, "slow", {"do": "sleep", "seconds": 250})
        took = time.monotonic() - began
        assert answer.get("FunctionError") == "Unhandled", payload
        assert "Task timed out after 3.00 seconds" in payload["errorMessage"], payload
        assert took < 120, f"the answer came after {took:.0f} s"
        assert call_well(client, "slow", 4) == {"python": 4}
        return ""

    def freeze(self) -> str:
        """A thread of an idle function is frozen, and continues in the next call."""
        client = self.served.client()
        call_well(client, "python", {"do": "sleep", "seconds": 1})
        first = call_well(client, "python", {"do": "ticks"})
        time.sleep(8)  # noqa: TID251 - what must stand still is measured against real time
        second = call_well(client, "python", {"do": "ticks"})
        call_well(client, "python", {"do": "sleep", "seconds": 2})
        third = call_well(client, "python", {"do": "ticks"})
        idle, busy = second - first, third - second
        assert busy > 0, "the thread does not run at all"
        assert idle < 2 * busy, f"{idle} steps in 8 s without a call, {busy} in a call of 2 s"
        return f"{idle} steps in 8 s without a call, {busy} in a call of 2 s"

    def burst(self) -> str:
        """Fifty concurrent calls all succeed."""
        client = self.served.client(connections=BURST)
        source = {"app.py": functions.PYTHON}
        create(client, "burst", source, Runtime=python_runtime(), MemorySize=128, Timeout=120)
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(BURST) as threads:
            answers = list(threads.map(lambda x: call_well(client, "burst", x), range(BURST)))
        assert answers == [{"python": x} for x in range(BURST)]
        return f"{BURST} calls in {time.monotonic() - began:.1f} s"

    def snapstart(self) -> str:
        """Two environments of a version continue from the same initialization."""
        minors = [
            interpreter.version
            for interpreter in find_interpreters()
            if interpreter.kind == "python"
        ]
        able = [version for version in minors if (3, 12) <= version < (3, 14)]
        is_other = machine.machine() != "x86_64"
        if not able and not is_other:
            raise NotRun("as in AWS, SnapStart is for Python 3.12 and 3.13; neither is installed")
        client = self.served.client()
        runtime = f"python{able[-1][0]}.{able[-1][1]}" if able else "python3.12"
        try:
            create(
                client,
                "snapped",
                {"app.py": functions.SNAPPED},
                Runtime=runtime,
                SnapStart={"ApplyOn": "PublishedVersions"},
            )
        except ClientError as error:
            raise Refused(error.response["Error"]["Message"]) from error
        version = client.publish_version(FunctionName="snapped")["Version"]
        waiter = client.get_waiter("published_version_active")
        often = {"Delay": 2, "MaxAttempts": 100}
        waiter.wait(FunctionName="snapped", Qualifier=version, WaiterConfig=often)
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            answers = list(
                threads.map(lambda _: call_well(client, "snapped", {}, Qualifier=version), range(2))
            )
        assert {answer[0] for answer in answers} == {answers[0][0]}, answers
        assert answers[0][1] == "snap-start", answers
        return runtime

    def service(self) -> str:
        """systemd restarts it after SIGKILL, stops it in time although an invocation is running,
        and has its lines in the journal with their levels."""
        killed = self.served.pid
        self.served.kill()
        wait_for(lambda: self.served.pid not in (0, killed), "systemd starts it again", 120)
        self.served.start()
        client = self.served.client(connections=2)
        assert call_well(client, "python", 4) == {"python": 4}
        words = ["journalctl", f"--unit={SERVICE}", "--output=json", "--no-pager"]
        journal = subprocess.run(
            words, capture_output=True, text=True, timeout=120, check=True
        ).stdout
        lines = [json.loads(line) for line in journal.splitlines()]
        ready = [entry for entry in lines if "ready at" in str(entry["MESSAGE"])]
        assert len(ready) >= 2, "the journal does not tell of two starts"
        assert {entry["PRIORITY"] for entry in ready} == {"6"}
        assert not [entry for entry in lines if re.match(r"<\d>", str(entry["MESSAGE"]))]
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            threads.submit(call, client, "python", {"do": "sleep", "seconds": 55})
            time.sleep(2)  # noqa: TID251 - the call has begun
            began = time.monotonic()
            self.served.stop()
            took_s = time.monotonic() - began
        assert took_s < STOP_S, f"systemctl stop took {took_s:.0f} s"
        self.served.start()
        return f"systemctl stop took {took_s:.0f} s beside a call of 55 s"

    def kill(self) -> str:
        """After SIGKILL, all processes of the platform end. It restarts with its functions, and
        after an orderly stop it leaves nothing on the host."""
        client = self.served.client(connections=2)
        processes = family(self.served.pid)
        assert len(processes) > 1, "the platform has no children to look for"
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            event = {"do": "sleep", "seconds": 50}
            cut = threads.submit(lambda: call(client, "python", event))
            time.sleep(2)  # noqa: TID251 - the call has begun
            processes |= family(self.served.pid)
            self._groups |= groups_of(processes)
            self.served.kill()
            assert cut.exception() is not None, "a killed platform answered"
        wait_for(lambda: not still_alive(processes), "all processes of the killed one end", 60)
        self.served.start()
        assert call_well(self.served.client(), "python", 5) == {"python": 5}
        assert call_well(self.served.client(), "provided", {}) == {"provided": "shell"}
        processes = family(self.served.pid)
        self._groups |= groups_of(processes)
        self.served.stop()
        wait_for(lambda: not still_alive(processes), "all processes end", 60)
        try:
            wait_for(lambda: not self._left(), "nothing is left", 30)
        except AssertionError:
            raise AssertionError(f"left: {', '.join(sorted(self._left())[:5])}") from None
        return f"{len(processes)} processes and {len(self._groups)} control groups ended"

    def _left(self) -> set[str]:
        if self._is_shared:
            return of_one(self._groups, self.served.data_dir)
        return of_all() - self._before

    def upgrade(self) -> str:
        """The data of an older Lambent is there and works; its function can be invoked."""
        target = self.work / "upgraded"
        with tarfile.open(OLD_DATA) as archive:
            archive.extractall(target, numeric_owner=True)
        served = Served(target / "data")
        served.start()
        try:
            client = served.client()
            names = sorted(
                function["FunctionName"] for function in client.list_functions()["Functions"]
            )
            assert names == ["old-provided", "old-python"], names
            versions = client.list_versions_by_function(FunctionName="old-provided")["Versions"]
            assert [version["Version"] for version in versions] == ["$LATEST", "1"], versions
            old = call_well(client, "old-provided", {}, Qualifier="live")
            assert old == {"provided": "shell"}
            create(client, "new", {"bootstrap": functions.PROVIDED}, Runtime="provided.al2023")
            assert call_well(client, "new", {}) == {"provided": "shell"}
        finally:
            served.stop()
        return ""

    def suite(self, name: str) -> str:
        """The tests with this name pass on this host."""
        command = [sys.executable, "-m", "pytest", f"tests/{name}", "-q", "-p", "no:cacheprovider"]
        command += ["--timeout=600", "--tb=short", f"--basetemp={self.work}/pytest-{name}"]
        done = subprocess.run(command, capture_output=True, text=True)
        print(done.stdout[-60000:], done.stderr[-5000:], file=sys.stderr, flush=True)
        last = done.stdout.strip().splitlines()[-1].strip("= ") if done.stdout.strip() else ""
        failed = re.findall(r"^(?:FAILED|ERROR) tests/\S*?([^/\s]+\.py::\S+)", done.stdout, re.M)
        assert done.returncode == 0, f"{last or done.stderr[-300:]}: {', '.join(failed[:12])}"
        if " passed" not in last:
            raise NotRun(f"every test is skipped here: {last}")
        return last


def run_lambent(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user types it."""
    script = shutil.which("lambent", path=str(Path(sys.executable).parent)) or "lambent"
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        [script, *words], capture_output=True, text=True, timeout=170, env=environment
    )


def python_runtime() -> str:
    """The runtime identifier of the running interpreter."""
    return f"python3.{sys.version_info.minor}"
