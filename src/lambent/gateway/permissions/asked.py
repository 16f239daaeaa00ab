"""A request as authorization sees it, and what it has to look up."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lambent.identity.authorizer import Caller
from lambent.model.arn import Scope
from lambent.model.function import FunctionKey
from lambent.model.identity import Identity, IdentityKey
from lambent.model.names import FunctionReference

Params = Mapping[str, Any]


class Lookups(Protocol):
    """What is read from the store; `control.resources.Resources` implements it."""

    async def identity(self, key: IdentityKey) -> Identity | None: ...

    async def function_of_mapping(self, scope: Scope, uuid: str) -> str | None: ...

    async def url_auth_type(self, reference: FunctionReference) -> str | None: ...

    async def statements(self, reference: FunctionReference) -> Sequence[Mapping[str, Any]]: ...

    async def layers_of(self, key: FunctionKey) -> Sequence[str]: ...

    async def secret_arn(self, scope: Scope, text: str) -> str | None: ...

    async def stack_arn(self, scope: Scope, name: str) -> str | None: ...

    async def stack_of_change_set(self, scope: Scope, arn: str) -> str | None: ...


class Nothing:
    """Knows nothing of the store: enough where everything within an account is allowed."""

    async def identity(self, key: IdentityKey) -> Identity | None:
        return None

    async def function_of_mapping(self, scope: Scope, uuid: str) -> str | None:
        return None

    async def url_auth_type(self, reference: FunctionReference) -> str | None:
        return None

    async def statements(self, reference: FunctionReference) -> Sequence[Mapping[str, Any]]:
        return ()

    async def layers_of(self, key: FunctionKey) -> Sequence[str]:
        return ()

    async def secret_arn(self, scope: Scope, text: str) -> str | None:
        return None

    async def stack_arn(self, scope: Scope, name: str) -> str | None:
        return None

    async def stack_of_change_set(self, scope: Scope, arn: str) -> str | None:
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A request that was parsed."""

    params: Params
    caller: Caller
    lookups: Lookups

    @property
    def scope(self) -> Scope:
        """Account and region."""
        return self.caller.scope


class Target(NamedTuple):
    """A resource that a request is about."""

    arn: str
    owner: str
    """Its account."""
    also: tuple[str, ...] = ()
    """Further names of it, which policies may use as well."""
    context: Mapping[str, Sequence[str]] = {}
    """Condition keys that go with this resource alone."""
