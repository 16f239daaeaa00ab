"""Who makes a request."""

import dataclasses
import functools
from typing import Literal

from lambent.model.arn import AccountId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An account's root, a user, a role's session, a service, or an anonymous caller."""

    kind: Literal["root", "user", "role", "service", "anonymous"]
    account: AccountId
    """Twelve digits; empty for services and the anonymous."""
    arn: str
    """What policies and error messages call it. Of a service, its name."""
    user_id: str
    role_arn: str | None = None
    """Of a role's session: the role."""
    session_key: str | None = None
    """Of temporary credentials for a user or the root: the id of the key they were made with."""

    @property
    def is_session(self) -> bool:
        """Whether it acts with temporary credentials."""
        return self.kind == "role" or self.session_key is not None

    @property
    def name(self) -> str:
        """The last part of the ARN: user name, or the session's name."""
        return self.arn.rpartition("/")[2]


@functools.lru_cache(4096)
def root_of(account: AccountId) -> Principal:
    """The account itself, which may do everything in it."""
    return Principal(
        kind="root", account=account, arn=f"arn:aws:iam::{account}:root", user_id=account
    )


def service(name: str) -> Principal:
    """A service, for example `s3.amazonaws.com`."""
    return Principal(kind="service", account=AccountId(""), arn=name, user_id=name)


ANONYMOUS = Principal(kind="anonymous", account=AccountId(""), arn="anonymous", user_id="anonymous")
"""The sender of an unsigned request."""
