"""What stacks need from the rest of the platform. The assembly implements it."""

from collections.abc import Mapping
from typing import Any, Protocol

from lambent.identity.authorizer import Caller


class AwsApi(Protocol):
    """AWS's APIs, as a client would use them."""

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        """Perform an operation with the rights of a caller; returns its output members. `service`
        is botocore's name. `params` are typed as in botocore. Takes at most a minute.

        Raises `ApiError` as the API does, `AccessDeniedException` included, and with the code
        `ServiceUnavailable` if no server of the service can be reached.
        """


class Functions(Protocol):
    """Calls of functions, for custom resources and macros, with the rights of a caller. Functions
    are named as Invoke names them."""

    async def send(self, function: str, event: bytes, caller: Caller) -> None:
        """Queue an event durably. Raises `ApiError`."""

    async def call(self, function: str, event: bytes, caller: Caller) -> bytes | None:
        """Call a function and return its result, which is JSON; None if it has failed. Raises
        `ApiError`."""
