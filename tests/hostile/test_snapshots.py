"""Attacks on the processes that capture a function and restore its memory into new ones."""

import os
import platform as machine
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.hostile import host
from tests.hostile.cases import case, params
from tests.hostile.conftest import PACKAGE, Function, Neighbour, StartFunction
from tests.hostile.test_privileges_of_functions import assert_has_no_rights
from tests.platforms import Platform, deploy, log_lines, wait_for
from tests.scenario.test_snap_start import RUNTIME, publish
from tests.yardstick import allowing

pytestmark = pytest.mark.skipif(
    not RUNTIME or machine.machine() != "x86_64", reason="no Python that can be captured"
)
REFUSED = {
    "snapshot-code": ("code_where_restoring_happens", "restoring needs"),
    "snapshot-table": ("table_where_restoring_happens", "restoring needs"),
    "snapshot-thread-number": ("thread_number_in_code", "thread's number"),
    "snapshot-reading-code": ("thread_number_in_reading_code", "thread's number"),
    "snapshot-vdso": ("kernels_memory_moved", "restoring needs"),
    "snapshot-sparse": ("sparse_memory", "GiB of memory"),
    "snapshot-spread": ("spread_memory", "too many parts"),
    "snapshot-mappings": ("many_mappings", "too many parts"),
    "snapshot-descriptors": ("many_descriptors", "too many files open"),
    "snapshot-threads": ("many_threads", "threads running"),
    "snapshot-files": ("many_files", "files in /tmp"),
}
"""What is not captured, with a word of the reason."""
CAPTURED = {
    "snapshot-sequences": "sequences_where_restoring_happens",
    "snapshot-registers": "registers",
    "snapshot-ends": "memory_at_the_ends",
    "snapshot-full": "full_memory",
    "snapshot-signals": "interruptions",
    "snapshot-shared-memory": "child_with_the_same_memory",
}
"""What may be captured or not: both are safe."""
COLD_START_MAX_S = 3.0
STOP_MAX_S = 30.0


class Snapped:
    """A version that runs an attack before it is captured."""

    def __init__(self, function: Function, platform: Platform) -> None:
        self.function = function
        self.version = publish(function.client, function.name)
        self.reasons = [
            line.partition("Reason: ")[2]
            for line in log_lines(platform, function.name)
            if line.startswith("SNAPSHOT_SKIPPED")
        ]

    def look(self) -> dict[str, Any]:
        """The user that it reports; the host has verified it, too."""
        payload, answer = self.function.try_to("snapshots.look", version=self.version)
        assert "FunctionError" not in answer, payload
        assert_has_no_rights(host.Box(payload["box"]))
        return dict(payload["result"])


@pytest.fixture
def snap(start: StartFunction, platform: Platform) -> Any:
    """Publishes versions."""

    def publish_one(attack: str) -> Snapped:
        function = start(
            Runtime=RUNTIME,
            SnapStart={"ApplyOn": "PublishedVersions"},
            variables={"AT_INIT": f"snapshots.{attack}"},
        )
        return Snapped(function, platform)

    return publish_one


def assert_has_no_special_rights(found: dict[str, Any]) -> None:
    """As a function that was never captured."""
    assert found["release"] == os.uname().release
    assert set(found["Uid"]) == {"993"}
    assert found["CapEff"] == ["0" * 16]
    assert (found["NoNewPrivs"], found["Seccomp"]) == (["1"], ["2"])


@pytest.mark.parametrize("attack", params(*REFUSED))
def test_refused(snap: Any, neighbour: Neighbour, attack: str) -> None:
    """It is not captured, for the right reason, and runs like any other function."""
    attack_name, reason = REFUSED[attack]
    with neighbour.watched():
        snapped = snap(attack_name)
        assert_has_no_special_rights(snapped.look())
    assert len(snapped.reasons) == 1, snapped.reasons
    assert reason in snapped.reasons[0]


@pytest.mark.parametrize("attack", params(*CAPTURED))
def test_captured(snap: Any, neighbour: Neighbour, attack: str) -> None:
    """Whether or not it is captured, it gains nothing."""
    with neighbour.watched():
        snapped = snap(CAPTURED[attack])
        assert_has_no_special_rights(snapped.look())


@case("snapshot-neighbours")
def test_cold_starts_of_others(snap: Any, start: StartFunction) -> None:
    """While the costliest processes are captured, new environments of others start in time."""
    is_over = threading.Event()
    took: list[float] = []
    others = [start() for _ in range(8)]

    def call() -> None:
        while not is_over.is_set() and others:
            began = time.monotonic()
            others.pop().do("attempts.here")
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=call)
    with allowing(COLD_START_MAX_S) as most_s:
        thread.start()
        try:
            for attack in ("sparse_memory", "spread_memory", "full_memory"):
                snap(attack)
        finally:
            is_over.set()
            thread.join()
    assert took
    assert max(took) < most_s()


def captured_now(platform: Platform) -> list[int]:
    """A process that a platform holds, and the launcher's child that holds it."""
    for pid in host.below(platform.process.pid):
        tracer = host.status_of(pid).get("TracerPid", "0")
        if tracer != "0":
            return [pid, int(tracer)]
    return []


@case("snapshot-end")
@pytest.mark.parametrize("ends", ["platform", "launcher"])
def test_ends_during_a_capture(start_platform: Callable[..., Platform], ends: str) -> None:
    """The platform stops in time, and a killed launcher leaves no process held."""
    platform = start_platform()
    client = platform.client("lambda")
    deploy(
        client,
        "slow",
        PACKAGE,
        Runtime=RUNTIME,
        MemorySize=768,
        SnapStart={"ApplyOn": "PublishedVersions"},
        Environment={"Variables": {"AT_INIT": "snapshots.slow_memory"}},
    )
    publish(client, "slow", waits=False)
    before = time.monotonic()
    while not (held := captured_now(platform)):
        assert time.monotonic() < before + 20, "it was never captured"
    alive = host.alive(held)
    if ends == "platform":
        began = time.monotonic()
        assert platform.stop() == 0, platform.output
        assert time.monotonic() < began + STOP_MAX_S
    else:
        os.kill(int(host.status_of(held[1])["PPid"]), signal.SIGKILL)
    wait_for(
        lambda: not any(host.started_at(pid) == began for pid, began in alive.items()),
        "the end of all that was held",
    )
