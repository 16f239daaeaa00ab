"""Judgement: from what was found and tried to one sentence."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lambent.upkeep.doctor.check import Check, State

_MEANINGS = {
    "root": "every function in its own namespaces, user and limits",
    "root-no-cgroups": "every function in its own namespaces and user; memory is limited per"
    " process, CPU not at all",
    "rootless": "every function in its own namespaces; all are one user of the host, and UDP does"
    " not leave them",
    "process": "functions are ordinary processes, without HTTPS to the platform: for code you"
    " trust",
}

_CAUSES = {
    "root-no-cgroups": ("cgroup controllers", "own cgroup", "cgroup v1", "cgroups"),
    "rootless": ("capabilities", "privileges"),
    "process": ("user namespaces", "namespaces", "capabilities"),
}
"""The checks that stand in the way of more than each tier, the likeliest first."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """All that doctor says."""

    tier: str | None
    """What `lambent up` would choose here; None if it would refuse to start."""
    checks: tuple[Check, ...]

    @property
    def state(self) -> State:
        """The worst of all."""
        states = {check.state for check in self.checks}
        return "broken" if "broken" in states else "missing" if "missing" in states else "ok"

    @property
    def summary(self) -> str:
        """One sentence: the tier, what it means, what would make it stronger or is broken."""
        broken = [check for check in self.checks if check.state == "broken"]
        if broken:
            first = broken[0]
            return f"Lambent cannot run functions here: {first.name}: {first.found}."
        if self.tier is None:
            return "Lambent cannot run functions here."
        meaning = _MEANINGS.get(self.tier, "functions are isolated")
        text = f"Isolation is {self.tier}: {meaning}"
        stronger = weakness(self.tier, self.checks) if self.tier != "root" else None
        return f"{text}; stronger: {stronger.name}: {stronger.found}." if stronger else f"{text}."

    def as_json(self) -> dict[str, Any]:
        """As printed by `--json`."""
        return {
            "tier": self.tier,
            "state": self.state,
            "summary": self.summary,
            "checks": [check.as_json() for check in self.checks],
        }


def weakness(tier: str, checks: Sequence[Check]) -> Check | None:
    """The one thing that stands between this tier and a stronger one."""
    missing = [
        check
        for check in checks
        if check.state == "missing" and check.section in ("isolation", "rights")
    ]
    known = _CAUSES.get(tier, ())
    of_tier = [check for name in known for check in missing if check.name == name]
    return next(iter([*of_tier, *missing]), None)
