"""What the operations on REST APIs need."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from lambent.control.apis.v1.operations import RestApis
from lambent.model.arn import Scope


class Trials(Protocol):
    """Makes requests to an API that no client has sent. Both return output members, and raise
    `ApiError`."""

    async def invoke_method(self, scope: Scope, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """TestInvokeMethod."""
        ...

    async def invoke_authorizer(self, scope: Scope, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """TestInvokeAuthorizer."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class RestApiRooms:
    """See the module."""

    apis: RestApis
    trials: Trials | None = None
    """None without a data plane."""
