"""What the protocols without paths have in common: a request names its operation."""

from collections.abc import Callable

from lambent.gateway.models import ServiceModel, Shape
from lambent.gateway.protocols.protocol import Found
from lambent.kit.http.messages import Exchange


class NamedOperations:
    """A router of a service whose requests name their operation."""

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
    """The shape of an error, by its own name or by the code that it has in query requests."""
    for shape in service.error_shapes:
        if code in (shape.name, shape.error_code):
            return shape
    return None


def query_code(shape: Shape | None, code: str) -> str:
    """What an error is called in query requests: services that once spoke it alone have names
    without `Exception` there."""
    if shape is None:
        return "AccessDenied" if code == "AccessDeniedException" else code
    return str(shape.error_code)


def sender_of(status: int) -> str:
    """Whose fault an error is, in the words of query requests."""
    return "Sender" if status < 500 else "Receiver"


def query_error_header(
    service: ServiceModel, shape: Shape | None, code: str, status: int
) -> list[tuple[str, str]]:
    """The header with which a service that has changed its protocol tells clients an error's old
    code. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#query-compatible"""
    if not service.is_query_compatible:
        return []
    return [("x-amzn-query-error", f"{query_code(shape, code)};{sender_of(status)}")]
