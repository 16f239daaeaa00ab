"""Steps of a trial: each is timed, and what goes wrong in one is reported, not raised."""

import dataclasses
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lambent.sandbox.ports import SandboxError


class Failed(Exception):
    """Something did not do what it should; the message says what."""


class StopCheck(Exception):
    """A step failed that all later ones need."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Step:
    """One thing that was tried."""

    name: str
    found: str = ""
    """What it gave, for people."""
    error: str = ""
    """What went wrong, exactly; empty if nothing did."""
    ms: float = 0.0


@dataclasses.dataclass(slots=True)
class CheckSteps:
    """What has been tried so far."""

    done: list[Step] = dataclasses.field(default_factory=list)
    processes: dict[int, str] = dataclasses.field(default_factory=dict)
    """All that there were, to be looked for at the end."""

    @contextmanager
    def step(self, name: str, *, is_needed: bool = False) -> Iterator[Step]:
        """Try something. If it fails and is needed, raises `StopCheck`: no more can be tried."""
        step = Step(name=name)
        self.done.append(step)
        began = time.perf_counter()
        try:
            yield step
        except (SandboxError, Failed, OSError, subprocess.SubprocessError) as error:
            step.error = str(error) or "it took too long"
            if is_needed:
                raise StopCheck from None
        finally:
            step.ms = round((time.perf_counter() - began) * 1000, 1)
