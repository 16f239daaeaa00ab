"""Values of rows: templates over what a step knows.

| placeholder | stands for |
|---|---|
| `{Name}` | a property, the generated name included |
| `{.A.B}` | a member of the response; a number is an index of a list |
| `{@Arn}` | an attribute |
| `{$id}`, `{$id.0}` | the physical id; the part of it before the first `|` |
| `{*}`, `{*.A}` | the element of a list that a part is about |
| `{$id:6}`, `{Arn:6}` | a part of any of them between colons, counted from 0 |
| `{$account}`, `{$region}`, `{$token}`, `{$name}` | the step's |

A template that is one placeholder has its value, of any type. Others are texts.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambent.stacks.resources.resource_type import Step

_PLACEHOLDER = re.compile(r"\{([.@*$A-Z][^{}]*)\}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What placeholders stand for."""

    step: Step
    properties: Mapping[str, Any]
    response: Any = None
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    physical_id: str = ""
    item: Any = None

    def find(self, placeholder: str) -> Any:
        """The value of a placeholder; None if there is none."""
        whole, _, index = placeholder.partition(":")
        value = self._find(whole)
        if not index:
            return value
        parts = str(value).split(":")
        return parts[int(index)] if int(index) < len(parts) else None

    def _find(self, placeholder: str) -> Any:
        if placeholder.startswith("."):
            return at(self.response, placeholder[1:])
        if placeholder.startswith("*"):
            return at(self.item, placeholder[2:])
        if placeholder.startswith("@"):
            return self.attributes.get(placeholder[1:])
        if placeholder.startswith("$"):
            return self._of_step(placeholder[1:])
        return at(self.properties, placeholder)

    def _of_step(self, name: str) -> Any:
        if name.startswith("id"):
            parts = self.physical_id.split("|")
            index = int(name[3:] or -1)
            if index < 0:
                return self.physical_id or None
            return parts[index] if index < len(parts) else None
        return {
            "account": self.step.caller.scope.account,
            "region": self.step.caller.scope.region,
            "token": self.step.token,
            "name": self.step.name,
        }[name]


def at(value: Any, path: str) -> Any:
    """The value at a path of members and indexes, separated by dots; None if there is none."""
    for name in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, Sequence) and not isinstance(value, str) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def expand(template: Any, values: Values) -> Any:
    """The value of a template, which may be a structure of templates. A member without a value is
    left out; a text with a placeholder that has no value is None."""
    if isinstance(template, str):
        return _expand_text(template, values)
    if isinstance(template, Mapping):
        made = {name: expand(inner, values) for name, inner in template.items()}
        return {name: value for name, value in made.items() if value is not None}
    if isinstance(template, (list, tuple)):
        return [expand(inner, values) for inner in template]
    return template


def _expand_text(template: str, values: Values) -> Any:
    whole = _PLACEHOLDER.fullmatch(template)
    if whole is not None:
        return values.find(whole[1])
    found = {name: values.find(name) for name in _PLACEHOLDER.findall(template)}
    if any(value is None for value in found.values()):
        return None
    return _PLACEHOLDER.sub(lambda match: str(found[match[1]]), template)


def placeholders(template: Any) -> Iterator[str]:
    """All placeholders of a template, without braces."""
    if isinstance(template, str):
        yield from _PLACEHOLDER.findall(template)
    elif isinstance(template, Mapping):
        for inner in template.values():
            yield from placeholders(inner)
    elif isinstance(template, (list, tuple)):
        for inner in template:
            yield from placeholders(inner)
