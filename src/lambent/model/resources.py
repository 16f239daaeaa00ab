"""Resources other than functions and layers, as callers name them. Operations and authorisation
read names here, so that they cannot mean two different things.

There is one partition, `aws`: an ARN of another partition names nothing here.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.names import parse_function_name

_REGION = r"(?P<region>[a-z0-9-]+)"
_ACCOUNT = r"(?P<account>[0-9]{12})"
_CODE_SIGNING = re.compile(
    rf"arn:aws:lambda:{_REGION}:{_ACCOUNT}:code-signing-config:(?P<id>csc-[a-z0-9]{{17}})"
)
_MAPPING = re.compile(rf"arn:aws:lambda:{_REGION}:{_ACCOUNT}:event-source-mapping:(?P<id>[^:]+)")
_LOG_GROUP = re.compile(rf"arn:aws:logs:{_REGION}:{_ACCOUNT}:log-group:(?P<name>[^:*]+)(?::\*)?")
_IDENTITY = (
    rf"arn:aws:iam::{_ACCOUNT}:(?P<kind>user|role)(?P<path>/(?:[!-~]+/)?)(?P<name>[\w+=,.@-]+)"
)


class CodeSigningKey(NamedTuple):
    """Which code signing configuration."""

    scope: Scope
    id: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        account, region = self.scope
        return f"arn:aws:lambda:{region}:{account}:code-signing-config:{self.id}"


class MappingKey(NamedTuple):
    """Which event source mapping."""

    scope: Scope
    uuid: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        account, region = self.scope
        return f"arn:aws:lambda:{region}:{account}:event-source-mapping:{self.uuid}"


class LogGroupKey(NamedTuple):
    """Which log group."""

    scope: Scope
    name: str

    @property
    def arn(self) -> str:
        """Its ARN, without the `:*` that stands for its streams."""
        account, region = self.scope
        return f"arn:aws:logs:{region}:{account}:log-group:{self.name}"


class IdentityName(NamedTuple):
    """A user or role as its ARN names it. Whether one with this path exists is not known here."""

    account: AccountId
    kind: str
    path: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN with the path."""
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"


def parse_code_signing_arn(arn: str) -> CodeSigningKey | None:
    """The code signing configuration an ARN names; None if it is no such ARN."""
    match = _CODE_SIGNING.fullmatch(arn)
    return None if match is None else CodeSigningKey(_scope_of(match), match["id"])


def parse_mapping_arn(arn: str) -> MappingKey | None:
    """The event source mapping an ARN names; None if it is no such ARN."""
    match = _MAPPING.fullmatch(arn)
    return None if match is None else MappingKey(_scope_of(match), match["id"])


def parse_role_arn(arn: str) -> IdentityName | None:
    """The role an ARN names; None if it is no such ARN."""
    return _parse_identity(arn, "role")


def parse_user_arn(arn: str) -> IdentityName | None:
    """The user an ARN names; None if it is no such ARN."""
    return _parse_identity(arn, "user")


def parse_tagged(arn: str, scope: Scope) -> str:
    """The `Resource` of the operations on tags as its own ARN.

    Raises `ApiError`: `ResourceNotFoundException` for what is no resource with tags, and
    `InvalidParameterValueException` for a version or an alias, which have none of their own.
    """
    if ":function:" in arn:
        reference = parse_function_name(arn, scope)
        if reference.qualifier:
            raise invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a"
                " function ARN."
            )
        return reference.key.arn
    found = parse_mapping_arn(arn) or parse_code_signing_arn(arn)
    if found is None:
        noun = "Capacity provider" if ":capacity-provider:" in arn else "Resource"
        raise not_found(f"{noun} not found: {arn}")
    return found.arn


def parse_log_group(name: str | None, identifier: str | None, scope: Scope) -> LogGroupKey:
    """The log group that `logGroupName` or `logGroupIdentifier`, a name or an ARN, means.

    Raises `ApiError`: `InvalidParameterException` unless one of both is given, and
    `ResourceNotFoundException` for a group of another account or region.
    """
    if (name is None) == (identifier is None):
        raise ApiError(
            "InvalidParameterException", "Specify either logGroupName or logGroupIdentifier."
        )
    if identifier is None or not identifier.startswith("arn:"):
        return LogGroupKey(scope, name or identifier or "")
    match = _LOG_GROUP.fullmatch(identifier)
    if match is None or _scope_of(match) != scope:
        raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
    return LogGroupKey(scope, match["name"])


def log_group_of(params: Mapping[str, Any], scope: Scope) -> LogGroupKey:
    """The log group that a request is about, by `logGroupName`, `logGroupIdentifier` or
    `resourceArn`. Raises as `parse_log_group`."""
    identifier = params.get("logGroupIdentifier", params.get("resourceArn"))
    return parse_log_group(params.get("logGroupName"), identifier, scope)


def _parse_identity(arn: str, kind: str) -> IdentityName | None:
    match = re.fullmatch(_IDENTITY, arn, re.ASCII)
    if match is None or match["kind"] != kind:
        return None
    return IdentityName(AccountId(match["account"]), kind, match["path"], match["name"])


def _scope_of(match: re.Match[str]) -> Scope:
    return Scope(AccountId(match["account"]), Region(match["region"]))
