"""Which requests are traced if no service before has decided: the first of each second, and 5 % of
the others. https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
"""

import random
from collections import OrderedDict
from collections.abc import Callable, Hashable

from lambent.kit.clock import Clock

FIXED_RATE = 0.05
_KNOWN_MAX = 10_000


class Sampler:
    """Decides for each traced function, stage, … on its own."""

    def __init__(self, clock: Clock, draw: Callable[[], float] = random.random) -> None:
        """`draw` returns a random number from 0.0 to below 1.0."""
        self._clock = clock
        self._draw = draw
        self._seconds: dict[Hashable, int] = {}
        """The last second in which the first request was sampled."""
        self._remembered: OrderedDict[str, bool] = OrderedDict()

    def decide(self, of: Hashable) -> bool:
        """Whether this request is sampled. `of` is what is called."""
        second = int(self._clock.now())
        if self._seconds.get(of) != second:
            if len(self._seconds) >= _KNOWN_MAX:
                self._seconds.clear()
            self._seconds[of] = second
            return True
        return self._draw() < FIXED_RATE

    def decide_once(self, of: Hashable, event: str) -> bool:
        """As `decide`, with the same result for every attempt of an event, named by its ID, as long
        as it is among the last 10,000."""
        known = self._remembered.get(event)
        if known is None:
            known = self._remembered[event] = self.decide(of)
            if len(self._remembered) > _KNOWN_MAX:
                self._remembered.popitem(last=False)
        return known
