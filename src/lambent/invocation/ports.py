"""What invocation needs of a node: a host that runs functions.

This is the border of a machine. What goes down are values (`InvocationRequest`,
`FunctionVersion`, ids); what comes up are values too (`Outcome`, `RunReport`, `NodeLoad`), through
the call's `Reply`. A node has no database and decides nothing about accounts and limits.
`lambent.node` implements it in this process.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from lambent.model.arn import Scope
from lambent.model.concurrency import ProvisionedState
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import InvocationRequest, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLoad:
    """What a node is doing, at one moment."""

    busy: int = 0
    """Environments that run an invocation."""
    idle: int = 0
    """Environments whose processes wait for one."""
    frozen: int = 0
    """Environments whose processes are stopped until the next one."""
    changing: int = 0
    """Environments that start, end or have to be initialised again."""
    waiting: int = 0
    """Requests that wait for an environment."""
    memory_available_mb: int = 0
    """Memory that the host can still give away."""
    memory_total_mb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """One execution environment, at one moment."""

    id: str
    """32 hex digits; the name of its log stream ends with it."""
    function: FunctionVersion
    state: str
    """`creating`, `initializing`, `idle`, `frozen`, `busy`, `stopping`, `reset` or `gone`."""
    log_stream: str
    is_provisioned: bool
    age_s: float
    idle_s: float | None
    """How long it has been free; None if it is not."""
    memory_bytes: int | None
    """What its processes use now; None if the host does not report it."""
    memory_used_max_mb: int
    """The most that was used at the end of its invocations so far, as in its `REPORT` lines."""
    cpu_s: float | None
    """CPU time of its processes so far."""
    sent_bytes: int
    """What it has sent over TCP to hosts outside of the platform."""
    received_bytes: int


class Node(Protocol):
    """Runs functions. Methods without `async` return at once and are called on the event loop."""

    def submit(self, request: InvocationRequest, reply: Reply) -> None:
        """Run a request as soon as an environment is free. The reply gets exactly one outcome,
        perhaps before this returns: `Refused` if there is no room, or if the function grows too
        fast."""
        ...

    def has_free(self, version: FunctionVersion, tenant_id: str) -> bool:
        """Whether a request of the version, and the tenant if it is not empty, would find a free
        environment. For the warm path."""
        ...

    def warm_up(self, version: FunctionVersion, tenant_id: str) -> None:
        """Start an environment ahead of requests if there is room and none is starting: more
        requests are expected."""
        ...

    def provision(self, version: FunctionVersion, wanted: int) -> None:
        """From now on, keep so many environments of a version initialised."""
        ...

    def provisioned(self, configuration_id: str) -> ProvisionedState:
        """How many environments of those wanted are initialised, and why there are no more."""
        ...

    async def prepare(self, version: FunctionVersion) -> None:
        """Have everything ready so that a first environment of the version starts fast; a version
        that uses SnapStart is initialised and captured. Idempotent.

        Raises PackageError if its package cannot be used, InitFailed if it cannot be initialised,
        SandboxBusy or TimeoutError if there is no time for it now; anything else means that this
        node cannot do it.
        """
        ...

    def versions(self, key: FunctionKey | None = None) -> Collection[FunctionVersion]:
        """The versions of which the node holds anything (environments, snapshots): those of one
        function, or all."""
        ...

    def retire(self, configuration_ids: Collection[str]) -> None:
        """These configurations are not current any more, if any: their environments take no new
        request and end, and whatever else is kept of them is deleted. Called after every change of
        a function, without ids too: unpacked code may have become superfluous."""
        ...

    def load(self) -> NodeLoad:
        """What the node is doing now."""
        ...

    def environments(self, scope: Scope | None = None) -> Collection[EnvironmentView]:
        """The environments of an account and Region, or all, in any state."""
        ...


class OtherNode(Protocol):
    """Another node that takes calls."""

    @property
    def busy(self) -> float:
        """Invocations per processor that run on it, as far as is known."""
        ...

    def call(self, request: InvocationRequest, reply: Reply) -> None:
        """Have it run a request, which it sends no further. The reply gets exactly one outcome:
        `NODE_LOST` if the call may have run and its outcome is not known; a refusal for lack of
        room if it has not run."""
        ...
