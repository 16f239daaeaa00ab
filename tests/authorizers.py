"""Authorizers for gateways that tests open themselves."""

from collections.abc import Sequence
from typing import Any

from lambent.identity.authorizer import Authorizer, LoadStatements
from lambent.identity.keyring import Keyring
from lambent.identity.session_tokens import SessionTokens
from lambent.kit.clock import SystemClock
from lambent.model.function import Scope
from lambent.model.policy import Statement

HOME = Scope("000000000000", "us-east-1")


async def nothing(_arn: str) -> Sequence[Statement]:
    """No resource has a policy."""
    return []


def relaxed(load: LoadStatements = nothing) -> Authorizer:
    """Knows no key and asks for none; `load` says what resources grant."""

    clock = SystemClock()
    no_store: Any = None
    keyring = Keyring(no_store, SessionTokens(b"key", clock))
    return Authorizer(keyring, load, clock, home=HOME, is_strict=False)
