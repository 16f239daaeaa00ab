"""rest-xml: operations have paths, documents are XML. S3 and CloudFront speak it.
https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
"""

from typing import Any
from xml.etree import ElementTree

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, ServiceModel
from lambent.gateway.protocols.protocol import Labels, WireResponse
from lambent.gateway.protocols.rest import RestProtocol, read_outside_body, write_outside_body
from lambent.gateway.protocols.rpc import error_shape, query_code
from lambent.gateway.protocols.values import from_text, to_text
from lambent.gateway.protocols.xml import (
    add_value,
    bare_error_document,
    decode_xml,
    encode_xml,
    error_document,
    read_members,
    read_value,
    set_namespace,
)
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

_BARE = "s3"
"""The service whose errors have no document around them."""
_CONTENT_TYPE = ("Content-Type", "application/xml")


class RestXml(RestProtocol):
    """See `WireProtocol`."""

    name = "rest-xml"

    def parse(
        self, operation: OperationModel, exchange: Exchange, labels: Labels
    ) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None:
            return {}
        found = read_outside_body(shape, exchange, labels)
        params, payload, body = found.params, found.payload, exchange.body
        if payload is not None:
            member = shape.members[payload]
            if member.type_name == "blob":
                params[payload] = body
            elif member.type_name == "string":
                params[payload] = from_text(member, body.decode(errors="replace"), payload)
            elif body:
                params[payload] = read_value(member, decode_xml(body), payload)
        elif found.in_body and body.strip():
            params |= read_members(decode_xml(body), found.in_body, "")
        return params

    def render(self, operation: OperationModel, output: Members, request_id: str) -> WireResponse:
        written = write_outside_body(operation, output)
        status, headers, payload = written.status, written.headers, written.payload
        shape = operation.output_shape
        if shape is None or status == 204:
            return WireResponse(status, headers, b"")
        if payload is not None:
            member, value = shape.members[payload], output.get(payload)
            if member.type_name in ("blob", "string"):
                body = value if isinstance(value, bytes) else str(value or "").encode()
                return WireResponse(status, headers, body)
            if value is None:
                return WireResponse(status, headers, b"")
            holder = ElementTree.Element("holder")
            name = member.serialization.get("name", member.name)
            add_value(holder, name, member, value)
            return WireResponse(status, [*headers, _CONTENT_TYPE], encode_xml(holder[0]))
        if not written.in_body:
            return WireResponse(status, headers, b"")
        root = ElementTree.Element(shape.serialization.get("name", f"{operation.name}Result"))
        set_namespace(root, shape)
        for name, member in written.in_body.items():
            if member.serialization.get("xmlAttribute"):
                root.set(member.serialization.get("name", name), to_text(member, output[name], ""))
            else:
                add_value(root, member.serialization.get("name", name), member, output[name])
        return WireResponse(status, [*headers, _CONTENT_TYPE], encode_xml(root))

    def render_error(self, service: ServiceModel, error: ApiError, request_id: str) -> WireResponse:
        shape = error_shape(service, error.code)
        code, status = query_code(shape, error.code), error.status
        if shape is not None:
            status = int(shape.metadata.get("error", {}).get("httpStatusCode", status))
        if status == 304:
            return WireResponse(status, [], b"")
        if service.service_name == _BARE:
            body = bare_error_document(code, error.message, request_id)
        else:
            body = error_document(code, error.message, status, request_id)
        return WireResponse(status, [_CONTENT_TYPE], body)


REST_XML = RestXml()
