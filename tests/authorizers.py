"""Authorizers for gateways that tests open themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.identity.authorizer import Authorizer, LoadPolicy
from lambent.identity.execution_roles import ExecutionRoles
from lambent.identity.keyring import Keyring
from lambent.identity.session_tokens import SessionTokens
from lambent.kit.clock import SystemClock
from lambent.model.arn import Scope
from lambent.model.policy import ResourcePolicy, Statement, statements_of
from lambent.model.principal import Principal

no_keyring: Any = None
HOME = Scope("000000000000", "us-east-1")


async def nothing(_arn: str) -> ResourcePolicy:
    """No resource has a policy."""
    return ResourcePolicy()


def unchecked_roles() -> ExecutionRoles:
    """Execution roles of a relaxed platform: no role is checked."""
    authorizer = relaxed()
    return ExecutionRoles(no_keyring, authorizer, session_s=3600)


def relaxed(load: LoadPolicy = nothing) -> Authorizer:
    """Knows no keys and requires none; `load` returns what resources grant."""

    clock = SystemClock()
    keyring = Keyring(SessionTokens(b"key", clock))
    return Authorizer(keyring, load, clock, home=HOME, is_strict=False)


class Policies:
    """A keyring with one caller, who has these statements and tags."""

    def __init__(self, statements: Sequence[Mapping[str, Any]], tags: Mapping[str, str]) -> None:
        self._statements = statements_of([{"Version": "2012-10-17", "Statement": statements}])
        self._tags = tags
        self.generation = 0

    def statements(self, _principal: Principal) -> Sequence[Statement]:
        return self._statements

    def tags(self, _principal: Principal) -> Mapping[str, str]:
        return self._tags


def strict(
    *statements: Mapping[str, Any],
    load: LoadPolicy = nothing,
    tags: Mapping[str, str] | None = None,
) -> Authorizer:
    """Decides by these statements of the caller's and by the resources' policies."""
    keyring: Any = Policies(statements, tags or {})
    return Authorizer(keyring, load, SystemClock(), home=HOME, is_strict=True)
