"""The environments of one configuration of one function version.

A pool is owned by the scheduler and only ever touched from the event loop, so it needs no
lock. Free environments are a stack: the one used last is used next, so that the others grow
old and can go. Invocations that found none free wait in a line; whatever becomes free first,
a new environment or a used one, takes the oldest.
"""

from collections import deque

from lambent.model.function import FunctionVersion
from lambent.model.invocation import Invocation
from lambent.worker.environment import Environment


class Pool:
    """State, and the decisions that need nothing but it."""

    def __init__(self, function: FunctionVersion) -> None:
        self.function = function
        self.free: list[Environment] = []
        """Oldest idle first."""
        self.waiting: deque[Invocation] = deque()
        self.starting: set[Environment] = set()
        """Environments that have not been free yet."""
        self.members: set[Environment] = set()
        self.short_since: float | None = None
        """Since when there is no memory for another environment that is needed."""

    @property
    def needs_another(self) -> bool:
        """Whether more invocations wait than environments are on their way."""
        return len(self.waiting) > len(self.starting)

    def take_in(self, environment: Environment) -> None:
        """A new environment starts."""
        self.members.add(environment)
        self.starting.add(environment)

    def on_free(self, environment: Environment) -> None:
        """Give a free environment its next invocation, or keep it for later."""
        self.starting.discard(environment)
        if self.waiting:
            environment.assign(self.waiting.popleft())
        else:
            self.free.append(environment)

    def forget(self, environment: Environment) -> None:
        """An environment is gone."""
        self.members.discard(environment)
        self.starting.discard(environment)
        if environment in self.free:
            self.free.remove(environment)

    def evict_oldest(self) -> None:
        """Let go of the environment that has been idle for longest."""
        self.free.pop(0).retire()

    def retire_older_than(self, began_at: float) -> None:
        """Let no environment that began before this monotonic time take new work."""
        for environment in [one for one in self.members if one.began_at < began_at]:
            environment.retire()
            if environment in self.free:
                self.free.remove(environment)

    def retire(self) -> None:
        """The function has changed or was deleted: no environment takes new work."""
        for environment in self.members:
            environment.retire()
        self.free.clear()
