"""Three machines on one database lose nothing, and keep every limit, while machines are killed,
paused and cut off, the database restarts, clocks are wrong and disks are full.

`make cluster-long` has 500 faults. A seed decides which faults happen when: a short run always has
the same ones, a long run others each time, unless `CLUSTER_SEED` says which. What the machines do
meanwhile is not repeated.
"""

import os
import time

import pytest

from tests.faults.auditor import Evidence, judge
from tests.faults.plan import EVERY_S, plan
from tests.faults.world import LIMIT, NODES, World, world
from tests.platforms import wait_for

FAULTS = int(os.environ.get("CLUSTER_FAULTS", "20"))
_SHORT_SEED = 23
QUIET_S = 3.0
pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces"),
    pytest.mark.timeout(300 + 4 * FAULTS),
]


def test_nothing_is_lost() -> None:
    """Under load of every kind. Afterwards, all of it works without a single failure."""
    other = time.time_ns() % 1_000_000 if "CLUSTER_FAULTS" in os.environ else _SHORT_SEED
    seed = int(os.environ.get("CLUSTER_SEED", other))
    faults = plan(seed, FAULTS, NODES)
    told = "\n".join([f"CLUSTER_SEED={seed} CLUSTER_FAULTS={FAULTS}", *map(str, faults)])
    print(told)
    with world(FAULTS * EVERY_S) as made:
        wrong = run(made, seed, faults)
        assert not wrong, "\n".join([told, f"{len(wrong)} problems:", *wrong[:40]])


def run(made: World, seed: int, faults: object) -> list[str]:
    """Let the faults happen under load; returns what is wrong."""
    load = made.new_load(seed)
    with made.sampler.running(), load.running():
        time.sleep(1)  # noqa: TID251 - the first fault meets machines that work
        began = time.monotonic()
        made.injection.carry_out(faults)
        made.wait_whole(120)
        quiet = time.monotonic()
        time.sleep(QUIET_S)  # noqa: TID251 - all works
    names = {sent.name for sent in load.sent} | set(made.ticks)
    fails = {sent.name for sent in load.sent if sent.fails}
    try:
        wait_for(
            lambda: names - made.names() <= made.dead() and fails <= made.dead(),
            "everything that was acknowledged has run",
            60 + FAULTS,
        )
    except AssertionError as error:
        print(error)
        for table in ("nodes", "async_events", "event_deliveries", "deliveries", "ticks"):
            print(table, made.database.table(table), sep="\n")
    problems = [call.problem for call in load.calls if call.began > quiet and call.problem]
    evidence = Evidence(
        happened=made.injection.happened,
        calls=load.calls,
        sent=load.sent,
        said=made.recorder.said,
        dead=made.dead(),
        ticks=made.ticks,
        most={"limited": made.sampler.most},
        limits={"limited": LIMIT},
        machines={machine.address: machine.name for machine in made.machines},
    )
    wrong = [*judge(evidence), *(f"after all faults: {problem}" for problem in problems)]
    failed = sum(bool(call.problem) for call in load.calls)
    print(
        f"{len(faults)} faults in {time.monotonic() - began:.0f} s; {len(load.calls)} calls,"
        f" {failed} failed; {len(load.sent)} acknowledged, {len(made.recorder.said)} runs;"
        f" most at once {made.sampler.most} in {made.sampler.looks} looks;"
        f" platforms ended {sum(len(machine.ends) for machine in made.machines)} times"
    )
    first = made.injection.happened[0].began if made.injection.happened else began
    for machine in made.machines:
        print(machine.name, [f"{at - first:.1f} s: {code}" for at, code in machine.ends])
    if wrong or os.environ.get("CLUSTER_OUTPUT"):
        for machine in made.machines:
            print(machine.name, machine.output[-5000:], sep="\n")
        print(f"times are monotonic; the first fault began at {first:.1f}")
    return wrong
