"""A node in memory: the second implementation of `invocation.ports.Node`."""

import dataclasses
from collections.abc import Collection

from lambent.invocation.ports import EnvironmentView, Node, NodeLoad
from lambent.model.arn import Scope
from lambent.model.concurrency import ProvisionedState, no_capacity
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import NOT_RUN, InvocationRequest, Reply


@dataclasses.dataclass
class FakeNode:
    """Notes what is asked of it; a test says what it answers."""

    taken: list[Reply] = dataclasses.field(default_factory=list)
    """Replies to requests that run."""
    is_full: bool = False
    warm: set[str] = dataclasses.field(default_factory=set)
    """Configurations that have a free environment."""
    warmed_up: list[FunctionVersion] = dataclasses.field(default_factory=list)
    wanted: dict[str, int] = dataclasses.field(default_factory=dict)
    """Environments to keep initialised, by configuration."""
    states: dict[str, ProvisionedState] = dataclasses.field(default_factory=dict)
    held: list[FunctionVersion] = dataclasses.field(default_factory=list)
    prepared: list[FunctionVersion] = dataclasses.field(default_factory=list)
    retired: list[set[str]] = dataclasses.field(default_factory=list)

    def submit(self, request: InvocationRequest, reply: Reply) -> None:
        if self.is_full:
            reply.finish(no_capacity(), NOT_RUN)
        else:
            self.taken.append(reply)

    def has_free(self, version: FunctionVersion, tenant_id: str) -> bool:
        return version.configuration_id in self.warm

    def warm_up(self, version: FunctionVersion, tenant_id: str) -> None:
        self.warmed_up.append(version)

    def provision(self, version: FunctionVersion, wanted: int) -> None:
        self.wanted[version.configuration_id] = wanted

    def provisioned(self, configuration_id: str) -> ProvisionedState:
        return self.states.get(configuration_id, ProvisionedState(0))

    async def prepare(self, version: FunctionVersion) -> None:
        self.prepared.append(version)

    def versions(self, key: FunctionKey | None = None) -> Collection[FunctionVersion]:
        return [version for version in self.held if key in (None, version.key)]

    def retire(self, configuration_ids: Collection[str]) -> None:
        self.retired.append(set(configuration_ids))

    def load(self) -> NodeLoad:
        return NodeLoad(busy=len(self.taken))

    def environments(self, scope: Scope | None = None) -> Collection[EnvironmentView]:
        return ()


_: Node = FakeNode()
