"""How many invocations run, and whether one more may.

One object counts them all. It knows only how many of each configuration run and what is set aside
for each function. What is left for the others follows from that, so nothing has to be corrected
when limits change while invocations run.

- A function with a reservation runs at most that many, over all its versions.
- A version with provisioned concurrency has that many for itself, taken from the reservation if
  there is one: the other versions share the rest. Without a reservation, what a
  version runs beyond and what all other functions run shares the *pool*: the account's limit less
  everything that is set aside.
- The account's limit itself is never exceeded, not even while a lowered limit waits for
  invocations that began under the old one.

Where several nodes share a database, each counts against its *shares* of these limits
(`shared_limits.py`). A share begins at zero and is raised when an invocation is short of it.
"""

from collections.abc import Callable
from typing import NamedTuple

from lambent.invocation.settings import InvocationSettings
from lambent.model.arn import Scope
from lambent.model.changes import Changes
from lambent.model.concurrency import Reservation, throttled
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import Refusal, Refused
from lambent.model.invocation_ended import Concurrency

_RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"


class Shortage(NamedTuple):
    """One more invocation is within the limit, but not within this node's share."""

    purse: FunctionKey | Scope
    """The function whose reservation it is, or the account whose pool."""
    refused: Refused
    """The outcome if there is no more."""


def whole(_: str, number: int) -> int:
    """This node has all environments of a configuration's provisioned concurrency."""
    return number


class _Account:
    """What runs and what is set aside in one account and region."""

    __slots__ = ("limit", "pool", "pooled", "running", "share")

    def __init__(self, limit: int, share: int | None) -> None:
        self.share = share
        """This node's of the pool; None if the pool is its own."""
        self.limit = limit
        self.running = 0
        self.pool = limit
        """What is left of the limit when everything set aside is taken off."""
        self.pooled = 0
        """Those that run in the pool."""


class _Function:
    """One function, over all its versions."""

    __slots__ = (
        "account",
        "beyond",
        "counters",
        "everywhere",
        "key",
        "provisioned",
        "reserved",
        "running",
        "share",
    )

    def __init__(self, key: FunctionKey, account: _Account, share: int | None) -> None:
        self.key = key
        self.account = account
        self.share = share
        """This node's of the reservation; None if the reservation is its own."""
        self.everywhere = 0
        """What is provisioned of all its versions, on all nodes."""
        self.reserved: int | None = None
        self.running = 0
        self.provisioned = 0
        """Of all its versions, on this node."""
        self.beyond = 0
        """Those that run beyond what is provisioned for their version."""
        self.counters: dict[str, RunningCounter] = {}

    def set_aside(self) -> int:
        """What no other function may use."""
        return self.everywhere if self.reserved is None else self.reserved

    def pooled(self) -> int:
        """How many of its invocations run in the pool."""
        return self.beyond if self.reserved is None else 0

    def count(self) -> None:
        """Add up its versions after their provisioned concurrency has changed."""
        counters = self.counters.values()
        self.provisioned = sum(counter.provisioned for counter in counters)
        self.beyond = sum(max(counter.running - counter.provisioned, 0) for counter in counters)


class RunningCounter:
    """One configuration of a function version."""

    __slots__ = ("configuration_id", "function", "is_outdated", "provisioned", "running")

    def __init__(self, configuration_id: str, function: _Function) -> None:
        self.configuration_id = configuration_id
        self.function = function
        self.provisioned = 0
        self.running = 0
        self.is_outdated = False
        """Whether the function has changed since: the counter may never be needed again."""


