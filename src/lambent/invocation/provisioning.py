"""Provisioned concurrency: from the claims of functions to environments that are kept initialised.

The claims are in the store and come here whenever a function has changed; the node fulfils them.
What is fulfilled is asked of the node each time and never stored.
"""

from collections import Counter
from collections.abc import Callable

from lambent.invocation.admission import whole
from lambent.invocation.ports import Node
from lambent.model.changes import Changes
from lambent.model.concurrency import ProvisionedState, Reservation
from lambent.model.function import FunctionKey, FunctionVersion


class Provisioning:
    """Owner of the claims."""

    def __init__(self, node: Node, *, own: Callable[[str, int], int] = whole) -> None:
        """`own` says how many of a configuration's environments are on this node."""
        self._node = node
        self._own = own
        self._reservations: dict[FunctionKey, Reservation] = {}

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything:
            for key in self._reservations.keys() - changes.functions.keys():
                self.apply_quota(key, Reservation())
        for key, reservation in changes.functions.items():
            self.apply_quota(key, reservation)

    def apply_quota(self, key: FunctionKey, reservation: Reservation) -> None:
        """Apply what the function claims from now on. An alias that has moved takes its
        environments along."""
        before = self._reservations.pop(key, None)
        if reservation.claims:
            self._reservations[key] = reservation
        wanted = reservation.provisioned()
        for function, _ in before.provisioned().values() if before is not None else ():
            if function.configuration_id not in wanted:
                self._node.provision(function, 0)
        for function, number in wanted.values():
            self._node.provision(function, self._own(function.configuration_id, number))

    def wanted(self, version: FunctionVersion) -> int:
        """How many environments of a version are kept, on all nodes."""
        reservation = self._reservations.get(version.key)
        if reservation is None:
            return 0
        _, number = reservation.provisioned().get(version.configuration_id, (version, 0))
        return number

    def observe(self, key: FunctionKey, qualifier: str) -> ProvisionedState:
        """The state of one claim. Claims for the same version are served in order."""
        reservation = self._reservations.get(key, Reservation())
        taken = Counter[str]()
        for claim in reservation.claims:
            ready, failure = 0, None
            for function, number in claim.shares:
                state = self._node.provisioned(function.configuration_id)
                left = max(state.ready - taken[function.configuration_id], 0)
                taken[function.configuration_id] += number
                ready += min(left, number)
                failure = failure or state.failure
            if claim.qualifier == qualifier:
                return ProvisionedState(ready, failure)
        return ProvisionedState(0)
