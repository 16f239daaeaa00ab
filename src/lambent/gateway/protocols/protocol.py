"""What every wire protocol of AWS does, whatever service speaks it.

A protocol finds the operation that a request is for, reads the operation's input members from the
request, and writes output members or an error as a response. It works from the service's model
alone and keeps no state, so that one object serves all services.
https://smithy.io/2.0/aws/protocols/index.html
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, ServiceModel
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

Labels = Mapping[str, str]
"""Values from the path of a request, decoded, by the name of the label in the model."""

Found = tuple[OperationModel, Labels]
"""The operation that a request is for."""


@dataclasses.dataclass(frozen=True, slots=True)
class WireResponse:
    """A response, ready to be sent. The sender adds the request id."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Router(Protocol):
    """Knows the operations of one service in one protocol."""

    def find(self, exchange: Exchange) -> Found | None:
        """The operation that a request is for, None if it is none of the service's."""
        ...


class WireProtocol(Protocol):
    """One protocol."""

    @property
    def name(self) -> str:
        """As botocore's models call it: `rest-json`, `json`, `query`."""
        ...

    @property
    def is_rest(self) -> bool:
        """Whether method and path identify the operation. They then identify the service, too."""
        ...

    def is_spoken_in(self, exchange: Exchange) -> bool:
        """Whether a request has the form of this protocol. This distinguishes the protocols of a
        service that speaks several, and finds errors that a client can read."""
        ...

    def router(self, service: ServiceModel) -> Router:
        """Finds the operations of a service."""
        ...

    def unknown_operation(self, exchange: Exchange) -> ApiError:
        """The error for a request that is for no operation of its service."""
        ...

    def parse(
        self, operation: OperationModel, exchange: Exchange, labels: Labels
    ) -> dict[str, Any]:
        """The input members, typed and not validated. Raises `SerializationException`."""
        ...

    def render(self, operation: OperationModel, output: Members, request_id: str) -> WireResponse:
        """The response of an operation that succeeded."""
        ...

    def render_error(self, service: ServiceModel, error: ApiError, request_id: str) -> WireResponse:
        """The response of an operation that failed, as the service's model lays errors out."""
        ...


def unknown_operation(operation: str, *, status: int) -> ApiError:
    """`UnknownOperationException`."""
    return ApiError("UnknownOperationException", f"Unknown operation: {operation}", status=status)
