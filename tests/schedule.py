"""Which tests start first, and which stay together, when several workers share them (`-n`)."""

import functools
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FIRST = (
    "tests/faults/test_faults.py",
    "tests/scenario/stacks/",
    "tests/hostile/",
    "tests/crash/",
    "tests/isolation/",
    "tests/console/",
    "tests/scenario/mappings/",
    "tests/scenario/",
    "tests/process_tier/",
    "tests/servers/",
)
"""Units that take long start first, so that no worker waits for one at the end: first those that
stay together, each of which takes minutes. Files not named here come last."""

APART = tuple(
    f"tests/crash/test_{name}.py" for name in ("async_crashes", "mapping_crashes", "outages")
)
"""Every test in these takes long and shares nothing: any worker may take it. Elsewhere the tests of
a file share its fixtures."""

TOGETHER = {
    # In sequence: they share a neighbor that is watched to the end.
    "tests/hostile/": "hostile",
    # They share brokers, which take five seconds of CPU to start.
    "tests/crash/test_injected_failures.py": "brokers",
    "tests/scenario/mappings/test_activemq.py": "brokers",
    "tests/scenario/mappings/test_rabbitmq.py": "brokers",
    "tests/servers/test_brokers.py": "brokers",
    # They share compiled classes, which take four seconds of CPU.
    "tests/scenario/test_java": "java",
    # They share a browser and a platform.
    "tests/console/": "console",
    # They share a platform with local services.
    "tests/scenario/stacks/": "stacks",
    # They share a strict platform with local services.
    "tests/scenario/test_services_strict": "strict services",
    # They measure, or compare the machine before and after.
    "tests/isolation/": "machine",
    "tests/scenario/test_up.py": "machine",
    "tests/scenario/test_bursts.py": "machine",
    "tests/scenario/test_floods.py": "machine",
}


_SLOW = {"postgresql", "own_postgresql", "database", "migrated"}
"""Fixtures: a database takes a tenth of a second."""


@functools.cache
def unit_of(nodeid: str) -> str:
    """The unit that a worker takes: a file, a test, or several files."""
    for start, name in TOGETHER.items():
        if nodeid.startswith(start):
            return name
    return nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0]


def rank_of(nodeid: str) -> int:
    """Which of `FIRST` a test belongs to."""
    matches = (rank for rank, start in enumerate(FIRST) if nodeid.startswith(start))
    return next(matches, len(FIRST))


class _ByUnit(LoadScopeScheduling):
    """Assigns units to workers in the order of collection."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def schedule(self) -> None:
        """Also number the tests: xdist would search the list of all for each."""
        if self.collection is None:
            self._numbers = {
                nodeid: number
                for number, nodeid in enumerate(next(iter(self.registered_collections.values())))
            }
        super().schedule()

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forget it: xdist would count it again whenever another test is complete."""
        assert self.collection is not None
        nodeid = self.collection[item_index]
        units = self.assigned_work[node]
        unit = unit_of(nodeid)
        del units[unit][nodeid]
        if not units[unit]:
            del units[unit]
        self._reschedule(node)

    def _reschedule(self, node: Any) -> None:
        """Assign a unit when one test is left: a worker has to know what follows the test that it
        starts, and what waits for a long test could run elsewhere."""
        if self.workqueue and self._pending_of(self.assigned_work[node]) > 1:
            return
        super()._reschedule(node)

    def _assign_work_unit(self, node: Any) -> None:
        unit, tests = self.workqueue.popitem(last=False)
        self.assigned_work[node][unit] = tests
        node.send_runtest_some([self._numbers[nodeid] for nodeid in tests])

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Make `--dist loadfile` use our units."""
    return _ByUnit(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first; those of one unit are neighbors. Tests that open a database are slow."""
    for item in items:
        if "postgresql" in item.name or _SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    ranks: dict[str, int] = {}
    for item in items:
        ranks.setdefault(unit_of(item.nodeid), rank_of(item.nodeid))
    units = sorted(ranks, key=lambda unit: ranks[unit])
    places = {unit: place for place, unit in enumerate(units)}
    items.sort(key=lambda item: places[unit_of(item.nodeid)])
