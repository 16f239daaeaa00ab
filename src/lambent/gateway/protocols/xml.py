"""XML documents: responses of query, requests and responses of rest-xml, and errors of both."""

import re
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from lambent.gateway.call import Members
from lambent.gateway.models import Shape
from lambent.gateway.protocols.rpc import sender_of
from lambent.gateway.protocols.values import from_text, serialization_error, to_text

Element = ElementTree.Element

CONTENT_TYPE = [("Content-Type", "text/xml")]
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DEPTH_MAX = 100
_ELEMENTS_MAX = 100_000


# -- writing -----------------------------------------------------------------------------------


def add_members(element: Element, shape: Shape, value: Members) -> None:
    """Write a structure's members below an element, or into its attributes."""
    for name, member in shape.members.items():
        if value.get(name) is None:
            continue
        wire_name = member.serialization.get("name", name)
        if member.serialization.get("xmlAttribute"):
            # An attribute's prefix, as in `xsi:type`, is declared by its element's namespace.
            element.set(wire_name, xml_text(to_text(member, value[name], "iso8601")))
        else:
            add_value(element, wire_name, member, value[name])


def add_value(parent: Element, name: str, shape: Shape, value: Any) -> None:
    """Write a value as an element of a name; a flattened list or map as several."""
    is_flat = shape.serialization.get("flattened", False)
    if shape.type_name == "list":
        item_name = shape.member.serialization.get("name", "member")
        below = parent if is_flat else _add_element(parent, name, shape)
        # A flattened list's items have the name of its member, unless they have one of their own.
        item_name = shape.member.serialization.get("name", name) if is_flat else item_name
        for item in value:
            add_value(below, item_name, shape.member, item)
    elif shape.type_name == "map":
        below = parent if is_flat else _add_element(parent, name, shape)
        for key, item in value.items():
            entry = ElementTree.SubElement(below, name if is_flat else "entry")
            add_value(entry, shape.key.serialization.get("name", "key"), shape.key, key)
            add_value(entry, shape.value.serialization.get("name", "value"), shape.value, item)
    elif shape.type_name == "structure":
        add_members(_add_element(parent, name, shape), shape, value)
    else:
        text = to_text(shape, value, "iso8601")
        _add_element(parent, name, shape).text = xml_text(text)


def _add_element(parent: Element, name: str, shape: Shape) -> Element:
    element = ElementTree.SubElement(parent, name)
    set_namespace(element, shape)
    return element


def set_namespace(element: Element, shape: Shape) -> None:
    """Declare the namespace that the model has for a shape, if it has one."""
    namespace = shape.serialization.get("xmlNamespace")
    if namespace:
        prefix = namespace.get("prefix")
        element.set(f"xmlns:{prefix}" if prefix else "xmlns", namespace["uri"])


def xml_text(text: str) -> str:
    """The text without the characters that XML cannot express."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def encode_xml(root: Element) -> bytes:
    """The document."""
    encoded: bytes = ElementTree.tostring(root, "utf-8")
    return encoded


def error_document(code: str, message: str, status: int, request_id: str) -> bytes:
    """`ErrorResponse`, the form of errors that all services of both protocols but S3 share."""
    root = ElementTree.Element("ErrorResponse")
    element = ElementTree.SubElement(root, "Error")
    for name, text in (("Type", sender_of(status)), ("Code", code), ("Message", message)):
        ElementTree.SubElement(element, name).text = xml_text(text)
    ElementTree.SubElement(root, "RequestId").text = request_id
    return encode_xml(root)


def bare_error_document(code: str, message: str, request_id: str) -> bytes:
    """`Error`, the form of S3's errors."""
    root = ElementTree.Element("Error")
    for name, text in (("Code", code), ("Message", message), ("RequestId", request_id)):
        ElementTree.SubElement(root, name).text = xml_text(text)
    return encode_xml(root)


# -- reading -----------------------------------------------------------------------------------


def decode_xml(body: bytes) -> Element:
    """The root of a document, with names without their namespaces. Raises `SerializationException`
    if the body is not XML, is nested deeply, has too many elements, or declares entities, which can
    grow without limit."""
    builder = ElementTree.TreeBuilder()
    depth = elements = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > _DEPTH_MAX or elements > _ELEMENTS_MAX:
            raise serialization_error("the body has too many elements, or they are nested deeply")
        builder.start(_local(name), {_local(key): text for key, text in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_local(name))

    def refuse(*_: Any) -> None:
        raise serialization_error("the body has a document type declaration")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise serialization_error(f"cannot parse the body as XML: {error}") from error
    return builder.close()


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def read_members(element: Element, members: Members, path: str) -> dict[str, Any]:
    """The members of a structure below an element; unknown elements are ignored."""
    found: dict[str, Any] = {}
    for name, member in members.items():
        wire_name = member.serialization.get("name", name)
        below = f"{path}.{name}" if path else name
        if member.serialization.get("xmlAttribute"):
            text = element.get(wire_name.rpartition(":")[2])
            if text is not None:
                found[name] = from_text(member, text, below)
            continue
        is_flat = member.serialization.get("flattened", False)
        if is_flat and member.type_name == "list":
            wire_name = member.member.serialization.get("name", wire_name)
        elements = element.findall(wire_name)
        if elements:
            found[name] = _read_all(member, elements, below, is_flat=is_flat)
    return found


def read_value(shape: Shape, element: Element, path: str) -> Any:
    """The value of an element. Raises `SerializationException`."""
    if shape.type_name == "structure":
        return read_members(element, shape.members, path)
    if shape.type_name in ("list", "map"):
        return _read_all(shape, list(element), path, is_flat=True)
    text = element.text or ""
    is_text = shape.type_name in ("string", "character")
    return from_text(shape, text if is_text else text.strip(), path)


def _read_all(shape: Shape, elements: list[Element], path: str, *, is_flat: bool) -> Any:
    """The value of a member: its elements are the items of a flattened list or map, else the first
    is the value."""
    if not is_flat or shape.type_name not in ("list", "map"):
        return read_value(shape, elements[0], path)
    if shape.type_name == "list":
        return [
            read_value(shape.member, element, f"{path}.{number}")
            for number, element in enumerate(elements, 1)
        ]
    found = {}
    for entry in elements:
        key = entry.find(shape.key.serialization.get("name", "key"))
        value = entry.find(shape.value.serialization.get("name", "value"))
        if key is None or value is None:
            raise serialization_error(f"'{path}' has an entry without a key or a value")
        found[read_value(shape.key, key, path)] = read_value(shape.value, value, path)
    return found
