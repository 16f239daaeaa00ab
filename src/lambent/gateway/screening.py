"""Decides about requests before their bodies are read: how large they may be, and from whom."""

from lambent.gateway.fronts import SMALL_BODY_BYTES_MAX, Fronts
from lambent.gateway.hosts import Hosts
from lambent.gateway.recognition import is_public
from lambent.gateway.routing import Services
from lambent.identity.authorizer import Authorizer
from lambent.kit.http.messages import Exchange
from lambent.model.limits import REQUEST_BYTES_MAX

_SMALL_LENGTH_DIGITS = 6
"""Of a length of less than `SMALL_BODY_BYTES_MAX`."""


class Screening:
    """Looks at the heads of requests."""

    def __init__(
        self, fronts: Fronts, services: Services, authorizer: Authorizer, names: Hosts | None
    ) -> None:
        """`names` are the host names that are accepted, None if all are."""
        self._fronts = fronts
        self._services = services
        self._authorizer = authorizer
        self._names = names

    def body_limit(self, exchange: Exchange) -> int:
        """Bytes that the body of a request may have."""
        length = exchange.headers.get("content-length")
        if length is not None and len(length) <= _SMALL_LENGTH_DIGITS:
            return SMALL_BODY_BYTES_MAX  # The body is smaller than every limit.
        front = self._fronts.find(exchange)
        if front is not None:
            return front.body_bytes_max
        route = self._services.find_by_path(exchange)
        if route is not None:
            dialect, (operation, _) = route
            return dialect.limit_of(operation.name).bytes_max
        return SMALL_BODY_BYTES_MAX if is_public(exchange) else REQUEST_BYTES_MAX

    def check(self, exchange: Exchange) -> None:
        """Raise `ApiError` if a request is refused whatever its body is."""
        front = self._fronts.find(exchange)
        if self._names is not None and (front is None or not front.has_own_names):
            self._names.check(exchange)
        if front is not None and front.screen is not None:
            exchange.is_vouched_for = front.screen(exchange)
            return
        is_open = front.is_open if front is not None else is_public(exchange)
        if not is_open:
            exchange.is_vouched_for = self._authorizer.screen(exchange)
