"""From a request to the service and the operation that it is for."""

from collections.abc import Sequence
from typing import NamedTuple

from lambent.gateway.definitions import AnyService, BodyLimit
from lambent.gateway.models import OperationModel, ServiceModel
from lambent.gateway.protocols.protocol import Labels, Router, WireProtocol
from lambent.gateway.protocols.query import QUERY
from lambent.gateway.protocols.registry import PROTOCOLS
from lambent.gateway.recognition import Recognition
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

USUAL_LIMIT = BodyLimit()
"""Of operations that have none of their own."""


class Route(NamedTuple):
    """Where a request goes."""

    service: AnyService
    protocol: WireProtocol
    operation: OperationModel
    labels: Labels

    @property
    def body_limit(self) -> BodyLimit:
        """How large a body the operation takes."""
        return self.service.body_limits.get(self.operation.name, USUAL_LIMIT)


class Dialect(NamedTuple):
    """How an error is written to a client of whom it is not known which operation it wants."""

    protocol: WireProtocol
    model: ServiceModel


class Services:
    """The platform's own services, by what requests say."""

    def __init__(self, services: Sequence[AnyService]) -> None:
        """What is for no service in particular is for the first, and so are its errors."""
        self.recognition = Recognition(services)
        self.signing_names = tuple(dict.fromkeys(service.signing_name for service in services))
        self.default = services[0]
        self._spoken: dict[str, list[_Spoken]] = {}
        for service in services:
            spoken = [_Spoken(service, protocol) for protocol in service.protocols]
            self._spoken.setdefault(service.signing_name, []).extend(spoken)
        self._all = [spoken for several in self._spoken.values() for spoken in several]
        self._rest = [spoken for spoken in self._all if spoken.protocol.is_rest]

    def has(self, signing_name: str) -> bool:
        """Whether requests for this service are served here."""
        return signing_name in self._spoken

    def route(self, signing_name: str, exchange: Exchange) -> Route:
        """Where a request for one of our services goes. Raises `UnknownOperationException`."""
        candidates = self._spoken[signing_name]
        for spoken in candidates:
            if len(candidates) == 1 or spoken.protocol.is_spoken_in(exchange):
                route = spoken.find(exchange)
                if route is not None:
                    return route
        raise self._spoken_in(exchange, candidates).protocol.unknown_operation(exchange)

    def find_by_path(self, exchange: Exchange) -> Route | None:
        """Where a request goes whose method and path are those of an operation; if they are those
        of operations of several services, it goes to the first."""
        for spoken in self._rest:
            route = spoken.find(exchange)
            if route is not None:
                return route
        return None

    def dialect_of(self, exchange: Exchange, signing_name: str | None) -> Dialect:
        """How to write an error so that the client can read it, for a request whose operation is
        not known. `signing_name` is the service that it is for, if its signature says so."""
        if signing_name is not None and signing_name in self._spoken:
            spoken = self._spoken_in(exchange, self._spoken[signing_name])
            return Dialect(spoken.protocol, spoken.service.model)
        if signing_name == "s3":
            return Dialect(QUERY, self.default.model)
        protocol = next(each for each in PROTOCOLS if each.is_spoken_in(exchange))
        services = (spoken.service for spoken in self._all if spoken.protocol is protocol)
        return Dialect(protocol, next(services, self.default).model)

    def _spoken_in(self, exchange: Exchange, candidates: "list[_Spoken]") -> "_Spoken":
        """The one whose protocol a request speaks, else the first."""
        forms = (spoken for spoken in candidates if spoken.protocol.is_spoken_in(exchange))
        return next(forms, candidates[0])


class _Spoken:
    """A service in one of its protocols."""

    def __init__(self, service: AnyService, protocol: WireProtocol) -> None:
        self.service = service
        self.protocol = protocol
        self._router: Router = protocol.router(service.model)

    def find(self, exchange: Exchange) -> Route | None:
        """Where a request in this protocol goes, None if it is for no operation of the service."""
        found = self._router.find(exchange)
        return None if found is None else Route(self.service, self.protocol, *found)


def refuse_to_guess(exchange: Exchange) -> ApiError:
    """The error for an unsigned request whose form is that of a service which is not known."""
    target = exchange.headers.get("x-amz-target")
    said = "Version" if target is None else f"X-Amz-Target '{target[:200]}'"
    return ApiError(
        "UnknownServiceException",
        "The request is not signed, so its form has to say which service it is for, and its"
        f" {said} is of none that is known here. Sign it: the signature names the service.",
    )


def unserved(name: str, services: Services) -> ApiError:
    """The error for a request for a service that nobody serves."""
    return ApiError(
        "UnknownServiceException",
        f"Lambent serves {', '.join(services.signing_names)}; this request is for '{name}'.",
    )
