"""From output members and errors to an answer's bytes, as the model lays them out."""

import base64
import dataclasses
import datetime
import email.utils
import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from lambent.gateway.protocol.models import OperationModel, ServiceModel, Shape
from lambent.model.errors import ApiError


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STATUS = {"DeleteFunction": 204}
"""Where AWS's answer differs from the model's `responseCode`."""


def render_rest_json(operation: OperationModel, output: Mapping[str, Any]) -> Answer:
    """A successful rest-json answer."""
    status = _STATUS.get(operation.name) or int(operation.http.get("responseCode", 200))
    headers: list[tuple[str, str]] = []
    shape = operation.output_shape
    if shape is None:
        return Answer(status, headers, b"")
    payload = shape.serialization.get("payload")
    document = {}
    for name, member in shape.members.items():
        value = output.get(name)
        if value is None:
            continue
        location = member.serialization.get("location")
        wire_name = member.serialization.get("name", name)
        if location == "statusCode":
            status = int(value)
        elif location == "header":
            headers.append((wire_name, _header_text(member, value)))
        elif location == "headers":
            headers += [(wire_name + key, str(item)) for key, item in value.items()]
        elif name != payload:
            document[wire_name] = to_json(member, value)
    if status == 204:
        return Answer(status, headers, b"")
    headers.append(("Content-Type", "application/json"))
    if payload is None:
        return Answer(status, headers, _dump(document))
    member = shape.members[payload]
    value = output.get(payload)
    if member.type_name == "blob":
        return Answer(status, headers, value or b"")
    return Answer(status, headers, _dump(to_json(member, value or {})))


def render_json(operation: OperationModel, output: Mapping[str, Any]) -> Answer:
    """A successful json answer."""
    headers = [("Content-Type", "application/x-amz-json-1.1")]
    shape = operation.output_shape
    return Answer(200, headers, _dump(to_json(shape, output)) if shape is not None else b"{}")


def render_query(operation: OperationModel, output: Mapping[str, Any], request_id: str) -> Answer:
    """A successful query answer (XML)."""
    namespace = operation.service_model.metadata.get("xmlNamespace", "")
    root = ElementTree.Element(f"{operation.name}Response", xmlns=namespace)
    shape = operation.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
        result = ElementTree.SubElement(root, wrapper)
        _add_members(result, shape, output)
    metadata = ElementTree.SubElement(root, "ResponseMetadata")
    ElementTree.SubElement(metadata, "RequestId").text = request_id
    return Answer(200, [("Content-Type", "text/xml")], ElementTree.tostring(root, "utf-8"))


def _add_members(element: ElementTree.Element, shape: Shape, value: Mapping[str, Any]) -> None:
    for name, member in shape.members.items():
        if value.get(name) is not None:
            wire_name = member.serialization.get("name", name)
            _add_value(ElementTree.SubElement(element, wire_name), member, value[name])


def _add_value(element: ElementTree.Element, shape: Shape, value: Any) -> None:
    if shape.type_name == "structure":
        _add_members(element, shape, value)
    elif shape.type_name == "list":
        for item in value:
            _add_value(ElementTree.SubElement(element, "member"), shape.member, item)
    elif shape.type_name == "boolean":
        element.text = "true" if value else "false"
    elif shape.type_name == "timestamp":
        element.text = str(_timestamp(value, "iso8601"))
    else:
        element.text = _xml_text(str(value))


def render_error(service: ServiceModel, error: ApiError, request_id: str) -> Answer:
    """An error in the form of the service's protocol."""
    protocol = service.metadata["protocol"]
    if protocol == "query":
        return _query_error(error, request_id)
    shape = service.shape_for_error_code(error.code)
    if protocol == "json":
        body = {"__type": error.code, "message": error.message, **error.members}
        headers = [("Content-Type", "application/x-amz-json-1.1")]
        return Answer(error.status if error.status >= 500 else 400, headers, _dump(body))
    status, headers, document = _rest_json_error(shape, error)
    headers += [("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code)]
    return Answer(status, headers, _dump(document))


def _rest_json_error(
    shape: Shape | None, error: ApiError
) -> tuple[int, list[tuple[str, str]], dict[str, Any]]:
    """Status, header members and body. What the model does not know has no `Type`."""
    if shape is None:
        capital = error.code in ("AccessDeniedException", "MissingAuthenticationTokenException")
        return error.status, [], {"Message" if capital else "message": error.message}
    status = int(shape.metadata.get("error", {}).get("httpStatusCode", error.status))
    document: dict[str, Any] = {}
    headers = []
    for name, member in shape.members.items():
        value = error.members.get(name)
        if name == "Type" and name not in error.members:
            value = "User" if status < 500 else "Service"
        elif name.lower() == "message":
            value = error.message
        if value is None:
            continue
        if member.serialization.get("location") == "header":
            headers.append((member.serialization["name"], str(value)))
        else:
            document[member.serialization.get("name", name)] = value
    return status, headers, document


def _query_error(error: ApiError, request_id: str) -> Answer:
    root = ElementTree.Element("ErrorResponse")
    element = ElementTree.SubElement(root, "Error")
    kind = "Sender" if error.status < 500 else "Receiver"
    # The services of this protocol are older than the names with Exception.
    code = "AccessDenied" if error.code == "AccessDeniedException" else error.code
    for name, text in (("Type", kind), ("Code", code), ("Message", error.message)):
        ElementTree.SubElement(element, name).text = _xml_text(text)
    ElementTree.SubElement(root, "RequestId").text = request_id
    body = ElementTree.tostring(root, "utf-8")
    return Answer(error.status, [("Content-Type", "text/xml")], body)


def _xml_text(text: str) -> str:
    """The text without the characters that XML cannot express."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def to_json(shape: Shape, value: Any) -> Any:
    """A value of the shape as JSON writes it; absent and null members are left out."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        return {
            member.serialization.get("name", name): to_json(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [to_json(shape.member, item) for item in value]
    if kind == "map":
        return {key: to_json(shape.value, item) for key, item in value.items()}
    if kind == "blob":
        return base64.b64encode(value).decode()
    if kind == "timestamp":
        return _timestamp(value, shape.serialization.get("timestampFormat", "unixTimestamp"))
    return value


def _timestamp(value: datetime.datetime, form: str) -> Any:
    if form == "iso8601":
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if form == "rfc822":
        return email.utils.format_datetime(value.astimezone(datetime.UTC), usegmt=True)
    return value.timestamp()


def _header_text(shape: Shape, value: Any) -> str:
    if shape.type_name == "timestamp":
        return str(_timestamp(value, shape.serialization.get("timestampFormat", "rfc822")))
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return str(value)


def _dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
