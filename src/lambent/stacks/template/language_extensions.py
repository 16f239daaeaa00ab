"""The transform AWS::LanguageExtensions: loops are written out, and functions that make names are
replaced by these names. What is left are functions that an evaluation knows."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambent.stacks.template import functions
from lambent.stacks.template.errors import TransformFailed
from lambent.stacks.template.inputs import Inputs
from lambent.stacks.template.runs import TemplateRun
from lambent.stacks.template.sections import LOOP, mappings, written_out
from lambent.stacks.template.shape import Document

LANGUAGE_EXTENSIONS: Final = "AWS::LanguageExtensions"
LOOPS_MAX = 5
"""Loops within each other, as in AWS."""
_SECTIONS = ("Conditions", "Resources", "Outputs")
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+")
_PLACE = re.compile(r"([$&])\{([A-Za-z0-9]+)\}")
_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]")

_Bound = Mapping[str, str]
"""The values of the identifiers of the loops around."""


def expand(document: Document, inputs: Inputs) -> Document:
    """The document without loops, and without the transform. Loops use parameters, mappings and
    pseudo parameters only. Raises `TemplateError`."""
    expansion = _Expansion(document, inputs)
    made: Document = {}
    for name, section in document.items():
        if name in _SECTIONS and isinstance(section, dict):
            made[name] = expansion.members(section, {}, 0)
        elif name == "Transform":
            others = [] if section == LANGUAGE_EXTENSIONS else section
            others = others if isinstance(others, list) else [others]
            others = [other for other in others if other not in (LANGUAGE_EXTENSIONS, _AS_OBJECT)]
            if others:
                made[name] = others
        else:
            made[name] = section
    return made


_AS_OBJECT = {"Name": LANGUAGE_EXTENSIONS}


class _Expansion:
    def __init__(self, document: Document, inputs: Inputs) -> None:
        self._names = frozenset(document.get("Parameters", {}))
        self._run = TemplateRun(
            functions.EXTENDED,
            inputs,
            mappings(document.get("Mappings", {})),
            holds=_refuse,
            resource=lambda name, _: _refuse(name),
            exported=_refuse,
        )

    def members(self, raw: Mapping[str, Any], bound: _Bound, loops: int) -> dict[str, Any]:
        """The members of a map, with its loops written out."""
        made: dict[str, Any] = {}
        for name, value in self._written_out(raw, bound, loops):
            if name in made:
                raise _failed(f"Two members are named {name}.")
            made[name] = value
        return made

    def _written_out(
        self, raw: Mapping[str, Any], bound: _Bound, loops: int
    ) -> Iterator[tuple[str, Any]]:
        for name, member in raw.items():
            if name.startswith(LOOP):
                yield from self._loop(name, member, bound, loops + 1)
            else:
                yield self._text(name, bound), self._value(member, bound, loops)

    def _loop(self, name: str, loop: Any, bound: _Bound, loops: int) -> Iterator[tuple[str, Any]]:
        if loops > LOOPS_MAX:
            raise _failed(f"{name} is in more than {LOOPS_MAX - 1} other loops.")
        if not isinstance(loop, list) or len(loop) != 3:
            raise _failed("Fn::ForEach layout is incorrect")
        written, collection, body = loop
        identifiers = self._identifiers(name, written, bound, loops)
        if not isinstance(collection, list | dict) or not isinstance(body, dict):
            raise _failed("Fn::ForEach layout is incorrect")
        items = self._run.value(self._value(collection, bound, loops))
        for item in _rows(name, items, len(identifiers)):
            yield from self._written_out(
                body, {**bound, **dict(zip(identifiers, item, strict=True))}, loops
            )

    def _identifiers(self, name: str, written: Any, bound: _Bound, loops: int) -> list[str]:
        listed = written if isinstance(written, list) else [written]
        identifiers = [self._name(identifier, bound, loops) for identifier in listed]
        for identifier in identifiers:
            if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
                raise _failed("Fn::ForEach layout is incorrect")
            if identifier in bound or identifier in self._names:
                raise _failed(f"The identifier {identifier} of {name} names something else, too.")
        if len(set(identifiers)) < len(identifiers) or not identifiers:
            raise _failed("Fn::ForEach layout is incorrect")
        return identifiers

    def _value(self, raw: Any, bound: _Bound, loops: int) -> Any:
        self._run.budget.step()
        if isinstance(raw, str):
            return self._text(raw, bound)
        if isinstance(raw, list):
            return [self._value(item, bound, loops) for item in raw]
        if not isinstance(raw, dict):
            return raw
        if len(raw) == 1:
            if "Ref" in raw:
                return self._ref(raw["Ref"], bound, loops)
            if "Fn::GetAtt" in raw and isinstance(raw["Fn::GetAtt"], list):
                names = [self._name(part, bound, loops) for part in raw["Fn::GetAtt"]]
                return {"Fn::GetAtt": names}
        return self.members(raw, bound, loops)

    def _ref(self, raw: Any, bound: _Bound, loops: int) -> Any:
        if isinstance(raw, str) and raw in bound:
            self._run.budget.make(len(bound[raw]))
            return bound[raw]
        return {"Ref": self._name(raw, bound, loops)}

    def _name(self, raw: Any, bound: _Bound, loops: int) -> Any:
        """A name, or what a function makes of parameters."""
        value = self._value(raw, bound, loops)
        return self._run.value(value) if isinstance(value, dict) else value

    def _text(self, text: str, bound: _Bound) -> str:
        def replacement(match: re.Match[str]) -> str:
            kind, name = match.groups()
            if name not in bound:
                return match.group()
            value = bound[name]
            self._run.budget.make(len(value))
            return value if kind == "$" else _NOT_ALPHANUMERIC.sub("", value)

        self._run.budget.make(len(text))
        return _PLACE.sub(replacement, text) if bound else text


def _rows(name: str, items: Any, width: int) -> list[list[str]]:
    """What each turn of a loop gives to its identifiers. A list in a collection is part of the
    collection, unless there are several identifiers."""
    if isinstance(items, dict) and width == 2:
        items = [[key, value] for key, value in items.items()]
    if not isinstance(items, list):
        raise _failed(f"The collection of {name} is not a list.")
    if width == 1:
        items = [
            [inner] for item in items for inner in (item if isinstance(item, list) else [item])
        ]
    if not all(isinstance(item, list) and len(item) == width for item in items):
        raise _failed(f"The collection of {name} has an item that does not have {width} values.")
    try:
        return [[written_out(value) for value in item] for item in items]
    except TypeError:
        raise _failed(f"The collection of {name} has an item that is not a string.") from None


def _refuse(name: str) -> Any:
    raise _failed(
        f"{name} cannot be used here: loops and names use parameters, mappings and pseudo"
        " parameters only."
    )


def _failed(why: str) -> TransformFailed:
    return TransformFailed(f"Transform {LANGUAGE_EXTENSIONS} failed with: {why}")
