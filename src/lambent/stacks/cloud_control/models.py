"""Properties of a resource, from what its service says of it. Pure.

A response has members under the names of an operation's input, at its top or one level below.
Whatever an input does not have, such as a status, is no property.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from lambent.kit import strict_json
from lambent.model.stack_documents import TOKEN_TAG
from lambent.stacks.resources.conversion import Shape, member_of
from lambent.stacks.resources.expressions import Values, expand
from lambent.stacks.resources.facts import Facts, facts_of, input_of
from lambent.stacks.resources.row_type import Row
from lambent.stacks.resources.schema import unoffered

_TAG: Final = ("Key", "TagKey", "key"), ("Value", "TagValue", "value")


def properties_of(row: Row, values: Values) -> dict[str, Any]:
    """All properties that a response has. `values` has the response, and as properties those that
    the identifier says."""
    facts = facts_of(row.name)
    hidden = unoffered(row)
    places = list(_places(values.response))
    found = {}
    for name in facts.properties:
        if name in facts.write_only or name in hidden:
            continue
        if row.bag is not None and name in row.bag.properties:
            value = _of_text(values.response, row.bag.member, name)
        elif row.tags and name == row.tags_property:
            value = _tags(_member(places, row.tags), is_map=name in facts.objects)
        else:
            value = _view(_member(places, row.renamed.get(name, name)), _shape(row, name))
            value = _document(value, name, facts)
        is_other = (name in facts.lists and not isinstance(value, list)) or (
            name in facts.objects and not isinstance(value, Mapping)
        )
        if value is not None and not is_other:
            found[name] = value
    attributes = expand(row.attributes, values)
    found.update({name: value for name, value in attributes.items() if name in facts.properties})
    known = {name: value for name, value in values.properties.items() if name in facts.properties}
    return {**known, **_plain(found)}


def shown(row: Row, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties without those that can only be written."""
    hidden = {path.split("/")[0] for path in facts_of(row.name).write_only if "/" not in path}
    made = {name: value for name, value in properties.items() if name not in hidden}
    for path in facts_of(row.name).write_only:
        whole, *inner = path.split("/")
        if inner and made.get(whole):
            made[whole] = _without(made[whole], inner)
            if not made[whole]:
                del made[whole]
    return made


def _without(value: Any, path: list[str]) -> Any:
    """A value without what is at a path; `*` stands for all elements of a list."""
    if isinstance(value, list):
        rest = path[1:] if path[0] == "*" else path
        return [_without(each, rest) for each in value] if rest else []
    if not isinstance(value, Mapping):
        return value
    name, *rest = path
    if not rest:
        return {key: each for key, each in value.items() if key != name}
    return {key: _without(each, rest) if key == name else each for key, each in value.items()}


def _places(response: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(response, Mapping):
        yield response
        for inner in response.values():
            if isinstance(inner, Mapping):
                yield inner
            elif isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], Mapping):
                yield inner[0]


def _member(places: list[Mapping[str, Any]], name: str) -> Any:
    for place in places:
        member = member_of(place, name)
        if member is not None:
            return place[member]
    return None


def _shape(row: Row, name: str) -> Shape:
    """The shape of a property in the first operation that takes it; a text if none does."""
    for op in (row.create, *row.update):
        if op is not None:
            shape = input_of(row.service, op.name)
            member = member_of(shape, row.renamed.get(name, name))
            if member is not None:
                return shape[member]
    return "s"


def _view(value: Any, shape: Shape) -> Any:
    """A value with the members that an input has, as templates spell them; None for what no
    template can have."""
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return None
        made = {}
        for name, inner in value.items():
            member = member_of(shape, name)
            viewed = None if member is None else _view(inner, shape[member])
            if viewed is not None:
                made[name[:1].upper() + name[1:]] = viewed
        return made if made or not value else None
    if isinstance(shape, list):
        kind, inner_shape = shape
        if kind == "map":
            is_map = isinstance(value, Mapping)
            return {k: _view(v, inner_shape) for k, v in value.items()} if is_map else None
        viewed_all = [_view(v, inner_shape) for v in value] if isinstance(value, list) else None
        return viewed_all if viewed_all is None or None not in viewed_all else None
    if shape != "x" and isinstance(value, Mapping):
        return value.get("Arn")  # A layer of a function, which is set by its ARN.
    return None if shape != "x" and isinstance(value, list) else value


def _of_text(response: Any, member: str, name: str) -> Any:
    """An entry of a map of texts: a number, a boolean, a document or a text."""
    text = response.get(member, {}).get(name) if isinstance(response, Mapping) else None
    if not isinstance(text, str):
        return text
    if text in ("true", "false"):
        return text == "true"
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return int(text)
    return _parsed(text) if text.startswith("{") else text or None


def _document(value: Any, name: str, facts: Facts) -> Any:
    """A document that the API writes as text; IAM quotes it as in a URL."""
    if not isinstance(value, str) or not (name in facts.objects or name.endswith("Document")):
        return value
    return _parsed(unquote(value) if value.startswith("%") else value)


def _parsed(text: str) -> Any:
    try:
        return strict_json.parse_plain(text)
    except ValueError:
        return None


def _tags(value: Any, *, is_map: bool) -> Any:
    """Tags as the property has them, without those of AWS and of the platform."""
    if isinstance(value, Mapping):
        tags = dict(value)
    elif isinstance(value, list):
        tags = {_first(tag, _TAG[0]): _first(tag, _TAG[1]) for tag in value}
    else:
        return None
    tags = {k: v for k, v in tags.items() if k != TOKEN_TAG and not str(k).startswith("aws:")}
    if not tags:
        return None
    return tags if is_map else [{"Key": key, "Value": text} for key, text in tags.items()]


def _first(tag: Any, names: tuple[str, ...]) -> Any:
    return next((tag[name] for name in names if name in tag), "")


def _plain(value: Any) -> Any:
    """As JSON can have it: times are texts, and blobs are left out."""
    if isinstance(value, Mapping):
        made = {str(name): _plain(inner) for name, inner in value.items()}
        return {name: inner for name, inner in made.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return None if isinstance(value, bytes) else value
