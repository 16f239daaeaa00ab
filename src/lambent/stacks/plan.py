"""What changes between what is deployed and what is wanted, as change sets show it. Pure."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lambent.stacks.records import State
from lambent.stacks.resources.resource_type import Properties, ResourceType
from lambent.stacks.template.values import UNKNOWN

KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
Replacement = Literal["True", "False", "Conditional"]

_PLACEHOLDER = re.compile(r"\$\{([^!${}][^${}]*)\}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A resource as a template wants it."""

    type: str
    properties: Properties
    """Evaluated, with `UNKNOWN` for values that only the deployment knows."""
    expressions: Properties = dataclasses.field(default_factory=dict)
    """The same as the template has them."""
    depends_on: Sequence[str] = ()
    metadata: Any = None
    creation_policy: Any = None
    update_policy: Any = None
    deletion_policy: str = ""
    replace_policy: str = ""


class Difference(NamedTuple):
    """How a resource differs from what is wanted."""

    properties: tuple[str, ...]
    """Names of properties that differ, sorted."""
    replaced_by: frozenset[str]
    """Those of them whose change needs a new resource."""
    replacement: Replacement
    scope: tuple[str, ...]
    """What differs: `Properties`, `Tags`, `Metadata`, `DeletionPolicy`, `UpdateReplacePolicy`."""

    @property
    def needs_call(self) -> bool:
        """Whether the service hears of the change; otherwise only the stack does."""
        return bool({"Properties", "Tags"} & set(self.scope))


class Change(NamedTuple):
    """One resource that a change set changes."""

    action: Literal["Add", "Modify", "Remove"]
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: Replacement | None = None
    scope: tuple[str, ...] = ()
    details: tuple[Mapping[str, Any], ...] = ()

    def shown(self) -> Mapping[str, Any]:
        """As DescribeChangeSet shows it."""
        shown: dict[str, Any] = {
            "Action": self.action,
            "LogicalResourceId": self.logical_id,
            "ResourceType": self.type,
            "Scope": list(self.scope),
            "Details": list(self.details),
        }
        if self.physical_id:
            shown["PhysicalResourceId"] = self.physical_id
        if self.replacement is not None:
            shown["Replacement"] = self.replacement
        return {"Type": "Resource", "ResourceChange": shown}


def compare(
    kind: ResourceType, state: State, wanted: Wanted, tags: Mapping[str, str]
) -> Difference | None:
    """How a resource that exists differs from what is wanted; None if it does not."""
    old, new = state.properties, wanted.properties
    names = tuple(sorted(name for name in {*old, *new} if not _is_same(old, new, name)))
    scope = ["Properties"] if names else []
    if dict(state.tags) != dict(tags):
        scope.append("Tags")
    for name, before, after in (
        ("Metadata", state.metadata or None, wanted.metadata or None),
        ("DeletionPolicy", state.deletion_policy, wanted.deletion_policy),
        ("UpdateReplacePolicy", state.replace_policy, wanted.replace_policy),
    ):
        if before != after:
            scope.append(name)
    if state.type != wanted.type:
        return Difference(names, frozenset(names), "True", ("Properties",))
    if not scope:
        return None
    replaced_by = kind.replaces(old, new) & frozenset(names) if names else frozenset()
    replacement: Replacement = "False"
    if replaced_by:
        is_certain = any(not has_unknown(new.get(name)) for name in replaced_by)
        replacement = "True" if is_certain else "Conditional"
    return Difference(names, replaced_by, replacement, tuple(scope))


