"""Permissions of services whose actions are HTTP methods and whose resources are paths, as those of
API Gateway: `apigateway:GET` on `arn:aws:apigateway:us-east-1::/restapis/abc`."""

from collections.abc import Sequence
from urllib.parse import quote

from lambent.gateway.models import OperationModel
from lambent.gateway.permissions.asked import Asked, Target

_UNQUOTED = "$:+(),;=@!*'.~-_"


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
