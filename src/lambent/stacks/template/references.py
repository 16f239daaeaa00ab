"""Which resources, parameters and conditions a part of a template refers to."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from lambent.stacks.template.shapes import SHAPES, Variable, sub_parts

PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName",
        "URLSuffix",
    )
)  # fmt: skip
_EXTENSIONS = frozenset({"Fn::Length", "Fn::ToJsonString"})


class Reference(NamedTuple):
    """A Ref, or a Fn::GetAtt if there is an attribute. Fn::Sub has both."""

    name: str
    attribute: str | None
    """Empty if a function returns it."""
    is_sure: bool
    """Whether it is outside of Fn::If, so that it counts with any conditions."""


@dataclasses.dataclass(frozen=True, slots=True)
class References:
    """What a value refers to."""

    names: list[Reference]
    conditions: list[str]
    """Conditions that Fn::If and Condition name."""
    extensions: list[str]
    """Functions that need language extensions."""


def references(
    value: Any, holds: Callable[[str], bool] | None = None, *, in_condition: bool = False
) -> References:
    """What a value refers to. With `holds`, which says whether a condition holds, only the taken
    branch of each Fn::If counts. `{"Condition": "X"}` means a condition only in conditions. Raises
    `TemplateError` for arguments of the wrong shape."""
    walk = _Walk(References([], [], []), holds, in_condition)
    walk.take(value, True)
    return walk.found


class _Walk(NamedTuple):
    found: References
    holds: Callable[[str], bool] | None
    in_condition: bool

    def take(self, value: Any, is_sure: bool) -> None:
        """Look at a value."""
        if isinstance(value, list):
            for item in value:
                self.take(item, is_sure)
        elif isinstance(value, dict):
            if len(value) == 1:
                ((name, raw),) = value.items()
                self._function(name, raw, is_sure)
            else:
                self._all(value, is_sure)

    def _function(self, name: str, raw: Any, is_sure: bool) -> None:
        arguments: Any = SHAPES[name](raw) if name in SHAPES else None
        if name == "Ref":
            self.found.names.append(Reference(raw, None, is_sure))
        elif name == "Fn::GetAtt":
            resource, attribute = arguments
            known = attribute if isinstance(attribute, str) else ""
            self.found.names.append(Reference(resource, known, is_sure))
            self.take(attribute, is_sure)
        elif name == "Fn::Sub":
            text, own = arguments
            self._sub(text, own, is_sure)
        elif name == "Fn::If":
            condition, then, otherwise = arguments
            self._if(condition, then, otherwise, is_sure)
        elif name == "Condition" and self.in_condition and isinstance(raw, str):
            self.found.conditions.append(raw)
        else:
            if name in _EXTENSIONS:
                self.found.extensions.append(name)
            self.take(raw, is_sure)

    def _sub(self, text: str, own: Any, is_sure: bool) -> None:
        for part in sub_parts(text):
            if isinstance(part, Variable) and part.written not in own:
                self.found.names.append(Reference(part.name, part.attribute, is_sure))
        self._all(own, is_sure)

    def _if(self, condition: str, then: Any, otherwise: Any, is_sure: bool) -> None:
        self.found.conditions.append(condition)
        if self.holds is None:
            self.take(then, False)
            self.take(otherwise, False)
        else:
            self.take(then if self.holds(condition) else otherwise, is_sure)

    def _all(self, members: Any, is_sure: bool) -> None:
        for member in members.values():
            self.take(member, is_sure)