class Planner:
    """Makes the changes of one change set. The resources come in an order in which each follows
    what it depends on; what is replaced is known by then."""

    def __init__(
        self,
        deployed: Mapping[str, State],
        parameters: Iterable[str],
        find_type: Callable[[str], ResourceType],
        tags: Mapping[str, str],
    ) -> None:
        self._deployed = deployed
        self._parameters = frozenset(parameters)
        self._find_type = find_type
        self._tags = tags
        self.changes: list[Change] = []
        self._wanted: set[str] = set()
        self._changing: set[str] = set()
        """Logical ids whose `Ref` or attributes will not be what they are."""

    def add(self, logical_id: str, wanted: Wanted) -> bool:
        """Plan a resource. Returns whether its values stay what they are."""
        self._wanted.add(logical_id)
        state = self._deployed.get(logical_id)
        if state is None:
            self._changing.add(logical_id)
            self.changes.append(Change("Add", logical_id, wanted.type))
            return False
        difference = compare(self._find_type(wanted.type), state, wanted, self._tags)
        if difference is None:
            return True
        self.changes.append(
            Change(
                "Modify",
                logical_id,
                wanted.type,
                state.physical_id,
                difference.replacement,
                difference.scope,
                tuple(self._details(difference, wanted)),
            )
        )
        stays = difference.replacement == "False"
        if not stays:
            self._changing.add(logical_id)
        return stays

    def finish(self) -> Sequence[Change]:
        """All changes, with those of resources that the template no longer has."""
        removed = [
            Change("Remove", logical_id, state.type, state.physical_id)
            for logical_id, state in self._deployed.items()
            if logical_id not in self._wanted
        ]
        return [*self.changes, *removed]

    def _details(self, difference: Difference, wanted: Wanted) -> Iterator[Mapping[str, Any]]:
        for name in difference.properties:
            target = {
                "Attribute": "Properties",
                "Name": name,
                "RequiresRecreation": _recreation(difference, wanted, name),
            }
            yield from self._causes(target, wanted, name)
        for attribute in difference.scope:
            if attribute != "Properties":
                yield {
                    "Target": {"Attribute": attribute, "RequiresRecreation": "Never"},
                    "Evaluation": "Static",
                    "ChangeSource": "DirectModification",
                }

    def _causes(
        self, target: Mapping[str, Any], wanted: Wanted, name: str
    ) -> Iterator[Mapping[str, Any]]:
        """One detail for each thing that the property is computed from and that may change."""
        is_unknown = has_unknown(wanted.properties.get(name))
        found = False
        for entity, attribute in dict.fromkeys(references(wanted.expressions.get(name))):
            if entity in self._parameters:
                source, evaluation = "ParameterReference", "Static"
            elif entity in self._changing:
                source = "ResourceAttribute" if attribute else "ResourceReference"
                evaluation = "Dynamic"
            else:
                continue
            found = True
            yield {
                "Target": target,
                "Evaluation": evaluation,
                "ChangeSource": source,
                "CausingEntity": f"{entity}.{attribute}" if attribute else entity,
            }
        if not found or not is_unknown:
            yield {
                "Target": target,
                "Evaluation": "Dynamic" if is_unknown or found else "Static",
                "ChangeSource": "DirectModification",
            }


def references(expression: Any) -> Iterator[tuple[str, str]]:
    """What an expression of a template refers to: names of parameters and resources, with the
    attribute, which is empty for `Ref`."""
    if isinstance(expression, str) or not isinstance(expression, (Mapping, list)):
        return
    if isinstance(expression, list):
        for item in expression:
            yield from references(item)
        return
    for name, value in expression.items():
        if name == "Ref" and isinstance(value, str):
            yield value, ""
        elif name == "Fn::GetAtt":
            parts = value.split(".", 1) if isinstance(value, str) else value
            if isinstance(parts, list) and len(parts) == 2 and isinstance(parts[1], str):
                yield str(parts[0]), parts[1]
        elif name == "Fn::Sub":
            text, own = (value, {}) if isinstance(value, str) else _sub_parts(value)
            yield from references(list(own.values()))
            for match in _PLACEHOLDER.finditer(text):
                entity, _, attribute = match[1].strip().partition(".")
                if entity not in own:
                    yield entity, attribute
        else:
            yield from references(value)


def has_unknown(value: Any) -> bool:
    """Whether a part of a value is known only by the deployment."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(has_unknown(item) for item in value)


def _sub_parts(value: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], Mapping):
        return (value[0] if isinstance(value[0], str) else ""), value[1]
    return "", {}


def _is_same(old: Properties, new: Properties, name: str) -> bool:
    """`UNKNOWN` equals nothing."""
    return name in old and name in new and not has_unknown(new[name]) and old[name] == new[name]


def _recreation(difference: Difference, wanted: Wanted, name: str) -> str:
    if name not in difference.replaced_by:
        return "Never"
    return "Conditionally" if has_unknown(wanted.properties.get(name)) else "Always"
