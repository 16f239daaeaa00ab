"""Roles in requests for services that act with them later: pipes, state machines, delivery streams.
As in AWS, who names a role there needs `iam:PassRole` on it; else a service could be made to do
what its user may not.
"""

from collections.abc import Iterator, Mapping

from lambent.identity.authorizer import Access
from lambent.model.arn import Arn, Scope
from lambent.services.foreign_resources import Params

_PASSED_TO = {
    "firehose": "firehose.amazonaws.com",
    "pipes": "pipes.amazonaws.com",
    "states": "states.amazonaws.com",
}
_MEMBERS = frozenset({"rolearn"})


def passed_roles(service: str, params: Params, scope: Scope) -> list[Access]:
    """The permissions that a request needs for the roles in it."""
    receiver = _PASSED_TO.get(service)
    if receiver is None:
        return []
    context = (("iam:passedtoservice", (receiver,)),)
    found = []
    for role in dict.fromkeys(_roles_in(params)):
        arn = Arn.try_parse(role)
        owner = arn.account if arn is not None else scope.account
        found.append(Access("iam:PassRole", role, owner, context))
    return found


def _roles_in(node: object) -> Iterator[str]:
    """Members that are roles, wherever they are, and parameters of processors."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if str(name).lower() in _MEMBERS and isinstance(value, str) and value:
                yield value
            yield from _roles_in(value)
        value = node.get("ParameterValue")
        if str(node.get("ParameterName")).lower() in _MEMBERS and isinstance(value, str):
            yield value
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _roles_in(item)
