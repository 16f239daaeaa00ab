"""Environments that are initialised ahead of any call and stay so.

Each pool has a number of them that is wanted, usually zero. The scheduler's sweep starts what is
missing, a few at a time. One that grows old is replaced before it has to go, one whose init fails
goes at once and is tried again after a while.
"""

from lambent.model.concurrency import ProvisionedState
from lambent.model.errors import ApiError
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.pools.ports import PooledEnvironment

_STARTING_MAX = 8
"""Environments of one pool that are initialised at the same time: calls need the processor too."""
_FAILURES_TOLD = 3
_RETRY_S_MAX = 300.0
_INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"


class Provisioned:
    """State, and the decisions that need nothing but it."""

    def __init__(self) -> None:
        self.wanted = 0
        self.free: list[PooledEnvironment] = []
        """Oldest idle first."""
        self._ready: set[PooledEnvironment] = set()
        """Initialised, free or busy."""
        self._starting: set[PooledEnvironment] = set()
        self._failures = 0
        """Since one was initialised."""
        self._retry_at = 0.0
        self._reason = ""

    @property
    def state(self) -> ProvisionedState:
        """What there is."""
        failure = self._reason if self._failures >= _FAILURES_TOLD else None
        return ProvisionedState(len(self._ready), failure)

    def want(self, number: int) -> None:
        """Keep so many from now on. Whoever wants another number deserves a fresh attempt."""
        if number != self.wanted:
            self._failures, self._retry_at = 0, 0.0
        self.wanted = number
        self._let_go_surplus()

    def startable(self, now: float, old_before: float) -> int:
        """How many should be started now, so that there are enough which began later than
        `old_before`."""
        if now < self._retry_at:
            return 0
        young = sum(one.began_at >= old_before for one in self._ready)
        missing = self.wanted - young - len(self._starting)
        at_once = 1 if self._failures else _STARTING_MAX
        return max(min(missing, at_once - len(self._starting)), 0)

    def take_in(self, environment: PooledEnvironment) -> None:
        """A new one starts."""
        self._starting.add(environment)

    def is_usable(self, environment: PooledEnvironment) -> bool:
        """Whether an environment that says it is free may take calls. It may not when this is the
        end of an init that failed."""
        if environment in self._ready:
            return True
        if environment not in self._starting:
            return False
        self._starting.discard(environment)
        if environment.state is EnvironmentState.RESET:
            self._note_failure(_INIT_FAILURE, environment.idle_since)
            return False
        self._failures = 0
        self._ready.add(environment)
        return True

    def keep(self, environment: PooledEnvironment) -> None:
        """A free environment, for later; or the oldest of the free ones goes if they are more than
        wanted."""
        self.free.append(environment)
        self._let_go_surplus()

    def forget(self, environment: PooledEnvironment, now: float) -> None:
        """An environment is gone."""
        self._ready.discard(environment)
        if environment in self.free:
            self.free.remove(environment)
        if environment in self._starting:
            self._starting.discard(environment)
            failure = environment.failure
            self._note_failure(
                failure.message if isinstance(failure, ApiError) else str(failure or _INIT_FAILURE),
                now,
            )

    def retire_older_than(self, began_at: float) -> None:
        """Let no environment that began before this monotonic time take new work."""
        for environment in [one for one in self._ready if one.began_at < began_at]:
            self._let_go(environment)

    def retire(self) -> None:
        """No environment takes new work."""
        for environment in [*self._ready, *self._starting]:
            self._let_go(environment)

    def _let_go_surplus(self) -> None:
        while self.free and len(self._ready) > self.wanted:
            self._let_go(min(self.free, key=lambda one: one.began_at))
        while self._starting and len(self._starting) + len(self._ready) > self.wanted:
            # One of them may be there to replace one that grows old: never mind, it will again.
            self._let_go(next(iter(self._starting)))

    def _let_go(self, environment: PooledEnvironment) -> None:
        self._ready.discard(environment)
        self._starting.discard(environment)
        if environment in self.free:
            self.free.remove(environment)
        environment.retire()

    def _note_failure(self, reason: str, now: float) -> None:
        self._failures += 1
        self._reason = reason
        self._retry_at = now + min(2.0 ** (self._failures - 1), _RETRY_S_MAX)
