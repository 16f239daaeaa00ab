"""Finds the service and the operation of a request."""

import functools
from collections.abc import Callable, Sequence

from lambent.gateway.definitions import AnyService, BodyLimit
from lambent.gateway.models import ServiceModel
from lambent.gateway.protocols.protocol import Found, Router, WireProtocol, WireResponse
from lambent.gateway.protocols.query import QUERY
from lambent.gateway.protocols.registry import PROTOCOLS
from lambent.gateway.recognition import Recognition
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

USUAL_LIMIT = BodyLimit()
"""Of operations that have none of their own."""


@functools.cache
def _router_of(make: Callable[[ServiceModel], Router], model: ServiceModel) -> Router:
    """The router of a model: made once, however many gateways a process has."""
    return make(model)


class Dialect:
    """A service in one of its protocols."""

    def __init__(self, service: AnyService, protocol: WireProtocol) -> None:
        self.service = service
        self.protocol = protocol
        router = protocol.router if service.router is None else service.router
        self.find = _router_of(router, service.model).find
        """See `Router`; without a call in between, which would cost time on the warm path."""

    def limit_of(self, operation: str) -> BodyLimit:
        """How large a body an operation takes."""
        return self.service.body_limits.get(operation, USUAL_LIMIT)

    def render_error(self, error: ApiError, request_id: str) -> WireResponse:
        """The response for an error, also one before the operation is known."""
        return self.protocol.render_error(self.service.model, error, request_id)


Route = tuple[Dialect, Found]
"""Where a request goes. Not a class: creating one would cost time on the warm path."""


class Services:
    """The platform's own services. Finds the one that a request is for."""

    def __init__(self, services: Sequence[AnyService]) -> None:
        """The first is the default: it gets requests that indicate no service."""
        self.recognition = Recognition(services)
        self.signing_names = tuple(dict.fromkeys(service.signing_name for service in services))
        self.default = services[0]
        self._dialects: dict[str, list[Dialect]] = {}
        for service in services:
            dialects = [Dialect(service, protocol) for protocol in service.protocols]
            self._dialects.setdefault(service.signing_name, []).extend(dialects)
        every = [dialect for several in self._dialects.values() for dialect in several]
        self._rest = [
            dialect
            for dialect in every
            if dialect.protocol.is_rest and dialect.service.router is None
        ]
        self._fallbacks = {
            protocol.name: next(
                (each for each in every if each.protocol is protocol),
                Dialect(self.default, protocol),
            )
            for protocol in PROTOCOLS
        }
        """By protocol, for errors of requests whose service is not known."""

    def route(self, signing_name: str, exchange: Exchange) -> Route | None:
        """The route of a request, None if the service is not ours. Raises
        `UnknownOperationException`."""
        dialects = self._dialects.get(signing_name)
        if dialects is None:
            return None
        for dialect in dialects:
            if len(dialects) == 1 or dialect.protocol.is_spoken_in(exchange):
                found = dialect.find(exchange)
                if found is not None:
                    return dialect, found
        raise _spoken_in(exchange, dialects).protocol.unknown_operation(exchange)

    def find_by_path(self, exchange: Exchange) -> Route | None:
        """The route of a request whose method and path are those of an operation, else None. If
        several services have such an operation, the first service gets the request."""
        for dialect in self._rest:
            found = dialect.find(exchange)
            if found is not None:
                return dialect, found
        return None

    def dialect_of(self, exchange: Exchange, signing_name: str | None) -> Dialect:
        """A dialect in which the client can read an error, for a request whose operation is not
        known. `signing_name` is its service, if that is known."""
        if signing_name is not None and signing_name in self._dialects:
            return _spoken_in(exchange, self._dialects[signing_name])
        if signing_name == "s3":
            return self._fallbacks[QUERY.name]
        return _spoken_in(exchange, list(self._fallbacks.values()))


def _spoken_in(exchange: Exchange, dialects: Sequence[Dialect]) -> Dialect:
    """The dialect whose form a request has, else the first."""
    spoken = (each for each in dialects if each.protocol.is_spoken_in(exchange))
    return next(spoken, dialects[0])


def refuse_to_guess(exchange: Exchange) -> ApiError:
    """The error for an unsigned request whose form names an unknown service."""
    target = exchange.headers.get("x-amz-target")
    said = "Version" if target is None else f"X-Amz-Target '{target[:200]}'"
    return ApiError(
        "UnknownServiceException",
        "The request is not signed, so its form has to say which service it is for, and its"
        f" {said} is of none that is known here. Sign it: the signature names the service.",
    )


def unserved(name: str, services: Services) -> ApiError:
    """The error for a request for a service that is neither ours nor forwarded."""
    return ApiError(
        "UnknownServiceException",
        f"Lambent serves {', '.join(services.signing_names)}; this request is for '{name}'.",
    )
