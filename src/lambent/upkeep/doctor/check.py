"""What doctor says about one thing."""

import dataclasses
from typing import Any, Literal

State = Literal["ok", "missing", "broken"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at or tried."""

    name: str
    """Stable, for programs."""
    state: State = "ok"
    """`missing`: works, with less; `broken`: functions cannot run."""
    found: str
    fix: str = ""
    """What to do about it: commands to copy, or a sentence."""
    ms: float | None = None
    """How long it took, of what was tried."""
    section: str = ""

    def as_json(self) -> dict[str, Any]:
        """As printed by `--json`."""
        return dataclasses.asdict(self)
