"""The memory of the whole system."""

import time
from pathlib import Path

_STEP_S = 0.5
_STEADY_MB = 4.0
_ATTEMPTS = 40


def available_mb() -> float:
    """What the kernel says could still be given to programs, in MiB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    raise OSError("this kernel does not tell MemAvailable")


def settled_available_mb() -> float:
    """The same once it changes no more, because all that was begun has been done."""
    last = available_mb()
    for _ in range(_ATTEMPTS):
        time.sleep(_STEP_S)  # noqa: TID251 - a benchmark lives in real time
        now = available_mb()
        if abs(now - last) < _STEADY_MB:
            return now
        last = now
    return last
