"""Managed policies: policies with a name of their own, which are attached to users and roles."""

import dataclasses
import re
from collections.abc import Mapping
from typing import NamedTuple

from lambent.model.arn import AccountId
from lambent.model.identity import Document

AWS = "aws"
"""What stands for the account in the ARNs of the policies that AWS manages."""
_ARN = re.compile(
    r"arn:aws:iam::(?P<account>[0-9]{12}|aws):policy(?P<path>/(?:[!-~]+/)?)(?P<name>[\w+=,.@-]{1,128})",
    re.ASCII,
)


class PolicyKey(NamedTuple):
    """Which managed policy."""

    account: AccountId
    """`aws` for a policy that AWS manages."""
    name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A version of a managed policy. It never changes."""

    document: Document
    created_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ManagedPolicy:
    """A managed policy with its versions. The default version is the one that is in force."""

    key: PolicyKey
    id: str
    """`ANPA…`."""
    path: str = "/"
    description: str = ""
    created_ms: int
    updated_ms: int
    versions: Mapping[int, PolicyVersion]
    """By number, from 1."""
    default: int = 1
    """The number of the default version."""
    last: int = 1
    """The highest number that a version has had: numbers are not used again."""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The ARN with the path."""
        return f"arn:aws:iam::{self.key.account}:policy{self.path}{self.key.name}"

    @property
    def document(self) -> Document:
        """The document that is in force."""
        return self.versions[self.default].document


def parse_policy_arn(arn: str) -> PolicyKey | None:
    """The managed policy that an ARN names, whether or not one has its path; None if it is no such
    ARN."""
    match = _ARN.fullmatch(arn)
    return None if match is None else PolicyKey(AccountId(match["account"]), match["name"])
