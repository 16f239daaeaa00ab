"""Which resources and parameters a part of a template refers to."""

from collections.abc import Callable
from typing import Any, NamedTuple

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.shapes import GET_ATT, SHAPES, Variable, sub_parts

PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName",
        "URLSuffix",
    )
)  # fmt: skip


class Reference(NamedTuple):
    """A Ref, or a Fn::GetAtt if there is an attribute. Fn::Sub has both."""

    name: str
    attribute: str | None
    sure: bool
    """Whether it is outside of Fn::If, so that it counts whatever the conditions are."""


class References(NamedTuple):
    """What a value refers to."""

    names: list[Reference]
    conditions: list[str]
    """Conditions that Fn::If names."""


def references(value: Any, holds: Callable[[str], bool] | None = None) -> References:
    """What a value refers to. With `holds`, which says whether a condition holds, only the taken
    branch of each Fn::If counts. Raises `TemplateError` for arguments of the wrong shape."""
    found = References([], [])
    _collect(value, found, holds, True)
    return found


def _collect(
    value: Any, found: References, holds: Callable[[str], bool] | None, sure: bool
) -> None:
    if isinstance(value, list):
        for item in value:
            _collect(item, found, holds, sure)
        return
    if not isinstance(value, dict):
        return
    if len(value) == 1:
        ((function, raw),) = value.items()
        if function in SHAPES:
            arguments = SHAPES[function](raw)
            if function == "Ref" and isinstance(raw, str):
                found.names.append(Reference(raw, None, sure))
            elif function == "Fn::GetAtt":
                _collect_attribute(arguments, found, holds, sure)
            elif function == "Fn::Sub":
                _collect_sub(arguments, found, holds, sure)
            elif function == "Fn::If":
                _collect_if(arguments, found, holds, sure)
            else:
                _collect(raw, found, holds, sure)
            return
    for member in value.values():
        _collect(member, found, holds, sure)


def _collect_attribute(
    arguments: tuple[Any, Any], found: References, holds: Callable[[str], bool] | None, sure: bool
) -> None:
    name, attribute = arguments
    if not isinstance(name, str):
        raise TemplateError(GET_ATT)
    found.names.append(Reference(name, attribute if isinstance(attribute, str) else "", sure))
    _collect(attribute, found, holds, sure)


def _collect_sub(
    arguments: tuple[str, Any], found: References, holds: Callable[[str], bool] | None, sure: bool
) -> None:
    text, own = arguments
    for part in sub_parts(text):
        if isinstance(part, Variable) and part.written not in own:
            found.names.append(Reference(part.name, part.attribute, sure))
    for member in own.values():
        _collect(member, found, holds, sure)


def _collect_if(
    arguments: tuple[str, Any, Any],
    found: References,
    holds: Callable[[str], bool] | None,
    sure: bool,
) -> None:
    condition, then, otherwise = arguments
    found.conditions.append(condition)
    if holds is None:
        _collect(then, found, holds, False)
        _collect(otherwise, found, holds, False)
    else:
        _collect(then if holds(condition) else otherwise, found, holds, sure)
