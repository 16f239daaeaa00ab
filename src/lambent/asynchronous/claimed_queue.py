"""From the store into memory, from there into attempts, and their results back into the store.

Events and deliveries have this in common: they wait in lanes until they are due, and are claimed in
the store while they are in memory (see `lanes.py`, `store/claims.py` and `group_commit.py`).
"""

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import anyio
import anyio.abc

from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.lanes import Lanes
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_part
from lambent.store.claims import Claims
from lambent.store.store import Store, Transaction

_CLAIMED_AT_ONCE_MAX = 512
_BEGUN_AT_ONCE_MAX = 32
"""Further attempts begin after other work of the event loop."""
_IDLE_S = 3600.0

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E")


class Table(Protocol[K, T_co]):
    """Where things wait, in one transaction."""

    @property
    def claims(self) -> Claims:
        """Their claims."""
        ...

    def claim(
        self, key: K, *, by: str, now: float, limit: int
    ) -> tuple[Sequence[T_co], float | None]:
        """See `Claims.take`."""
        ...

    def lanes(self) -> Iterator[tuple[K, float]]:
        """See `Claims.lanes`."""
        ...


class ClaimedQueue(ABC, Generic[K, T, E]):
    """Feeds things `T`, in lanes `K`, to attempts, which end in an `E` each."""

    def __init__(
        self,
        store: Store,
        group_commit: GroupCommit,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        lanes: Lanes[K, T],
    ) -> None:
        self._claims = itertools.count()
        self._doubtful: set[str] = set()
        """Claims of transactions that failed. If one was committed anyway, what it claimed is in no
        memory."""
        self._store = store
        self._group_commit = group_commit
        self._clock = clock
        self._tasks = tasks
        self._lanes = lanes
        self._ended: list[E] = []
        self._given_back: list[T] = []
        self._is_beginning = False
        self.is_patient = False
        """Whether attempts begin only after commits."""
        self._bell = anyio.Event()
        self._wakes_at = 0.0

    # -- what subclasses define ---------------------------------------------------------------

    @abstractmethod
    def table(self, tx: Transaction) -> Table[K, T]:
        """The table where the things wait."""

    @abstractmethod
    def describe(self, item: T) -> tuple[int, K]:
        """Its id and its lane."""

    @abstractmethod
    def begin(self, item: T, now: float) -> None:
        """Begin an attempt, which is to `end`, to be `put_off` or to be `left`."""

    @abstractmethod
    def conclude(
        self, tx: Transaction, ended: Sequence[E], claimed: dict[K, Sequence[T]], now: float
    ) -> Callable[[], Iterable[tuple[K, float]]]:
        """Store the results of attempts, and remove from `claimed` what need not begin. Returns a
        function that is called after the commit, on the event loop; it returns the lanes in which
        the store has something to retry, and when."""

    # -- attempts --------------------------------------------------------------------------

    def end(self, key: K, ended: E, *, ran: bool) -> None:
        """An attempt is over; `ran` says whether it got as far as to run."""
        self._lanes.end(key, self._clock.now(), ran=ran)
        self._ended.append(ended)
        self.begin_some()

    def put_off(self, key: K, item: T) -> None:
        """An attempt could not be made, and others of this lane could not either now."""
        self._given_back.extend(self._lanes.pause(key, item, self._clock.now()))
        self.begin_some()

    def leave(self, key: K, item: T) -> None:
        """Return a thing to the store without an attempt; it is examined when it is claimed
        again."""
        self._lanes.end(key, self._clock.now(), ran=False)
        self._given_back.append(item)
        self.begin_some()

    def begin_some(self) -> None:
        """Begin as many attempts as the limits allow."""
        if not (self._is_beginning or self.is_patient):
            self._begin_some()
        self._ask()

    def _begin_some(self) -> None:
        self._is_beginning = True
        try:
            now = self._clock.now()
            for _ in range(_BEGUN_AT_ONCE_MAX):
                found = self._lanes.next(now)
                if found is None:
                    break
                self.begin(found[1], now)
            else:
                asyncio.get_running_loop().call_soon(self.begin_some)
        finally:
            self._is_beginning = False

    def _ask(self) -> None:
        """Ask for a transaction if there is something to write, and for a wake-up in time."""
        if self._ended or self._given_back or self._lanes.wants_refill:
            self._group_commit.ring()
        wakes_at = self._lanes.wakes_at
        if wakes_at is not None and wakes_at < self._wakes_at:
            self._bell.set()

    # -- what comes ------------------------------------------------------------------------

    def expect(self, key: K) -> bool:
        """Whether a thing that is about to be written may be held in memory at once."""
        return self._lanes.expect(key, self._clock.now())

    def accept(self, things: Iterable[tuple[T, K, bool]]) -> None:
        """Take things that have been written: each with its lane and whether it is held in memory;
        else it waits in the store."""
        now = self._clock.now()
        for item, key, is_held in things:
            if is_held:
                self._lanes.arrive(key, (item,), 1, now)
            else:
                self._lanes.note_stored(key, now, now)
        self._begin_some()
        self._ask()

    def release(self, claim: str, keys: Iterable[tuple[K, bool]]) -> None:
        """Items were not written, or it is unknown whether they were. `keys` says of each lane
        whether it expected one."""
        now = self._clock.now()
        self._doubtful.add(claim)
        for key, is_held in keys:
            self._lanes.note_claimed(key, (), int(is_held), now, now)

    def new_claim(self) -> str:
        """A name for the claims of one transaction."""
        return f"{self._store.starts}.{next(self._claims)}"

    # -- transactions ----------------------------------------------------------------------

    def collect(self) -> "_Turn[K, T, E] | None":
        """See `Participant`."""
        now = self._clock.now()
        wants = self._lanes.wants(_CLAIMED_AT_ONCE_MAX, now)
        if not (wants or self._ended or self._given_back):
            return None
        ended, self._ended = self._ended, []
        given_back, self._given_back = self._given_back, []
        return _Turn(self, wants, ended, given_back, now, frozenset(self._doubtful))

    def turn_done(self, turn: "_Turn[K, T, E]") -> None:
        """A transaction was committed."""
        now = self._clock.now()
        self._doubtful -= turn.doubtful
        for item in turn.given_back:
            self._lanes.note_stored(self.describe(item)[1], now, now)
        for key, due_at in turn.after_commit():
            self._lanes.note_stored(key, due_at, now)
        for key, expected in turn.wants:
            next_due = turn.next_due[key]
            self._lanes.note_claimed(key, turn.claimed[key], expected, next_due, now)
        self.begin_some()

    def turn_failed(self, turn: "_Turn[K, T, E]") -> None:
        """A transaction failed: everything has to be written again."""
        now = self._clock.now()
        self._doubtful.add(turn.claim)
        self._ended = [*turn.ended, *self._ended]
        self._given_back = [*turn.given_back, *self._given_back]
        for key, expected in turn.wants:
            self._lanes.note_claimed(key, (), expected, now, now)

    # -- time ------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Find what was left, before anything new is accepted; what was claimed, too, by platforms
        that no longer run."""
        now = self._clock.now()

        def look(tx: Transaction) -> list[tuple[K, float]]:
            table = self.table(tx)
            table.claims.release_left(tx.nodes.is_running, now)
            return list(table.lanes())

        for key, due_at in await self._store.transact(look):
            self._lanes.note_stored(key, due_at, now)
        self.begin_some()

    async def run(self) -> None:
        """Begin what becomes due, forever."""
        while True:
            self._bell = anyio.Event()
            now = self._clock.now()
            self._lanes.wake(now)
            self.begin_some()
            at = self._lanes.wakes_at
            self._wakes_at = now + _IDLE_S if at is None else at
            await self._sleep_until_bell(self._wakes_at - now)

    async def _sleep_until_bell(self, delay_s: float) -> None:
        async with anyio.create_task_group() as tasks:

            async def sleep() -> None:
                await self._clock.sleep(max(delay_s, 0.0))
                tasks.cancel_scope.cancel()

            start_part(tasks, sleep)
            await self._bell.wait()
            tasks.cancel_scope.cancel()


class _Turn(Generic[K, T, E]):
    """The queue's part of one transaction."""

    def __init__(
        self,
        queue: ClaimedQueue[K, T, E],
        wants: Sequence[tuple[K, int]],
        ended: Sequence[E],
        given_back: Sequence[T],
        now: float,
        doubtful: frozenset[str],
    ) -> None:
        self._queue = queue
        self.claim = queue.new_claim()
        self.doubtful = doubtful
        self._now = now
        self.wants = wants
        self.ended = ended
        self.given_back = given_back
        self.ends_attempts = bool(ended)
        self.claimed: dict[K, Sequence[T]] = {}
        self.next_due: dict[K, float | None] = {}
        self.after_commit: Callable[[], Iterable[tuple[K, float]]] = tuple

    def write(self, tx: Transaction) -> None:
        queue, now = self._queue, self._now
        table = queue.table(tx)
        table.claims.release(self.doubtful)
        table.claims.release_until((queue.describe(item)[0], now) for item in self.given_back)
        for key, limit in self.wants:
            self.claimed[key], self.next_due[key] = table.claim(
                key, by=self.claim, now=now, limit=limit
            )
        self.after_commit = queue.conclude(tx, self.ended, self.claimed, now)

    def done(self) -> None:
        self._queue.turn_done(self)

    def failed(self, error: Exception) -> None:
        self._queue.turn_failed(self)
