"""Roles that a request passes to a service, which uses them later: API Gateway for everyone who
calls the API. So a caller who configures one needs `iam:PassRole` on it."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from lambent.control.apis.openapi.reading import read_document
from lambent.gateway.models import OperationModel
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.by_path import PathOf
from lambent.gateway.permissions.needs import Key, Need, Resource, Values
from lambent.model.arn import Arn
from lambent.model.service_integrations import CALLERS_OWN_ROLE

ACTION = "iam:PassRole"
_API_GATEWAY = "apigateway.amazonaws.com"
_IN_DOCUMENTS = ("credentials", "authorizerCredentials")

Roles = Callable[[Asked], Awaitable[Sequence[str]]]
"""Finds the roles in a request."""


def passing(operation: OperationModel, roles: Roles, *, only_with: str | None = None) -> Need:
    """The permission that an operation needs for the roles in its input."""

    return passing_to(_API_GATEWAY, roles, _path_of(operation), only_with=only_with)


def passing_to(
    service: str,
    roles: Roles,
    about: Callable[[Asked], Awaitable[Values]],
    *,
    only_with: str | None = None,
) -> Need:
    """The permission for the roles that are passed to a service (`events.amazonaws.com`). `about`
    finds the value of `iam:AssociatedResourceArn`."""

    async def find(asked: Asked) -> Sequence[Target]:
        return _targets(await roles(asked))

    async def passed_to(_: Asked) -> Values:
        return {"iam:passedtoservice": [service]}

    keys = (Key("iam:PassedToService", passed_to), Key("iam:AssociatedResourceArn", about))
    return Need(ACTION, Resource(("role",), find), keys, only_with=only_with)


def role_in(member: str) -> Roles:
    """The role that a member names."""

    async def find(asked: Asked) -> Sequence[str]:
        return [asked.params[member]]

    return find


def roles_in_document(member: str) -> Roles:
    """The roles anywhere in the OpenAPI document that a member is."""

    async def find(asked: Asked) -> Sequence[str]:
        return list(_credentials_in(await read_document(asked.params[member])))

    return find


def _targets(values: Iterable[str]) -> Sequence[Target]:
    """Those that are ARNs; others are refused later, and that of the caller is not passed."""
    found = {value: Arn.try_parse(value) for value in values if value != CALLERS_OWN_ROLE}
    return [Target(role, arn.account) for role, arn in found.items() if arn is not None]


def _credentials_in(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name in _IN_DOCUMENTS and isinstance(value, str):
                yield value
            yield from _credentials_in(value)
    elif isinstance(node, list):
        for item in node:
            yield from _credentials_in(item)


def _path_of(operation: OperationModel) -> Callable[[Asked], Awaitable[Values]]:
    find = PathOf(operation)

    async def values(asked: Asked) -> Values:
        return {"iam:associatedresourcearn": [target.arn for target in await find(asked)]}

    return values
