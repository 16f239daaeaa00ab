"""Permissions of services whose actions are HTTP methods and whose resources are paths, as those of
API Gateway: `apigateway:GET` on `arn:aws:apigateway:us-east-1::/restapis/abc`."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from lambent.gateway.models import OperationModel, ServiceModel
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import TAGS, Need, Needs, Resource

_UNQUOTED = "$:+(),;=@!*'.~-_"
_TAGGING = ("DELETE", "PATCH", "POST", "PUT")
"""Methods whose requests may have tags."""


def by_path(
    model: ServiceModel, operations: Sequence[str], types: Mapping[str, tuple[str, ...]]
) -> dict[str, Needs]:
    """What operations need permission for. `types` are AWS's names of the types of resources of
    each HTTP method."""
    found: dict[str, Needs] = {}
    for name in operations:
        operation = model.operation_model(name)
        method = operation.http["method"]
        resource = Resource(types[method], PathOf(operation))
        found[name] = (Need(f"apigateway:{method}", resource, TAGS if method in _TAGGING else ()),)
    return found


class PathOf:
    """Finds the one resource that an operation is about: its path, with the labels filled in."""

    def __init__(self, operation: OperationModel) -> None:
        self._path = operation.http["requestUri"].partition("?")[0].removeprefix("/v2")
        shape = operation.input_shape
        members = {} if shape is None else shape.members
        self._labels = {
            member.serialization.get("name", name): name
            for name, member in members.items()
            if member.serialization.get("location") == "uri"
        }

    async def __call__(self, asked: Asked) -> Sequence[Target]:
        account, region = asked.scope
        path = self._path
        for label, member in self._labels.items():
            path = path.replace(f"{{{label}}}", quote(str(asked.params[member]), safe=_UNQUOTED))
        return [Target(f"arn:aws:apigateway:{region}::{path}", account)]
