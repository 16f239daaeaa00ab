"""Which of several nodes runs a call. Pure.

Each function has two *homes*, the same ones for all nodes: so its environments are few, and warm. A
node runs a call itself if it has a free environment, and else has a home run it: the first one,
unless the second is clearly less busy. A function that a node sends away often gets environments
there as well, one at a time, until the calls that arrive there stay there.
"""

import hashlib
from collections.abc import Callable, Sequence

from lambent.model.errors import ApiError
from lambent.model.invocation import Refused

NODE_LOST = Refused(
    ApiError(
        "ServiceException",
        "The node that ran the function was lost before it responded. Repeat the request.",
        status=500,
    )
)
"""The outcome of a call that may have run on another node."""
HOMES = 2
COPY_S = 10.0
"""A function that was sent away some times in so many seconds gets an environment."""
_BUSIER, _BUSIER_BY = 1.5, 0.5
"""A home is passed over if it has so many times the invocations per processor of the other, and
so many more: loads are a tenth of a second old, and calls that stay with one home find it warm."""
_COUNTED_MAX = 65_536
_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15


def find_homes(thing: str, nodes: Sequence[int]) -> tuple[int, ...]:
    """The homes of a function, by a hash over both: each node is the home of about as many as the
    others, and few move when a node comes or goes. Fewer than `HOMES` if there are not as many
    nodes."""
    if len(nodes) == 1:
        return (nodes[0],)
    hashed = _hash(thing.encode())

    def weight(number: int) -> int:
        mixed = ((hashed ^ (number * _ODD)) * _ODD) & _MASK
        return ((mixed ^ (mixed >> 32)) * _ODD) & _MASK

    return tuple(sorted(nodes, key=weight, reverse=True)[:HOMES])


def choose(homes: Sequence[int], own: int, load_of: Callable[[int], float | None]) -> int:
    """The node that runs a call for which `own` has no free environment. `load_of` returns the
    invocations per processor of a node, None if it takes no calls; without any home it is `own`."""
    chosen, least = own, None
    for number in homes:
        load = load_of(number)
        if load is not None and (least is None or load * _BUSIER + _BUSIER_BY < least):
            chosen, least = number, load
    return chosen


class Copies:
    """Counts calls that are sent away."""

    def __init__(self, calls: int) -> None:
        """After so many of a function it gets an environment; 0 means never."""
        self._calls = calls
        self._counts: dict[object, tuple[float, int]] = {}
        """When counting began, and the count."""

    def note(self, thing: object, now: float) -> bool:
        """Count a call; returns whether its function is to get an environment here. `now` is
        monotonic, in seconds."""
        began, count = self._counts.get(thing, (now, 0))
        if now - began > COPY_S:
            began, count = now, 0
        if count + 1 == self._calls:
            self._counts.pop(thing, None)
            return True
        if len(self._counts) >= _COUNTED_MAX:
            self._counts.clear()
        self._counts[thing] = began, count + 1
        return False


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
