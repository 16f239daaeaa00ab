"""Provisioned concurrency: from what functions claim to environments that are kept initialised.

The wish is in the store and is told here whenever a function has changed; the scheduler makes it
true. What is true is asked of the scheduler each time and never stored.
"""

from collections import Counter

from lambent.model.changes import Changes
from lambent.model.concurrency import ProvisionedState, Reservation
from lambent.model.function import FunctionKey
from lambent.node.pools.scheduler import Scheduler


class Provisioning:
    """Owner of the wishes."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._allotments: dict[FunctionKey, Reservation] = {}

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything:
            for key in self._allotments.keys() - changes.functions.keys():
                self.apply_quota(key, Reservation())
        for key, reservation in changes.functions.items():
            self.apply_quota(key, reservation)

    def apply_quota(self, key: FunctionKey, reservation: Reservation) -> None:
        """From now on this is what the function claims: an alias that has moved takes its
        environments along."""
        before = self._allotments.pop(key, None)
        if reservation.claims:
            self._allotments[key] = reservation
        wanted = reservation.provisioned()
        for function, _ in before.provisioned().values() if before is not None else ():
            if function.configuration_id not in wanted:
                self._scheduler.provision(function, 0)
        for function, number in wanted.values():
            self._scheduler.provision(function, number)

    def observe(self, key: FunctionKey, qualifier: str) -> ProvisionedState:
        """What became of one claim. Claims that lead to the same version are served in order."""
        reservation = self._allotments.get(key, Reservation())
        taken = Counter[str]()
        for claim in reservation.claims:
            ready, failure = 0, None
            for function, number in claim.shares:
                state = self._scheduler.provisioned(function)
                left = max(state.ready - taken[function.configuration_id], 0)
                taken[function.configuration_id] += number
                ready += min(left, number)
                failure = failure or state.failure
            if claim.qualifier == qualifier:
                return ProvisionedState(ready, failure)
        return ProvisionedState(0)
