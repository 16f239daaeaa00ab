"""Prints docs/reference/permissions.md: what each operation needs permission for.

Written from the tables that decide. Tests fail when the page is not current, when a table differs
from AWS's list in a way that its service does not explain, and when an explanation is wrong.
"""

from collections.abc import Iterator

from lambent.gateway.permissions.needs import Needs
from lambent.gateway.registry import SERVICES

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
"""

_OTHER_NAMES = """\
`function:NAME:$LATEST` is the function by another name: a policy may use either. A log group's
streams are meant by `log-group:NAME`, too. There is one partition, `aws`, whatever the region; an
ARN of another names nothing.
"""


def render() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *_tables(), *_names(), *_differences()])


def _tables() -> Iterator[str]:
    for service in SERVICES:
        yield f"## {service.model.metadata['serviceFullName']}\n"
        yield "| operation | permission | resource types | condition keys |\n|---|---|---|---|"
        for name in sorted(service.permissions):
            yield from _rows(name, service.permissions[name])
        yield ""


def _names() -> Iterator[str]:
    yield _NAMES.rstrip()
    for service in SERVICES:
        yield from (f"| {kind} | {name} |" for kind, name in service.resource_names)
    yield ""
    yield _OTHER_NAMES


def _rows(name: str, needs: Needs) -> Iterator[str]:
    if not needs:
        yield f"| {name} | none | | |"
    for need in needs:
        when = f", with `{need.only_with}`" if need.only_with else ""
        when += f", for `{need.shows}` in the response" if need.shows else ""
        types = ", ".join(need.resource.types)
        keys = ", ".join(f"`{key.name}`" for key in need.keys)
        yield f"| {name} | `{need.action}`{when} | {types} | {keys} |"
        name = ""


def _differences() -> Iterator[str]:
    yield "## Differences from AWS's list\n"
    yield "| what | of | asked for | why |\n|---|---|---|---|"
    for difference in (each for service in SERVICES for each in service.differences):
        kind, _, name = difference.what.partition(" ")
        where = "only here" if difference.is_ours else "only in AWS"
        actions = ", ".join(f"`{action}`" for action in difference.actions)
        yield f"| {kind} `{name}` | {actions} | {where} | {difference.why} |"
    yield ""


if __name__ == "__main__":
    print(render(), end="")
