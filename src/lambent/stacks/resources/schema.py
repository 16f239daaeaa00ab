"""What the published schema of a type decides: which properties there are, and which change needs a
new resource."""

from collections.abc import Mapping
from typing import Any

from lambent.model.errors import ApiError
from lambent.stacks.resources.conversion import member_of
from lambent.stacks.resources.expressions import at, placeholders
from lambent.stacks.resources.facts import Facts, facts_of, input_of
from lambent.stacks.resources.resource_type import Properties
from lambent.stacks.resources.row_type import Op, Row, Several
from lambent.stacks.template.values import Unknown


def check_properties(row: Row, properties: Properties) -> None:
    """Raise `ApiError` for a property that the type does not have or Lambent does not offer, and
    for a required one that is missing."""
    facts = facts_of(row.name)
    settable = settable_of(facts)
    for name in properties:
        if name not in settable:
            raise ApiError("ValidationError", f"Encountered unsupported property {name}")
    for name in sorted(set(properties) & unoffered(row)):
        raise ApiError(
            "ValidationError", f"Lambent does not offer the property {name} of {row.name}."
        )
    for name in facts.required:
        if properties.get(name) is None or properties[name] == "":
            raise ApiError("ValidationError", f"Property {name} cannot be empty.")
    check_kinds(row, properties)


def check_kinds(row: Row, properties: Properties) -> None:
    """Raise `ApiError` if a list or an object is something else. What is not known may be either;
    so may an object that is written as text."""
    facts = facts_of(row.name)
    for name in facts.lists:
        value = properties.get(name)
        if value is not None and not isinstance(value, (list, Unknown)):
            raise ApiError("ValidationError", f"Value of property {name} must be of type List.")
    for name in facts.objects:
        value = properties.get(name)
        if value is not None and not isinstance(value, (Mapping, Unknown)):
            raise ApiError("ValidationError", f"Value of property {name} must be an object.")


def replaced_by(row: Row, old: Properties, new: Properties) -> frozenset[str]:
    """The properties that differ and need a new resource."""
    return frozenset(
        path.split(".")[0] for path in replacing_paths(row) if at(old, path) != at(new, path)
    )


def replacing_paths(row: Row) -> frozenset[str]:
    """The properties, and members of properties, whose change needs a new resource: those that the
    schema says, and those that no operation changes."""
    facts = facts_of(row.name)
    paths = {path.replace("/", ".") for path in (*facts.create_only, *facts.conditional)}
    unchanged = taken(row) - changeable(row)
    return frozenset(((paths | unchanged) - row.in_place) | row.replacing)


def unoffered(row: Row) -> frozenset[str]:
    """The properties that no operation takes."""
    if row.is_stored:
        return frozenset()
    facts = facts_of(row.name)
    settable = settable_of(facts)
    return settable - taken(row) - row.stored_only


def settable_of(facts: Facts) -> frozenset[str]:
    """The properties that a template can set."""
    return frozenset(facts.properties).difference(facts.read_only)


def taken(row: Row) -> frozenset[str]:
    """The properties that have an effect."""
    names = set(changeable(row))
    if row.create is not None:
        names |= _inputs(row, row.create)
    if row.named is not None:
        names.add(row.named.property)
    if row.tags:
        names.add(row.tags_property)
    return frozenset(names & settable_of(facts_of(row.name)))


def changeable(row: Row) -> frozenset[str]:
    """The properties that change in place."""
    names = set(row.uses)
    if row.is_remade and row.create is not None:
        names |= _inputs(row, row.create)
    for op in row.update:
        names |= _inputs(row, op)
    for part in row.parts:
        names |= {*part.of, *part.with_}
        if not isinstance(part.put, Several):
            names |= _inputs(row, part.put)
    if row.patch is not None:
        names.update(row.patch.properties)
    if row.retag is not None:
        names.add(row.tags_property)
    return frozenset(names & settable_of(facts_of(row.name)))


def _inputs(row: Row, op: Op) -> set[str]:
    """The properties that an operation takes."""
    names = {name.partition(".")[0].partition(":")[0] for name in placeholders(op.members)}
    if not op.copies:
        return names
    shape = input_of(row.service, op.name)
    if row.bag is not None and row.bag.member in shape:
        names.update(row.bag.properties)
    return names | {
        name
        for name in facts_of(row.name).properties
        if member_of(shape, row.renamed.get(name, name)) is not None
        and name != (row.tags_property if row.tags else None)
    }


def given(properties: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Whether one of these properties has a value."""
    return any(properties.get(name) is not None for name in names)
