"""Shared by the protocols in which a request names its operation: json, query and CBOR."""

from collections.abc import Callable

from lambent.gateway.models import ServiceModel, Shape
from lambent.gateway.protocols.protocol import Found
from lambent.kit.http.messages import Exchange


class NamedOperations:
    """Finds operations by the names in requests."""

    def __init__(self, service: ServiceModel, read_name: Callable[[Exchange], str]) -> None:
        """`read_name` returns a request's operation, empty if it names none of the service."""
        self._service = service
        self._names = frozenset(service.operation_names)
        self._read_name = read_name

    def find(self, exchange: Exchange) -> Found | None:
        """See `Router`."""
        name = self._read_name(exchange)
        return (self._service.operation_model(name), {}) if name in self._names else None


def error_shape(service: ServiceModel, code: str) -> Shape | None:
    """The shape of an error, by its name or by its code in the query protocol."""
    for shape in service.error_shapes:
        if code in (shape.name, shape.error_code):
            return shape
    return None


def query_code(shape: Shape | None, code: str) -> str:
    """The code of an error in the query protocol, whose codes are often without `Exception`."""
    if shape is None:
        return "AccessDenied" if code == "AccessDeniedException" else code
    return str(shape.error_code)


def sender_of(status: int) -> str:
    """The type of an error in the query protocol: whose fault it is."""
    return "Sender" if status < 500 else "Receiver"


def query_error_header(
    service: ServiceModel, shape: Shape | None, code: str, status: int
) -> list[tuple[str, str]]:
    """The header with an error's code in the query protocol, for clients of services that have
    moved to another protocol. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#query-compatible"""
    if not service.is_query_compatible:
        return []
    return [("x-amzn-query-error", f"{query_code(shape, code)};{sender_of(status)}")]
