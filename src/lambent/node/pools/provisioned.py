"""Environments that are initialized before any call, and stay initialized.

Each pool wants a number of them, usually zero. The scheduler's sweep starts the missing ones, a few
at a time. An environment that grows old is replaced before it has to end. One whose init fails ends
at once, and another is started after a while.
"""

from lambent.model.concurrency import ProvisionedState
from lambent.model.errors import ApiError
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.environment.ports import PooledEnvironment

_STARTING_MAX = 8
"""Maximum environments of one pool that are initialized at the same time: calls need processors,
too."""
_FAILURES_TOLD = 3
_RETRY_S_MAX = 300.0
_INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"


class Provisioned:
    """The provisioned environments of a pool, and the decisions that depend only on them."""

    def __init__(self) -> None:
        self.wanted = 0
        self.free: list[PooledEnvironment] = []
        """Oldest idle first."""
        self._ready: set[PooledEnvironment] = set()
        """Initialized, free or busy."""
        self._starting: set[PooledEnvironment] = set()
        self._failures = 0
        """Init failures since the last success."""
        self._retry_at = 0.0
        self._reason = ""

    @property
    def state(self) -> ProvisionedState:
        """How many are initialized, and why there are no more."""
        failure = self._reason if self._failures >= _FAILURES_TOLD else None
        return ProvisionedState(len(self._ready), failure)

    def want(self, number: int) -> None:
        """Set the number to keep. A new number also begins a new series of attempts."""
        if number != self.wanted:
            self._failures, self._retry_at = 0, 0.0
        self.wanted = number
        self._retire_surplus()

    def startable(self, now: float, old_before: float) -> int:
        """How many to start now, so that enough of them began after `old_before`."""
        if now < self._retry_at:
            return 0
        young = sum(environment.began_at >= old_before for environment in self._ready)
        missing = self.wanted - young - len(self._starting)
        at_once = 1 if self._failures else _STARTING_MAX
        return max(min(missing, at_once - len(self._starting)), 0)

    def take_in(self, environment: PooledEnvironment) -> None:
        """A new one starts."""
        self._starting.add(environment)

    def is_usable(self, environment: PooledEnvironment) -> bool:
        """Whether a free environment may take calls. It may not if its init has just failed."""
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
        """Keep a free environment for later. If there are more than wanted, the oldest free one
        ends."""
        self.free.append(environment)
        self._retire_surplus()

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
        for environment in [ready for ready in self._ready if ready.began_at < began_at]:
            self._retire(environment)

    def retire(self) -> None:
        """No environment takes new work."""
        for environment in [*self._ready, *self._starting]:
            self._retire(environment)

    def _retire_surplus(self) -> None:
        while self.free and len(self._ready) > self.wanted:
            self._retire(min(self.free, key=lambda environment: environment.began_at))
        while self._starting and len(self._starting) + len(self._ready) > self.wanted:
            # One of them may replace one that grows old: then another is started for that.
            self._retire(next(iter(self._starting)))

    def _retire(self, environment: PooledEnvironment) -> None:
        self._ready.discard(environment)
        self._starting.discard(environment)
        if environment in self.free:
            self.free.remove(environment)
        environment.retire()

    def _note_failure(self, reason: str, now: float) -> None:
        self._failures += 1
        self._reason = reason
        self._retry_at = now + min(2.0 ** (self._failures - 1), _RETRY_S_MAX)
