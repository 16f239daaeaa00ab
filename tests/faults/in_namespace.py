"""Runs `lambent` in a network namespace, with a wall clock that a test can shift.

    python -m tests.faults.in_namespace NAMESPACE CLOCK ARGUMENTS…

`CLOCK` is a file with a number: the seconds by which the wall clock is ahead. All of Lambent reads
the time through `SystemClock` or `time.time`; monotonic time is not shifted.
"""

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

from lambent.kit.clock import SystemClock
from tests.faults.network import enter

SHIFT = struct.Struct("d")


def write_shift(clock: Path, seconds: float) -> None:
    """Shift the clock of a running platform."""
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(SHIFT.pack(seconds))


def _shift_time(clock: Path) -> None:
    with clock.open("rb") as file:
        shift = mmap.mmap(file.fileno(), SHIFT.size, access=mmap.ACCESS_READ)
    true = time.time

    def shifted() -> float:
        (ahead,) = SHIFT.unpack(shift)
        return float(true() + ahead)

    time.time = shifted
    SystemClock.now = staticmethod(shifted)  # type: ignore[assignment]


if __name__ == "__main__":
    namespace, clock, *arguments = sys.argv[1:]
    enter(namespace)
    _shift_time(Path(clock))
    sys.argv = ["lambent", *arguments]
    runpy.run_module("lambent", run_name="__main__", alter_sys=True)
