"""What the use cases of users, roles and managed policies share."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from lambent.control import policies
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.identity import Identity, IdentityKey, Kind
from lambent.store.store import Transaction

_ID_BYTES = 10


def new_id(prefix: str) -> str:
    """An identifier in IAM's form: four letters for the kind, sixteen random ones."""
    return prefix + base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode()


def identity_key(scope: Scope, params: Mapping[str, Any], kind: Kind) -> IdentityKey:
    """The user, role or group that a request names."""
    return IdentityKey(scope.account, kind, params[f"{kind.title()}Name"])


def require_identity(tx: Transaction, key: IdentityKey) -> Identity:
    """The user, role or group. Raises `NoSuchEntity`."""
    identity = tx.identities.get(key)
    if identity is None:
        raise ApiError(
            "NoSuchEntity",
            f"The {key.kind} with name {key.name} cannot be found.",
            status=404,
        )
    return identity


def read_document(text: str, kind: policies.Kind) -> dict[str, Any]:
    """A policy document. Raises `MalformedPolicyDocument`."""
    try:
        return policies.parse(text, kind)
    except ApiError as error:
        raise ApiError("MalformedPolicyDocument", error.message) from error
