"""What the engine needs from templates and types of resources."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import Any, Protocol

from lambent.identity.authorizer import Caller
from lambent.kit.clock import Clock
from lambent.stacks.plan import Wanted
from lambent.stacks.records import Deployment, Stack, State
from lambent.stacks.resources.resource_type import ResourceType
from lambent.store.store import Store


class Blueprint(Protocol):
    """A template with its parameters and conditions: what a stack shall be. Methods raise
    `ApiError` for what cannot be evaluated."""

    @property
    def types(self) -> Mapping[str, str]:
        """Types of the resources by logical id, each after those it depends on."""

    @property
    def description(self) -> str:
        """Of the template."""

    def imports(self) -> Set[str]:
        """Names of exports that are used."""

    def dependencies(self, logical_id: str) -> Set[str]:
        """The resources that must be there first."""

    def resource(self, logical_id: str, known: Mapping[str, State]) -> Wanted:
        """A resource, evaluated with those that exist."""

    def outputs(self, known: Mapping[str, State]) -> Sequence[Mapping[str, Any]]:
        """As DescribeStacks shows them."""


MakeBlueprint = Callable[[Stack, Deployment, Mapping[str, str]], Awaitable[Blueprint]]
"""From a stack, a deployment and the values of exports. Raises `ApiError`."""
FindType = Callable[[str], ResourceType]
"""Raises `ApiError` if a type is not offered."""
Notify = Callable[[Stack], None]
"""Has topics notified of a stack's events, if it has topics. Never waits."""
Resolve = Callable[[Any, Caller], Awaitable[tuple[Any, Set[str]]]]
"""Replaces dynamic references in properties by their values; returns these, too. Raises
`ApiError`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineContext:
    """What runs of stacks share."""

    store: Store
    clock: Clock
    find_type: FindType
    make_blueprint: MakeBlueprint
    resolve: Resolve
    notify: Notify
