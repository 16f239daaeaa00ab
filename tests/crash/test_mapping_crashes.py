"""Platforms, servers and connections that break while records flow: no record is lost, those of a
key stay in order, and only what a fault interrupted is repeated. `make crash` breaks more often."""

import os
import random
import threading
import time
from pathlib import Path

import pytest

from tests.crash.flows import FLOWS, Flow
from tests.crash.lives import Life
from tests.crash.mapping_auditor import MappingAuditor
from tests.crash.mapping_failpoints import POINTS
from tests.platforms import Platform, deploy, wait_for

KILLS = int(os.environ.get("CRASH_MAPPING_KILLS", 3))
"""The number of faults of each source."""
KEYS = "abcd"
ANY_TIME, SERVER, CONNECTIONS = "any-time", "server", "connections"
FAULTS = (*POINTS, ANY_TIME, SERVER, CONNECTIONS)
SOURCE = """
import random
def handler(event, context):
    if random.random() < 0.1:
        raise ValueError("as happens")
"""


def send(
    flow: Flow, auditor: MappingAuditor, numbers: random.Random, done: threading.Event
) -> None:
    """Put records in until there are enough. Records that the server did not accept are sent
    again."""
    while not done.is_set():
        names = [auditor.produce(numbers.choice(KEYS)) for _ in range(numbers.randrange(1, 8))]
        for name in names:
            while True:
                try:
                    flow.send([name])
                    break
                except Exception:  # The server is being broken.
                    auditor.note_resent(name)
                    time.sleep(0.05)  # noqa: TID251 - it is another process
        done.wait(0.02)


def live(
    flow: Flow, life: Life, auditor: MappingAuditor, fault: str, numbers: random.Random
) -> None:
    """Send records to a platform until it is dead."""
    if life.read_endpoint() is None:
        return
    done = threading.Event()
    sender = threading.Thread(target=send, args=(flow, auditor, numbers, done))
    sender.start()
    try:
        if fault in POINTS:
            if not life.has_died_within(8):
                with auditor.fault(ANY_TIME):
                    life.end(0)
            return
        done.wait(numbers.uniform(0.3, 1.2))
        if fault == SERVER:
            with auditor.fault(SERVER):
                flow.break_server()
        elif fault == CONNECTIONS:
            with auditor.fault(CONNECTIONS):
                flow.cut()
        done.wait(numbers.uniform(0.3, 1.0))
        with auditor.fault(ANY_TIME):
            life.end(0)
    finally:
        done.set()
        sender.join(60)


@pytest.mark.timeout(180 + 15 * KILLS)
@pytest.mark.parametrize("source", FLOWS)
def test_no_record_is_lost(source: str, tmp_path: Path) -> None:
    """Whatever breaks, at any time."""
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
    numbers = random.Random(seed)
    print(f"CRASH_SEED={seed}")
    with FLOWS[source]() as flow:
        data = tmp_path / "data"
        options = [*flow.options, "--set", "polling.retry_s=0.05"]
        options += ["--set", "polling.backoff_s=0.1", "--set", "polling.backoff_max_s=1"]
        options += ["--set", "polling.long_poll_s=2"]
        platform = Platform(data, *options)
        client = platform.client("lambda")
        deploy(client, "crashes", {"app.py": SOURCE}, Timeout=3)
        uuid = client.create_event_source_mapping(FunctionName="crashes", **flow.mapping)["UUID"]
        wait_for(
            lambda: client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled", "enabled"
        )
        platform.kill()
        auditor = MappingAuditor(tmp_path / "witness", has_order=flow.has_order)
        faults = list(FAULTS)
        numbers.shuffle(faults)
        for turn in range(KILLS):
            fault = faults[turn % len(faults)]
            number = numbers.randrange(1, 12)
            with Life("mapping_failpoints", data, options, fault, number) as life:
                live(flow, life, auditor, fault, numbers)
            auditor.audit()
        with Life("mapping_failpoints", data, options, ANY_TIME, 0) as life:
            assert life.read_endpoint() is not None
            wait_for(
                lambda: (auditor.audit(), not auditor.left)[1],
                "all that was sent is done with",
                deadline_s=90 + KILLS,
            )
    auditor.audit()
    print(f"{KILLS} faults, {dict(auditor.hits)}; {auditor.produced} records,")
    print(f"{auditor.repeated.total()} of them done again")
    if 3 * len(FAULTS) <= KILLS:
        assert set(FAULTS) <= auditor.hits.keys()
