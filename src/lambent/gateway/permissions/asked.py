"""A request as authorisation sees it, and what it needs to know besides."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lambent.identity.authorizer import Caller
from lambent.model.arn import Scope
from lambent.model.function import LATEST, FunctionKey
from lambent.model.identity import Identity, IdentityKey
from lambent.model.names import FunctionReference, parse_function_name

Params = Mapping[str, Any]


class Lookups(Protocol):
    """What is asked of the store, as `control.resources.Resources` answers it."""

    async def identity(self, key: IdentityKey) -> Identity | None: ...

    async def function_of_mapping(self, scope: Scope, uuid: str) -> str | None: ...

    async def url_auth_type(self, reference: FunctionReference) -> str | None: ...

    async def statements(self, reference: FunctionReference) -> Sequence[Mapping[str, Any]]: ...

    async def layers_of(self, key: FunctionKey) -> Sequence[str]: ...


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

    @property
    def function(self) -> FunctionReference:
        """The function that `FunctionName` and `Qualifier` mean. Raises `ApiError`."""
        name, qualifier = self.params["FunctionName"], self.params.get("Qualifier")
        return parse_function_name(name, self.scope, qualifier=qualifier, takes_long_names=True)


class Target(NamedTuple):
    """A resource that a request is about."""

    arn: str
    owner: str
    """Its account."""
    also: tuple[str, ...] = ()
    """Further names of it, which policies may use as well."""
    context: Mapping[str, Sequence[str]] = {}
    """Condition keys that go with this resource alone."""


def function_target(reference: FunctionReference) -> Target:
    """A function, a version or an alias. `$LATEST` is the function itself by another name."""
    key = reference.key
    also = (key.arn,) if reference.qualifier == LATEST else ()
    return Target(reference.arn, key.account, also)


def plain_arn(reference: FunctionReference) -> str:
    """The ARN of a function, a version or an alias, without `$LATEST`."""
    return reference.key.arn if reference.qualifier == LATEST else reference.arn
