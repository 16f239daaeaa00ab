"""The parts of a template as values, not evaluated."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter, as it is declared. Numbers are texts, as they are written."""

    name: str
    type: str
    default: str | None = None
    description: str | None = None
    no_echo: bool = False
    allowed_values: tuple[str, ...] | None = None
    allowed_pattern: str | None = None
    constraint_description: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource, not evaluated."""

    logical_id: str
    type: str
    properties: Any = dataclasses.field(default_factory=dict)
    """A map, or a function that returns one."""
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    deletion_policy: Any = None
    """A text; with language extensions a function, too. The same goes for the next."""
    update_replace_policy: Any = None
    creation_policy: Any = None
    update_policy: Any = None
    metadata: Any = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output, not evaluated."""

    name: str
    value: Any
    description: str | None = None
    export_name: Any = None
    condition: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A condition that a rule demands."""

    condition: Any
    description: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What must be true of the parameters."""

    name: str
    condition: Any = None
    """When the rule applies; None for always."""
    assertions: tuple[Assertion, ...] = ()


Mappings = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Name of a mapping → first key → second key → value."""
