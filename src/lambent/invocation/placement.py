"""Which node runs a call, where several share a database. The rule is `model/placement.py`.

The node that runs a call admits it, so what runs on a share of a limit ends with the node that has
the share. A call is sent on at most once: the node that it is sent to runs it.
"""

from collections.abc import Callable, Sequence

from lambent.invocation.ports import Node, OtherNode
from lambent.invocation.slots import slots
from lambent.kit.clock import Clock
from lambent.model.changes import Changes
from lambent.model.function import FunctionVersion
from lambent.model.invocation import InvocationRequest
from lambent.model.placement import Copies, choose, find_homes

_HOMES_MAX = 65_536


class Placement:
    """See the module."""

    def __init__(
        self,
        node: Node,
        find: Callable[[int], OtherNode | None],
        clock: Clock,
        number: int,
        *,
        copy_after_calls: int,
        load: Callable[[], float],
        provisioned: Callable[[FunctionVersion], int],
    ) -> None:
        """`find` returns another node by its number, None if it takes no calls. `number` is this
        node's; `load` returns the invocations per processor that run on it, and
        `provisioned` how many environments of a version are kept on all nodes.
        `copy_after_calls` is the setting."""
        self._node = node
        self._find = find
        self._clock = clock
        self._number = number
        self._load = load
        self._provisioned = provisioned
        self._live: Sequence[int] = ()
        self._homes: dict[tuple[str, str], Sequence[int]] = {}
        """Of versions and tenants that were called."""
        self._copies = Copies(copy_after_calls)

    def note_nodes(self, live: Sequence[int]) -> None:
        """These nodes take on work, from now on."""
        self._live = live
        self._homes.clear()

    def note_changes(self, _: Changes) -> None:
        """See `ChangeListener`: provisioned concurrency may have changed."""
        self._homes.clear()

    def choose(self, request: InvocationRequest) -> OtherNode | None:
        """The other node that is to run a request; None if this one is to."""
        function, tenant_id = request.function, request.tenant_id
        if self._node.has_free(function, tenant_id):
            return None
        if type(function) is not FunctionVersion:
            return None  # A debugged call belongs to this machine.
        which = function.configuration_id, tenant_id
        homes = self._homes.get(which)
        if homes is None:
            homes = self._find_homes(function, tenant_id)
            if len(self._homes) >= _HOMES_MAX:
                self._homes.clear()
            self._homes[which] = homes
        number = choose(homes, self._number, self._load_of)
        if number == self._number:
            return None
        if self._copies.note(which, self._clock.monotonic()):
            self._node.warm_up(function, tenant_id)
        return self._find(number)

    def _load_of(self, number: int) -> float | None:
        if number == self._number:
            return self._load()
        other = self._find(number)
        return None if other is None else other.busy

    def _find_homes(self, function: FunctionVersion, tenant_id: str) -> Sequence[int]:
        """By function, not by version: the next one finds its layers unpacked."""
        nodes = self._live
        if not nodes:
            return ()
        if wanted := self._provisioned(function):
            nodes = list(slots(function.configuration_id, wanted, nodes))
        return find_homes(f"{function.key.arn}:{tenant_id}", nodes)
