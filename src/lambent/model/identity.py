"""Users, roles and groups of an account, as values."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lambent.model.arn import AccountId, Arn
from lambent.model.principal import Principal, root_of

Document = Mapping[str, Any]
Kind = Literal["user", "role", "group"]


class IdentityKey(NamedTuple):
    """Which user, role or group."""

    account: AccountId
    kind: Kind
    name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user, a role or a group, with the policies that say what it or its users may do."""

    key: IdentityKey
    id: str
    """`AIDA…` of users, `AROA…` of roles, `AGPA…` of groups."""
    path: str = "/"
    created_ms: int
    description: str = ""
    max_session_s: int = 3600
    trust: Document | None = None
    """Of roles: who may assume it."""
    policies: Mapping[str, Document] = dataclasses.field(default_factory=dict)
    """Inline policies by name."""
    attached: Sequence[str] = ()
    """The ARNs of the managed policies that are attached, sorted."""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    groups: Sequence[str] = ()
    """Of users: the names of their groups, sorted."""

    @property
    def arn(self) -> str:
        """The ARN with the path."""
        return f"arn:aws:iam::{self.key.account}:{self.key.kind}{self.path}{self.key.name}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A long-lived key of a user or of an account's root."""

    id: str
    account: AccountId
    user_name: str | None
    secret: str = dataclasses.field(repr=False)
    is_active: bool
    created_ms: int


def user_principal(user: Identity) -> Principal:
    """The user as the principal of a request."""
    return Principal(kind="user", account=user.key.account, arn=user.arn, user_id=user.id)


def key_principal(key: AccessKey, user: Identity | None) -> Principal:
    """The principal of requests that are signed with a key."""
    return root_of(key.account) if user is None else user_principal(user)


_SESSION_NAME_MIN = 2
"""Letters. AWS makes names of functions that are shorter longer."""


def session_principal(
    role_arn: str, session: str, *, role_id: str, account: AccountId | None = None
) -> Principal:
    """The session of a role, with its name; `account` if it is not the ARN's."""
    if len(session) < _SESSION_NAME_MIN:
        session += "@lambda_function"
    account = account or Arn.parse(role_arn).account
    role = role_arn.rpartition("/")[2]
    return Principal(
        kind="role",
        account=account,
        arn=f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        user_id=f"{role_id}:{session}",
        role_arn=role_arn,
    )
