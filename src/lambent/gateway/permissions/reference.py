"""Prints docs/reference/permissions.md: what each operation needs permission for.

Written from the table that decides. Tests fail when the page is not current, when the table differs
from AWS's list in a way that is not said here, and when what is said here is not so.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lambent.gateway.permissions.table import PERMISSIONS, Needs
from lambent.gateway.protocol.models import load_model


class Difference(NamedTuple):
    """One way in which the table differs from AWS's list."""

    what: str
    """`action`, `resource` or `key`, and its name."""
    is_ours: bool
    """Whether it is asked for here and not listed by AWS; else the other way round."""
    why: str
    actions: tuple[str, ...] = ()
    """Of which actions; of all if empty."""


_VERSIONS = (
    "AWS's list has functions for these; its guide says that versions and aliases are asked for by"
    " their own ARN, and so it is here."
)
_TAGGED = "The operation is about the tags of one kind of resource."
_TAGGING = ("lambda:ListTags", "lambda:TagResource")
_SESSIONS = "Session tags and source identities are not offered; a request with them is refused."

DIFFERENCES = (
    Difference("resource function alias", True, _VERSIONS),
    Difference("resource function version", True, _VERSIONS),
    Difference(
        "resource function",
        True,
        "A request without a qualifier is about the function, and is refused later.",
        tuple(f"lambda:{verb}ProvisionedConcurrencyConfig" for verb in ("Delete", "Get", "Put")),
    ),
    Difference(
        "resource layer",
        True,
        "AWS's list has none; its refusals name the layer.",
        ("lambda:ListLayerVersions",),
    ),
    Difference("resource capacityProvider", False, "Capacity providers are not offered."),
    Difference("resource code signing config", False, _TAGGED, _TAGGING),
    Difference("resource eventSourceMapping", False, _TAGGED, _TAGGING),
    Difference("resource function", False, _TAGGED, ("lambda:TagResource",)),
    Difference("action lambda:PassCapacityProvider", False, "Capacity providers are not offered."),
    Difference(
        "action lambda:InvokeFunction",
        True,
        "InvokeAsync is another way to invoke: one denial holds for all of them.",
    ),
    Difference(
        "action lambda:InvokeAsync",
        False,
        "InvokeAsync is another way to invoke: one denial holds for all of them.",
    ),
    Difference("action iam:TagUser", True, "AWS's guide asks for it, its list does not."),
    Difference("action iam:TagRole", True, "AWS's guide asks for it, its list does not."),
    Difference("action sts:GetCallerIdentity", False, "No policy decides about it, as in AWS."),
    Difference("action sts:GetSessionToken", False, "No policy decides about it, as in AWS."),
    Difference("key lambda:VpcIds", False, "There is no VPC to which the subnets belong."),
    Difference(
        "key lambda:EventSourceToken",
        False,
        "No service here sends one; a statement with it applies to nobody.",
    ),
    Difference(
        "key lambda:InvokedViaFunctionUrl",
        False,
        "Calls through function URLs have it; these operations never are.",
    ),
    Difference(
        "key lambda:FunctionUrlAuthType",
        False,
        "A function may have several URLs.",
        ("lambda:ListFunctionUrlConfigs",),
    ),
    Difference("key iam:PermissionsBoundary", False, "Permissions boundaries are not offered."),
    Difference("key aws:RequestTag/${TagKey}", False, _SESSIONS, ("sts:AssumeRole",)),
    Difference("key aws:TagKeys", False, _SESSIONS, ("sts:AssumeRole",)),
    Difference("key sts:SourceIdentity", False, _SESSIONS),
    Difference("key sts:TransitiveTagKeys", False, _SESSIONS),
)

_INTRODUCTION = """\
# Permissions

Written by `make docs` from the code; do not edit. [Who may do what](../identity.md) says how
policies decide.

An operation needs all permissions that are listed for it; of several resource types it needs the
one that the request names. Without a type the resource is `*`. Besides the keys that are listed,
every request has `aws:CurrentTime`, `aws:EpochTime`, `aws:PrincipalAccount`, `aws:PrincipalArn`,
`aws:PrincipalTag/${TagKey}`, `aws:PrincipalType`, `aws:RequestedRegion`, `aws:ResourceAccount`,
`aws:SecureTransport`, `aws:SourceIp`, `aws:userid`, `aws:UserAgent` and, of users,
`aws:username`; and `aws:ResourceTag/${TagKey}` if the resource has tags,
`iam:ResourceTag/${TagKey}` if it is a user or a role.

What operations of other services need is in [services](../services.md).
"""

_NAMES = """\
## Names of resources

| resource | in policies |
|---|---|
| function | `arn:aws:lambda:REGION:ACCOUNT:function:NAME` |
| function alias, function version | the same and `:ALIAS` or `:VERSION` |
| layer, layerVersion | `arn:aws:lambda:REGION:ACCOUNT:layer:NAME`, and `:VERSION` |
| eventSourceMapping | `arn:aws:lambda:REGION:ACCOUNT:event-source-mapping:UUID` |
| code signing config | `arn:aws:lambda:REGION:ACCOUNT:code-signing-config:ID` |
| log-group | `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, and `:*` |
| log-stream | the same and `:log-stream:STREAM` |
| user, role | `arn:aws:iam::ACCOUNT:user/PATH/NAME`, `arn:aws:iam::ACCOUNT:role/PATH/NAME` |

`function:NAME:$LATEST` is the function by another name: a policy may use either. A log group's
streams are meant by `log-group:NAME`, too. There is one partition, `aws`, whatever the region; an
ARN of another names nothing.
"""


def render() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *_tables(), _NAMES, *_differences()])


def _tables() -> Iterator[str]:
    for service, operations in PERMISSIONS.items():
        yield f"## {load_model(service).metadata['serviceFullName']}\n"
        yield "| operation | permission | resource types | condition keys |\n|---|---|---|---|"
        for name in sorted(operations):
            yield from _rows(name, operations[name])
        yield ""


def _rows(name: str, needs: Needs) -> Iterator[str]:
    if not needs:
        yield f"| {name} | none | | |"
    for need in needs:
        when = f", with `{need.only_with}`" if need.only_with else ""
        when += f", for `{need.shows}` in the answer" if need.shows else ""
        types = ", ".join(need.resource.types)
        keys = ", ".join(f"`{key.name}`" for key in need.keys)
        yield f"| {name} | `{need.action}`{when} | {types} | {keys} |"
        name = ""


def _differences() -> Iterator[str]:
    yield "## Differences from AWS's list\n"
    yield "| what | of | asked for | why |\n|---|---|---|---|"
    for one in DIFFERENCES:
        kind, _, name = one.what.partition(" ")
        where = "here alone" if one.is_ours else "at AWS alone"
        actions = ", ".join(f"`{action}`" for action in one.actions)
        yield f"| {kind} `{name}` | {actions} | {where} | {one.why} |"
    yield ""


if __name__ == "__main__":
    print(render(), end="")
