"""Nodes that get calls at random, in simulated time: how many start an environment, how many
travel, and how evenly nodes are used.

The rules are those of `lambent.model.placement`; tests break one of them each. Loads are a tenth of
a second old, as on the links. Functions are as popular as Zipf's law says.
"""

import bisect
import dataclasses
import heapq
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from lambent.invocation.settings import InvocationSettings
from lambent.model.placement import Copies, choose, find_homes

KEPT_S = 600.0
COLD_S = 0.3
LOADS_S = 0.1
PROCESSORS = 8
COPY_AFTER = InvocationSettings().copy_after_calls
Rule = Callable[[Sequence[int], int, Callable[[int], float | None]], int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """What nodes do."""

    is_local_if_warm: bool = True
    choose: Rule = choose
    homes_max: int = 2
    makes_copies: bool = True
    each_for_itself: bool = False


@dataclasses.dataclass
class Found:
    """What came of it."""

    calls: int = 0
    cold: int = 0
    """Calls that waited for an environment to start."""
    hops: int = 0
    environments: int = 0
    """Started, also those that no call waited for."""
    ran: Counter[int] = dataclasses.field(default_factory=Counter)
    """Busy seconds by node."""

    @property
    def imbalance(self) -> float:
        """The busiest node's share, as a multiple of the mean."""
        return max(self.ran.values()) / (sum(self.ran.values()) / len(self.ran))

    @property
    def summary(self) -> str:
        """For people."""
        cold, hops = self.cold / self.calls, self.hops / self.calls
        return (
            f"cold {cold:.2%}, hops {hops:.0%}, {self.environments} environments,"
            f" imbalance {self.imbalance:.2f}"
        )


class World:
    """The nodes, and what each has."""

    def __init__(self, seed: int, rules: Rules, *, nodes: int, functions: int, rate: float) -> None:
        """`rate` is in calls per second."""
        self._random = random.Random(seed)
        self._rules = rules
        self._nodes = range(1, nodes + 1)
        self._rate = rate
        weights = (1 / n**1.1 for n in range(1, functions + 1))
        self._bounds = list(itertools.accumulate(weights))
        self._durations = [self._random.expovariate(1 / 0.1) + 0.002 for _ in range(functions)]
        self._homes: dict[int, Sequence[int]] = {}
        self._free: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
        """By node and function: when each environment was used last; the last one is used next."""
        self._starting: set[tuple[int, int]] = set()
        """Where a copy starts."""
        self._ends: list[tuple[float, int, int, bool]] = []
        """When something ends: a call, or the start of a copy."""
        self._busy: Counter[int] = Counter()
        self._told: Counter[int] = Counter()
        """What nodes know of each other's load."""
        self._copies = {node: Copies(COPY_AFTER) for node in self._nodes}
        self.found = Found(ran=Counter(dict.fromkeys(self._nodes, 0)))

    def run(self, seconds: float) -> Found:
        """Let calls arrive for so long; the first half warms up and does not count."""
        now, told_at, is_counted = 0.0, 0.0, False
        while now < seconds:
            now += self._random.expovariate(self._rate)
            if now - told_at > LOADS_S:
                self._told, told_at = self._busy.copy(), now
            if not is_counted and now > seconds / 2:
                is_counted = True
                started = self.found.environments
                self.found = Found(environments=started, ran=Counter(dict.fromkeys(self._nodes, 0)))
            self._end_until(now)
            function = bisect.bisect(self._bounds, self._random.random() * self._bounds[-1])
            self._call(self._random.choice(self._nodes), function, now)
        return self.found

    def _call(self, arrived: int, function: int, now: float) -> None:
        self.found.calls += 1
        node = self._place(arrived, function, now)
        if node != arrived:
            self.found.hops += 1
            self._told[node] += 1
        took = self._durations[function]
        self.found.ran[node] += took
        if self._is_free(node, function, now):
            self._free[node, function].pop()
        else:
            self.found.cold += 1
            self.found.environments += 1
            took += COLD_S
        self._busy[node] += 1
        heapq.heappush(self._ends, (now + took, node, function, False))

    def _place(self, arrived: int, function: int, now: float) -> int:
        rules = self._rules
        if rules.each_for_itself:
            return arrived
        if rules.is_local_if_warm and self._is_free(arrived, function, now):
            return arrived
        homes = self._homes.get(function)
        if homes is None:
            homes = self._homes[function] = find_homes(f"f{function}", self._nodes)
        node = rules.choose(
            homes[: rules.homes_max],
            arrived,
            lambda number: (self._busy if number == arrived else self._told)[number] / PROCESSORS,
        )
        if node != arrived and rules.makes_copies and self._copies[arrived].note(function, now):
            self._copy(arrived, function, now)
        return node

    def _copy(self, node: int, function: int, now: float) -> None:
        if (node, function) not in self._starting:
            self._starting.add((node, function))
            self.found.environments += 1
            heapq.heappush(self._ends, (now + COLD_S, node, function, True))

    def _is_free(self, node: int, function: int, now: float) -> bool:
        free = self._free.get((node, function))
        return bool(free) and free[-1] > now - KEPT_S

    def _end_until(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            ended, node, function, is_copy = heapq.heappop(self._ends)
            self._free[node, function].append(ended)
            if is_copy:
                self._starting.discard((node, function))
            else:
                self._busy[node] -= 1
