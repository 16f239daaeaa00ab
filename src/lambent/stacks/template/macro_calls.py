"""Calls of macros in a template: where they are, and what they say. Nothing is evaluated here."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.shape import Document

FUNCTION: Final = "Fn::Transform"
SECTION: Final = "Transform"
Place = tuple[str | int, ...]
"""Keys and indexes that lead to an object with Fn::Transform."""


class MacroCall(NamedTuple):
    """A call of a macro."""

    name: str
    parameters: Mapping[str, Any]
    """Not evaluated."""


def calls_of(written: Any) -> list[MacroCall]:
    """The calls in a Transform section or in Fn::Transform, in their order. Raises
    `TemplateError`."""
    return [_call(each) for each in (written if isinstance(written, list) else [written])]


def called_in(document: Document) -> tuple[str, ...]:
    """The names of all macros that a template calls: those of its section come first. Raises
    `TemplateError`."""
    calls = calls_of(document.get(SECTION, []))
    for place in places_of(document):
        calls += calls_of(value_at(document, place)[FUNCTION])
    return tuple(dict.fromkeys(call.name for call in calls))


def places_of(document: Document) -> list[Place]:
    """The objects that have Fn::Transform, each after those inside of it."""
    return list(_places(document, ()))


def value_at(document: Any, place: Place) -> Any:
    """The value at a place."""
    for key in place:
        document = document[key]
    return document


def _places(value: Any, place: Place) -> Iterator[Place]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name != FUNCTION:
                yield from _places(member, (*place, name))
        if FUNCTION in value:
            yield place
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*place, index))


def _call(written: Any) -> MacroCall:
    name = written.get("Name") if isinstance(written, dict) else written
    if not isinstance(name, str):
        raise TemplateError("Key Name of transform definition must be a string.")
    parameters = written.get("Parameters", {}) if isinstance(written, dict) else {}
    if not isinstance(parameters, dict):
        raise TemplateError("Key Parameters of transform definition must be an object.")
    return MacroCall(name, parameters)