class Admission:
    """Owner of all counts."""

    def __init__(
        self,
        settings: InvocationSettings,
        *,
        own: Callable[[str, int], int] = whole,
        is_shared: bool = False,
    ) -> None:
        """`own` says how many of a configuration's provisioned environments are on this node;
        `is_shared`, whether other nodes have shares of the limits."""
        self._limit = settings.concurrent_executions
        self._own = own
        self._is_shared = is_shared
        self._accounts: dict[Scope, _Account] = {}
        self._functions: dict[FunctionKey, _Function] = {}
        self._counters: dict[str, RunningCounter] = {}

    @property
    def size(self) -> int:
        """Number of functions that have an entry."""
        return len(self._functions)

    @property
    def running(self) -> int:
        """How many invocations run."""
        return sum(account.running for account in self._accounts.values())

    def admit(self, version: FunctionVersion) -> "RunningCounter | Refused | Shortage":
        """Count one more invocation and return its counter: call `release` with it once, when the
        invocation has ended. Returns a refusal if a limit is reached, and a shortage if only this
        node's share of it is; then nothing is counted."""
        counter = self._counters.get(version.configuration_id)
        if counter is None:
            counter = self._open(version.configuration_id, self._function(version.key))
        function = counter.function
        account = function.account
        is_beyond = counter.running >= counter.provisioned
        reserved = function.reserved
        if reserved is not None:
            if not reserved:
                return throttled(_RESERVED, reason=Refusal.SWITCHED_OFF)
            most = reserved if function.share is None else function.share
            is_full = is_beyond and function.beyond >= most - function.provisioned
            if is_full or function.running >= most:
                refused = throttled(_RESERVED)
                return refused if most >= reserved else Shortage(function.key, refused)
            if account.running >= account.limit:
                return throttled()
        elif account.running >= account.limit:
            return throttled()
        elif is_beyond:
            most = account.pool if account.share is None else min(account.share, account.pool)
            if account.pooled >= most:
                refused = throttled()
                return refused if most >= account.pool else Shortage(function.key.scope, refused)
            account.pooled += 1
        function.beyond += is_beyond
        account.running += 1
        function.running += 1
        counter.running += 1
        return counter

    @staticmethod
    def count(counter: RunningCounter) -> Concurrency:
        """How many invocations run now."""
        function = counter.function
        account = function.account
        provisioned = counter.provisioned
        return Concurrency(
            function.running,
            account.running,
            account.pooled,
            min(counter.running, provisioned),
            provisioned,
            account.limit - account.pool + account.pooled,
        )

    def release(self, counter: RunningCounter) -> None:
        """The invocation has ended, or never began."""
        function = counter.function
        account = function.account
        account.running -= 1
        function.running -= 1
        counter.running -= 1
        if counter.running >= counter.provisioned:
            function.beyond -= 1
            if function.reserved is None:
                account.pooled -= 1
        if counter.is_outdated and not counter.running:
            self._drop_idle(function)

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything:
            for key in self._functions.keys() - changes.functions.keys():
                self.apply_quota(key, Reservation())
        for key, reservation in changes.functions.items():
            self.apply_quota(key, reservation)

    def apply_quota(self, key: FunctionKey, reservation: Reservation) -> None:
        """Set this aside for the function from now on. The function may have been deleted."""
        function = self._function(key)
        account = function.account
        account.pool += function.set_aside()
        account.pooled -= function.pooled()
        if function.share is not None and function.reserved != reservation.reserved:
            # What is not in use has to be taken again, under the new limit.
            function.share = min(function.share, function.running)
        function.reserved = reservation.reserved
        function.everywhere = 0
        for counter in function.counters.values():
            counter.provisioned = 0
            counter.is_outdated = True
        for configuration_id, (_, number) in reservation.provisioned().items():
            counter = function.counters.get(configuration_id) or self._open(
                configuration_id, function
            )
            counter.provisioned = self._own(configuration_id, number)
            function.everywhere += number
        function.count()
        account.pool -= function.set_aside()
        account.pooled += function.pooled()
        self._drop_idle(function)

    def _function(self, key: FunctionKey) -> _Function:
        function = self._functions.get(key)
        if function is None:
            share = 0 if self._is_shared else None
            account = self._accounts.get(key.scope)
            if account is None:
                account = self._accounts[key.scope] = _Account(self._limit, share)
            function = self._functions[key] = _Function(key, account, share)
        return function

    # -- shares ----------------------------------------------------------------------------

    def set_share(self, purse: FunctionKey | Scope, share: int) -> None:
        """This node's share of a limit from now on."""
        if isinstance(purse, FunctionKey):
            function = self._functions.get(purse)
            if function is not None:
                function.share = share
        else:
            account = self._accounts.get(purse)
            if account is not None:
                account.share = share

    def share_of(self, purse: FunctionKey | Scope) -> int:
        """This node's share of a limit, as it counts now."""
        owner = (
            self._functions.get(purse)
            if isinstance(purse, FunctionKey)
            else self._accounts.get(purse)
        )
        return 0 if owner is None or owner.share is None else owner.share

    def in_use(self, purse: FunctionKey | Scope) -> int:
        """How many invocations run on a share."""
        if isinstance(purse, FunctionKey):
            function = self._functions.get(purse)
            return 0 if function is None or function.reserved is None else function.running
        account = self._accounts.get(purse)
        return 0 if account is None else account.pooled

    def limit_of(self, purse: FunctionKey | Scope) -> int:
        """How many invocations may run on all nodes: what a function has reserved, or what is
        unreserved in an account."""
        if isinstance(purse, FunctionKey):
            function = self._functions.get(purse)
            return 0 if function is None else function.reserved or 0
        account = self._accounts.get(purse)
        return self._limit if account is None else max(account.pool, 0)

    def _open(self, configuration_id: str, function: _Function) -> RunningCounter:
        counter = RunningCounter(configuration_id, function)
        self._counters[configuration_id] = function.counters[configuration_id] = counter
        return counter

    def _drop_idle(self, function: _Function) -> None:
        for counter in list(function.counters.values()):
            if not counter.running and not counter.provisioned:
                del (
                    function.counters[counter.configuration_id],
                    self._counters[counter.configuration_id],
                )
        if not function.counters and function.reserved is None:
            del self._functions[function.key]
