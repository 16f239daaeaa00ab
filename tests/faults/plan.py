"""Which faults happen when, as a seed decides."""

import dataclasses
import random
from collections.abc import Sequence

EVERY_S = 2.0
"""Seconds from the beginning of a fault to that of the next."""
DATABASE = "database"
_KINDS = {
    "kill": 3,
    "pause": 3,
    "lose database": 2,
    "lose neighbor": 1,
    "lose all": 3,
    "lose what it sends": 2,
    "lose what it receives": 2,
    "restart database": 2,
    "crash database": 1,
    "shift clock": 2,
    "fill disk": 1,
}
"""Kinds, and how often each happens compared to the others."""
_RESTART_S = 6.0
"""How long a machine is left alone after a kill."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks, and works again."""

    at: float
    """Seconds after the first one may begin."""
    kind: str
    target: str
    """The machine that it happens to."""
    lasts: float
    """Seconds."""
    shift: float = 0.0
    """Seconds of the clock."""

    def __str__(self) -> str:
        shift = f" by {self.shift:+.0f} s" if self.shift else ""
        return f"{self.at:6.1f} s: {self.kind} of {self.target}{shift} for {self.lasts:.1f} s"


def plan(seed: int, number: int, nodes: Sequence[str]) -> Sequence[Fault]:
    """So many faults. A machine has one at a time, different machines may have some at once."""
    numbers = random.Random(seed)
    free_at = dict.fromkeys([*nodes, DATABASE], 0.0)
    faults: list[Fault] = []
    at = 0.0
    while len(faults) < number:
        fault = _one(numbers, at, nodes)
        if free_at[fault.target] <= at:
            faults.append(fault)
            free_at[fault.target] = at + fault.lasts + 1
            at += EVERY_S
        elif all(until > at for until in free_at.values()):
            at += EVERY_S
    return faults


def _one(numbers: random.Random, at: float, nodes: Sequence[str]) -> Fault:
    kind = numbers.choices([*_KINDS], weights=[*_KINDS.values()])[0]
    target = DATABASE if kind.endswith(DATABASE) and kind != "lose database" else ""
    target = target or numbers.choice(nodes)
    lasts = numbers.uniform(0.5, 8.0)
    if kind == "kill":
        lasts = _RESTART_S
    elif target == DATABASE:
        lasts = numbers.uniform(0.0, 3.0)
    shift = numbers.choice([-1, 1]) * numbers.uniform(2, 120) if kind == "shift clock" else 0.0
    return Fault(at, kind, target, lasts, shift)
