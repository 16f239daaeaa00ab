"""Inputs of operations, made of properties. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar

from lambent.model.errors import ApiError
from lambent.model.stack_documents import TOKEN_TAG
from lambent.stacks.resources.conversion import as_text, convert, invalid, member_of
from lambent.stacks.resources.expressions import Values, at, expand
from lambent.stacks.resources.facts import input_of
from lambent.stacks.resources.naming import shortened
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import WHOLE, Op, Part, Path, Row
from lambent.stacks.resources.schema import check_kinds, given

P = ParamSpec("P")
T = TypeVar("T")

_UNTAG = ("TagKeys", "tagKeys", "Keys")
_TAG = ("Tags", "tags")


def prepared(row: Row, properties: Properties, step: Step) -> dict[str, Any]:
    """Properties with the generated name, as the row's `prepare` makes them. Raises `ApiError` for
    values that have another form."""
    made = {name: value for name, value in properties.items() if value is not None}
    check_kinds(row, made)
    if row.named is not None and row.named.property not in made:
        made[row.named.property] = shortened(step.name, row.named, made)
    return well_formed(row, row.prepare, made, step) if row.prepare is not None else made


def well_formed(row: Row, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a function of the row makes. Raises `ApiError` for values that it cannot read."""
    try:
        return make(*args, **kwargs)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        message = f"Properties of {row.name} have values of another form than its schema says."
        raise ApiError("ValidationError", message) from None


def input_for(row: Row, op: Op, values: Values) -> Mapping[str, Any]:
    """The input of an operation. Raises `ApiError` for values that have another type."""
    shape = input_of(row.service, op.name)
    made: dict[str, Any] = {}
    for name, value in values.properties.items() if op.copies else ():
        member = member_of(shape, row.renamed.get(name, name))
        if member is not None and name != (row.tags_property if row.tags else None):
            made[member] = convert(value, shape[member], name)
    if op.copies and row.bag is not None and row.bag.member in shape:
        bag = {
            name: as_text(values.properties[name])
            for name in row.bag.properties
            if values.properties.get(name) is not None
        }
        if bag:
            made[row.bag.member] = bag
    if op is not row.create:
        _add(made, shape, row.keys, values, is_partial=True)
    _add(made, shape, op.members, values)
    if op is row.create and row.tags:
        tags = tags_of(row, values.properties, values.step)
        if tags:
            path = row.tags.split(".")
            _put_at(made, path, _tags_as(tags, at(shape, row.tags)))
    return made


def _add(
    made: dict[str, Any],
    shape: Mapping[str, Any],
    members: Mapping[str, Any],
    values: Values,
    *,
    is_partial: bool = False,
) -> None:
    """Add members; with `is_partial` only those that the input has."""
    for name, template in members.items():
        if name == "$tag":
            member = next(known for known in _TAG if known in shape)
            made[member] = _tags_as(template, shape[member])
        elif name == "$untag":
            member = next(known for known in _UNTAG if known in shape)
            made[member] = template if isinstance(shape[member], list) else {"Items": template}
        elif name == WHOLE:
            whole = expand(template, values)
            made.update(convert({} if whole is None else whole, shape, template[1:-1]))
        elif "." in name:
            value = expand(template, values)
            if value is not None:
                _put_at(made, name.split("."), convert(value, at(shape, name), name))
        elif name in shape or not is_partial:
            value = expand(template, values)
            if value is None:
                made.pop(name, None)
            else:
                made[name] = convert(value, shape[name], name)


def _put_at(made: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a member, or a member of members."""
    first, *rest = path
    if not rest:
        made[first] = value
        return
    inner = dict(made.get(first) or {})
    _put_at(inner, rest, value)
    made[first] = inner


def tags_of(row: Row, properties: Mapping[str, Any], step: Step) -> dict[str, str]:
    """The stack's tags and the resource's own. Tags of AWS are not for callers of an API."""
    tags = {name: value for name, value in step.tags.items() if not name.startswith("aws:")}
    own = properties.get(row.tags_property) or {}
    if isinstance(own, Mapping):
        tags |= {name: as_text(value) for name, value in own.items()}
    else:
        for tag in own:
            if not isinstance(at(tag, "Key"), str):
                raise invalid(row.tags_property, "a list of tags with Key and Value")
            tags[tag["Key"]] = as_text("" if tag.get("Value") is None else tag["Value"])
    if row.is_marked:
        tags[TOKEN_TAG] = step.token
    return tags


def _tags_as(tags: Mapping[str, str], shape: Any) -> Any:
    """Tags in the form that a member has: a map, a list of names and values, or such a list as its
    items."""
    if isinstance(shape, Mapping):
        return {"Items": _tags_as(tags, shape["Items"])}
    kind, inner = shape
    if kind == "map":
        return dict(tags)
    key, value = (
        next(member for member in inner if member.lower().endswith(end)) for end in ("key", "value")
    )
    return [{key: name, value: text} for name, text in tags.items()]


class PartChange(NamedTuple):
    """What to do about a part of a resource."""

    part: Part
    removed: list[Any]
    """Elements to remove; `[None]` for the part as a whole."""
    put: list[Any]


def changed_parts(
    row: Row, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[PartChange]:
    """The parts that differ."""
    for part in row.parts:
        is_same = all(before.get(name) == after.get(name) for name in part.with_)
        if is_same and all(before.get(name) == after.get(name) for name in part.of):
            continue
        if not part.is_each:
            is_there = given(after, part.of)
            yield PartChange(part, [] if is_there else [None], [None] if is_there else [])
            continue
        old = {as_text(at(item, part.key)): item for item in before.get(part.of[0]) or ()}
        new = {as_text(at(item, part.key)): item for item in after.get(part.of[0]) or ()}
        yield PartChange(
            part,
            [item for key, item in old.items() if key not in new],
            [item for key, item in new.items() if not is_same or old.get(key) != item],
        )


def patches(before: Mapping[str, Path], after: Mapping[str, Path]) -> list[dict[str, str]]:
    """The patch operations that lead from old values to new ones."""
    gone = {path: old for path, old in before.items() if path not in after}
    wholes = {old.whole for old in gone.values() if old.whole}
    before = {path: old for path, old in before.items() if old.whole not in wholes}
    made = [{"op": "remove", "path": whole} for whole in sorted(wholes)]
    for path, old in gone.items():
        place = path.partition("#")[0]
        if old.kind == "text":
            made.append({"op": "replace", "path": place, "value": ""})
        elif not old.whole:
            value = {"value": old.value} if "#" in path else {}
            made.append({"op": "remove", "path": place, **value})
    for path, new in after.items():
        if before.get(path) == new:
            continue
        adds = new.kind == "item" or (new.kind == "entry" and path not in before)
        value = {} if new.kind == "item" and "#" not in path else {"value": new.value}
        made.append({"op": "add" if adds else "replace", "path": path.partition("#")[0], **value})
    return made
