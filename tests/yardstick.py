"""How slow this host is at the moment, for tests that say how long something may take.

Such a bound is meant for a host that does little else. Where others compute as well, everything
takes longer, and that is not the platform's doing. So a bound is multiplied by how many times
longer: by 1 where there is a processor to spare.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PIECE_S = 0.005
_PIECES, _PAUSE_S = 12, 0.02


def slowdown() -> float:
    """How many times longer work takes than its processor time, at least 1; asked in a third of a
    second."""
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
    """Returns what a bound comes to here, to be asked afterwards. The host is asked before and
    after what is measured, not meanwhile: what the platform lets happen excuses nothing."""
    before = slowdown()
    yield lambda: seconds * max(before, slowdown())
