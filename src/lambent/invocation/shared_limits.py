"""This node's shares of limits of concurrency, where several nodes share a database.

A share is raised when a call is short of it: the call waits for one transaction, all others count
in memory. What a share has beyond its use is returned after a while, or as soon as another node
asks for it. A limit that is exhausted everywhere is remembered for a moment, so that refused calls
cost no transactions.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from functools import partial

import anyio

from lambent.invocation.admission import Admission, Shortage
from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.model.arn import Scope
from lambent.model.changes import Changes
from lambent.model.function import FunctionKey
from lambent.model.shares import Grant, spare
from lambent.store.function_settings import Kind
from lambent.store.membership import Membership
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction

Purse = FunctionKey | Scope

_WAITING_MAX = 10_000
_ASKS_S = 0.2
"""How long a call waits for what other nodes return."""
_ROUND_S = 0.03
_EXHAUSTED_S = 0.1
"""How long calls are refused without a look at the database."""
_TIDY_S = 1.0
_IDLE_ROUNDS = 10
"""Rounds of `tidy` after which a share that is not used is returned."""


class SharedLimits:
    """Owner of this node's shares."""

    def __init__(
        self, admission: Admission, store: Store, membership: Membership, clock: Clock
    ) -> None:
        self._admission = admission
        self._store = store
        self._membership = membership
        self._clock = clock
        self._shares: dict[Purse, int] = {}
        """As the database has them; at least as much as admission counts on."""
        self._used: defaultdict[Purse, deque[int]] = defaultdict(lambda: deque(maxlen=_IDLE_ROUNDS))
        """How many invocations ran on each share, in the last rounds."""
        self._waiting: dict[Purse, list[Callable[[], None]]] = {}
        self._waits_since: dict[Purse, float] = {}
        self._exhausted_until: dict[Purse, float] = {}
        self._bell = anyio.Event()
        self._is_asked = False
        self._is_fenced = False
        self._unsure: set[Purse] = set()
        """After a transaction failed: the database may have more than it should."""

    def wait(self, shortage: Shortage, again: Callable[[], None]) -> None:
        """Call `again` once, when this node's share was raised, or cannot be."""
        purse, now = shortage.purse, self._clock.monotonic()
        calls = self._waiting.get(purse, ())
        if now < self._exhausted_until.get(purse, 0.0) or len(calls) >= _WAITING_MAX:
            again()
            return
        self._waiting.setdefault(purse, []).append(again)
        self._waits_since.setdefault(purse, now)
        self._bell.set()

    def note_asked(self) -> None:
        """Another node needs more."""
        self._is_asked = True
        self._bell.set()

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`: a limit may have been lowered, or raised."""
        for key in changes.functions:
            self._exhausted_until.pop(key, None)
            self._exhausted_until.pop(key.scope, None)
            if key in self._shares:
                self.note_asked()

    @property
    def may_run_on_shares(self) -> bool:
        """Whether invocations of functions with a reservation run here, or may begin."""
        functions = [purse for purse in self._shares if isinstance(purse, FunctionKey)]
        count = self._admission
        return any(count.in_use(key) or count.share_of(key) for key in functions)

    async def run(self) -> None:
        """Raise shares that calls wait for, and return what is not used, until cancelled. One
        loop does both: so admission never counts on a share that is being returned."""
        tidies_at = self._clock.monotonic() + _TIDY_S
        while True:
            await wait_at_most(self._clock, self._bell, _ROUND_S if self._waiting else _TIDY_S)
            self._bell = anyio.Event()
            self._fence()
            for purse in list(self._waiting):
                await self._raise(purse)
            less = {purse: self._shares.get(purse, 0) for purse in self._unsure}
            if self._is_asked:
                self._is_asked = False
                less |= await self._asked_for()
            if self._clock.monotonic() >= tidies_at:
                tidies_at = self._clock.monotonic() + _TIDY_S
                less |= self._unused()
            if less:
                await self._return(less)

    def _fence(self) -> None:
        """While this node is cut off, another may have its shares: count on none, until they are
        taken again."""
        self._is_fenced = self._membership.is_fenced()
        if self._is_fenced:
            for purse in self._shares:
                if isinstance(purse, FunctionKey):
                    self._admission.set_share(purse, 0)

    # -- more --------------------------------------------------------------------------------

    async def _raise(self, purse: Purse) -> None:
        needed = self._admission.in_use(purse) + len(self._waiting[purse])
        granted = None
        if not self._is_fenced:
            try:
                granted = await self._store.transact(partial(self._take, purse, needed))
            except StoreUnavailable:
                self._unsure.add(purse)
        now = self._clock.monotonic()
        if granted is not None:
            if granted.usable < needed:
                self._membership.ask_others()
            self._shares[purse] = granted.share
            self._admission.set_share(purse, granted.usable)
            self._serve(purse, max(granted.usable - self._admission.in_use(purse), 0))
        is_over = granted is None or now - self._waits_since.get(purse, now) >= _ASKS_S
        if purse in self._waiting and is_over:
            self._exhausted_until[purse] = now + _EXHAUSTED_S
            self._serve(purse, len(self._waiting[purse]))

    def _serve(self, purse: Purse, number: int) -> None:
        """Run the first of the calls that wait, or refuse them."""
        calls = self._waiting.pop(purse)
        if number < len(calls):
            self._waiting[purse] = calls[number:]
        else:
            del self._waits_since[purse]
        for again in calls[:number]:
            again()

    def _take(self, purse: Purse, needed: int, tx: Transaction) -> Grant:
        if isinstance(purse, FunctionKey):
            setting = tx.settings.get(Kind.CONCURRENCY, purse)
            limit = 0 if setting is None else setting["ReservedConcurrentExecutions"]
        else:
            limit = self._admission.limit_of(purse)
        number, nodes = self._membership.number, len(self._membership.live())
        return tx.shares.take(name_of(purse), number, limit=limit, needed=needed, nodes=nodes)

    # -- less --------------------------------------------------------------------------------

    def _unused(self) -> Mapping[Purse, int]:
        """What was not used for a while, as the shares that are left."""
        less, nodes = {}, len(self._membership.live())
        for purse, share in self._shares.items():
            used = self._used[purse]
            used.append(self._admission.in_use(purse))
            kept = max(used) + spare(self._admission.limit_of(purse), nodes)
            if len(used) == _IDLE_ROUNDS and kept < share:
                less[purse] = kept
        return less

    async def _asked_for(self) -> Mapping[Purse, int]:
        """What other nodes have asked for, as the shares that are left."""
        number = self._membership.number
        try:
            names = set(await self._store.read(lambda tx: tx.shares.asked(number)))
        except StoreUnavailable:
            return {}
        return {
            purse: self._admission.in_use(purse)
            for purse in self._shares
            if name_of(purse) in names or self._admission.share_of(purse) < self._shares[purse]
        }

    async def _return(self, less: Mapping[Purse, int]) -> None:
        left = {purse: max(to, self._admission.in_use(purse)) for purse, to in less.items()}
        # Before the database has it, so that no call counts on it meanwhile.
        self._unsure |= left.keys()
        for purse, share in left.items():
            self._admission.set_share(purse, share)
            self._shares[purse] = share
            if not share:
                del self._shares[purse]
                self._used.pop(purse, None)
        number = self._membership.number
        by_name = {name_of(purse): share for purse, share in left.items()}
        try:
            await self._store.transact(lambda tx: tx.shares.lower(number, by_name))
        except StoreUnavailable:
            return
        self._unsure -= left.keys()


def name_of(purse: Purse) -> str:
    """A purse in the database."""
    return ":".join(purse)
