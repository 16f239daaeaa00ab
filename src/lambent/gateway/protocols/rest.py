"""Shared by rest-json and rest-xml: routes, and members in the path, the query and the headers."""

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, ServiceModel, Shape
from lambent.gateway.protocols.protocol import Labels, unknown_operation
from lambent.gateway.protocols.routes import Routes
from lambent.gateway.protocols.values import from_text, to_text
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError


class RestProtocol:
    """What both have of a `WireProtocol`: operations are found by method and path."""

    is_rest = True

    def is_spoken_in(self, exchange: Exchange) -> bool:
        """Requests without the form of another protocol are in this one."""
        return True

    def router(self, service: ServiceModel) -> Routes:
        return Routes(service)

    def unknown_operation(self, exchange: Exchange) -> ApiError:
        return unknown_operation(f"{exchange.method} {exchange.path[:200]}", status=404)


@dataclasses.dataclass(frozen=True, slots=True)
class RestInput:
    """The members that are outside the body of a request, and the shapes of those in its body."""

    params: dict[str, Any]
    in_body: Mapping[str, Shape]
    """Members of the document in the body."""
    payload: str | None
    """The one member that is the whole body, if there is one."""


def read_outside_body(shape: Shape, exchange: Exchange, labels: Labels) -> RestInput:
    """The members in path, query and headers. Raises `SerializationException`."""
    params: dict[str, Any] = {}
    query: dict[str, list[str]] | None = None
    payload = shape.serialization.get("payload")
    in_body = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        wire_name = member.serialization.get("name", name)
        if location == "uri":
            params[name] = from_text(member, labels[wire_name], name)
        elif location == "querystring":
            if query is None:
                query = parse_qs(exchange.query, keep_blank_values=True)
            if member.type_name == "map":
                params[name] = _rest_of_query(shape, query)
            elif wire_name in query:
                params[name] = _from_query(member, query[wire_name], name)
        elif location == "header":
            value = exchange.headers.get(wire_name.lower())
            if value is not None:
                params[name] = from_text(member, value, name)
        elif location == "headers":
            prefix = wire_name.lower()
            params[name] = {
                header[len(prefix) :]: value
                for header, value in exchange.headers.items()
                if header.startswith(prefix)
            }
        elif name != payload:
            in_body[name] = member
    return RestInput(params, in_body, payload)


def _from_query(shape: Shape, values: list[str], path: str) -> Any:
    if shape.type_name == "list":
        return [from_text(shape.member, value, path) for value in values]
    return from_text(shape, values[0], path)


def _rest_of_query(shape: Shape, query: Mapping[str, list[str]]) -> dict[str, str]:
    """The parameters that no other member has."""
    named = {
        member.serialization.get("name", name)
        for name, member in shape.members.items()
        if member.serialization.get("location") == "querystring" and member.type_name != "map"
    }
    return {name: values[0] for name, values in query.items() if name not in named}


@dataclasses.dataclass(frozen=True, slots=True)
class RestOutput:
    """The status and headers of a response, and the shapes of the members in its body."""

    status: int
    headers: list[tuple[str, str]]
    in_body: Mapping[str, Shape]
    """Members of the document in the body that have a value."""
    payload: str | None
    """The one member that is the whole body, if there is one."""


def write_outside_body(operation: OperationModel, output: Members) -> RestOutput:
    """The status and the members in headers."""
    status = int(operation.http.get("responseCode", 200))
    headers: list[tuple[str, str]] = []
    in_body: dict[str, Shape] = {}
    shape = operation.output_shape
    if shape is None:
        return RestOutput(status, headers, in_body, None)
    payload = shape.serialization.get("payload")
    for name, member in shape.members.items():
        value = output.get(name)
        if value is None:
            continue
        location = member.serialization.get("location")
        wire_name = member.serialization.get("name", name)
        if location == "statusCode":
            status = int(value)
        elif location == "header":
            headers.append((wire_name, to_text(member, value, "rfc822")))
        elif location == "headers":
            headers += [(wire_name + key, str(item)) for key, item in value.items()]
        elif name != payload:
            in_body[name] = member
    return RestOutput(status, headers, in_body, payload)
