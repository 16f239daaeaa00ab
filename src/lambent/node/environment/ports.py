"""What pools and environments are to each other.

`Environment` implements `PooledEnvironment` with boxes and runtimes; tests implement it with
objects that do what the test says.
"""

from typing import Protocol

from lambent.invocation.ports import EnvironmentView
from lambent.model.function import FunctionVersion
from lambent.model.invocation import InvocationRequest, Reply
from lambent.node.environment.lifecycle import EnvironmentState


class PooledEnvironment(Protocol):
    """One execution environment: a copy of one function version that runs one invocation at a time.
    Compared by identity."""

    is_provisioned: bool
    """Whether it was started ahead of demand."""
    began_at: float
    """Monotonic seconds."""
    idle_since: float
    """Monotonic seconds; meaningful while it is free."""

    @property
    def state(self) -> EnvironmentState:
        """Where in its life it is."""
        ...

    @property
    def failure(self) -> Exception | None:
        """Why it is gone, if it is gone without ever having been free."""
        ...

    @property
    def is_queued(self) -> bool:
        """Whether nothing has been started for it yet."""
        ...

    @property
    def needs_shutdown_event(self) -> bool:
        """Whether it is idle and has extensions that want to know of its end."""
        ...

    def view(self) -> EnvironmentView:
        """What is shown of it."""
        ...

    def assign(
        self, request: InvocationRequest, reply: Reply, waiting_since: float | None = None
    ) -> None:
        """Run a request, which may have waited since a monotonic time. Only for a free
        environment."""
        ...

    def freeze(self) -> None:
        """Stop its processes until its next invocation, if it is idle."""
        ...

    def resume_output(self) -> None:
        """Read the function's output again if reading stopped and the log store has room."""
        ...

    def retire(self) -> None:
        """End it: at once if it is free, else after its invocation. Idempotent."""
        ...

    async def wait_gone(self) -> None:
        """Return when it has given everything back."""
        ...


class EnvironmentListener(Protocol):
    """What a pool is notified of by its environments. All calls come on the event loop."""

    def on_free(self, environment: PooledEnvironment) -> None:
        """It can take an invocation: after init, even a failed one, and after each invocation."""
        ...

    def on_responded(self, environment: PooledEnvironment) -> None:
        """Its caller has the outcome; it will be free when its extensions have finished."""
        ...

    def on_gone(self, environment: PooledEnvironment) -> None:
        """It will never take another invocation. Called once."""
        ...


class EnvironmentSource(Protocol):
    """Starts environments."""

    def begin(
        self, function: FunctionVersion, listener: EnvironmentListener, *, is_provisioned: bool
    ) -> PooledEnvironment:
        """Begin an environment's life. Returns at once."""
        ...
