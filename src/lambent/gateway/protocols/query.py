"""query: a request is a form, a response is XML. IAM, STS and CloudFormation speak it.
https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, ServiceModel, Shape
from lambent.gateway.protocols.forms import read_field, read_form
from lambent.gateway.protocols.protocol import Labels, WireResponse, unknown_operation
from lambent.gateway.protocols.rpc import NamedOperations, error_shape, query_code
from lambent.gateway.protocols.values import from_text
from lambent.gateway.protocols.xml import CONTENT_TYPE, add_members, encode_xml, error_document
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

_DEPTH_MAX = 8
"""Parts of a field's name. The rest becomes one part, which matches no member."""
_POSITION = re.compile(r"[1-9][0-9]{0,5}")

_Node = dict[str | None, Any]
"""The fields of a form below a name, by the next part of the name. None is the key of the value of
the name itself."""


class Query:
    """See `WireProtocol`."""

    name = "query"
    is_rest = False

    def is_spoken_in(self, exchange: Exchange) -> bool:
        content_type = exchange.headers.get("content-type", "")
        return content_type.startswith("application/x-www-form-urlencoded")

    def router(self, service: ServiceModel) -> NamedOperations:
        return NamedOperations(service, _action)

    def unknown_operation(self, exchange: Exchange) -> ApiError:
        return unknown_operation(_action(exchange)[:200] or "none", status=400)

    def parse(
        self, operation: OperationModel, exchange: Exchange, labels: Labels
    ) -> dict[str, Any]:
        """`Tags.member.1.Key` is the key of the first tag."""
        shape = operation.input_shape
        if shape is None:
            return {}
        found = _from_form(shape, _as_tree(read_form(exchange)), "")
        assert isinstance(found, dict)
        return found

    def render(self, operation: OperationModel, output: Members, request_id: str) -> WireResponse:
        namespace = operation.service_model.metadata.get("xmlNamespace", "")
        root = ElementTree.Element(f"{operation.name}Response", xmlns=namespace)
        shape = operation.output_shape
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
            add_members(ElementTree.SubElement(root, wrapper), shape, output)
        metadata = ElementTree.SubElement(root, "ResponseMetadata")
        ElementTree.SubElement(metadata, "RequestId").text = request_id
        return WireResponse(200, CONTENT_TYPE, encode_xml(root))

    def render_error(self, service: ServiceModel, error: ApiError, request_id: str) -> WireResponse:
        code = query_code(error_shape(service, error.code), error.code)
        body = error_document(code, error.message, error.status, request_id)
        return WireResponse(error.status, CONTENT_TYPE, body)


def _action(exchange: Exchange) -> str:
    return read_field(exchange, "Action")


def _as_tree(form: Mapping[str, list[str]]) -> _Node:
    tree: _Node = {}
    for name, values in form.items():
        node = tree
        for part in name.split(".", _DEPTH_MAX):
            node = node.setdefault(part, {})
        node[None] = values[0]
    return tree


def _from_form(shape: Shape, node: _Node, path: str) -> Any:
    """The value of a shape in the fields below a name, None if there is none."""
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            wire_name = _wire_name(name, member)
            if wire_name in node:
                below = f"{path}.{name}" if path else name
                value = _from_form(member, node[wire_name], below)
                if value is not None:
                    found[name] = value
        return found
    is_flat = shape.serialization.get("flattened", False)
    if shape.type_name == "list":
        items = node if is_flat else node.get(shape.member.serialization.get("name", "member"), {})
        return [_from_form(shape.member, item, f"{path}.{at}") for at, item in _in_order(items)]
    if shape.type_name == "map":
        return _map_from_form(shape, node if is_flat else node.get("entry", {}), path)
    if None not in node:
        return None
    return from_text(shape, node[None], path)


def _wire_name(name: str, shape: Shape) -> str:
    """The name of a member in forms. A flattened list has the name of its items."""
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return str(shape.member.serialization.get("name", shape.serialization.get("name", name)))
    return str(shape.serialization.get("name", name))


def _map_from_form(shape: Shape, entries: _Node, path: str) -> dict[str, Any]:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    found = {}
    for _, entry in _in_order(entries):
        key = _from_form(shape.key, entry.get(key_name, {}), path)
        value = _from_form(shape.value, entry.get(value_name, {}), f"{path}.{key}")
        if key is not None and value is not None:
            found[key] = value
    return found


def _in_order(items: _Node) -> list[tuple[str, _Node]]:
    """Items in the order of their positions, which begin with 1. Other keys are ignored."""
    positions = [at for at in items if at and _POSITION.fullmatch(at)]
    return [(at, items[at]) for at in sorted(positions, key=int)]


QUERY = Query()
