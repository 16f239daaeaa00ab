"""How slow this host is at the moment, for tests that assert durations.

Such a bound assumes an idle host. When other processes compute as well, everything takes longer,
which is not the platform's fault. So a bound is multiplied by the slowdown, which is 1 when a
processor is free.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PIECE_S = 0.005
_PIECES, _PAUSE_S = 12, 0.02


def slowdown() -> float:
    """How many times longer work takes than its processor time, at least 1; measured within a third
    of a second."""
    wall_s = cpu_s = 0.0
    for _ in range(_PIECES):
        began, began_cpu = time.monotonic(), time.thread_time()
        while time.thread_time() - began_cpu < _PIECE_S:
            pass
        wall_s += time.monotonic() - began
        cpu_s += time.thread_time() - began_cpu
        time.sleep(_PAUSE_S)  # noqa: TID251 - it is the host that is asked
    return max(1.0, wall_s / cpu_s)


@contextmanager
def allowing(seconds: float) -> Iterator[Callable[[], float]]:
    """Returns the bound scaled to this host; call the result after the measured work. The host is
    measured before and after that, not during: load from the platform itself excuses nothing."""
    before = slowdown()
    yield lambda: seconds * max(before, slowdown())
