"""What is published of types of resources, and of the inputs of operations that rows name.

`facts.json` and `shapes.json` are written by `tools/resource_facts.py`.
"""

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from lambent.stacks.resources.conversion import Shape


class Facts(NamedTuple):
    """The schema of a type. Paths have slashes."""

    properties: tuple[str, ...]
    required: tuple[str, ...]
    create_only: tuple[str, ...]
    conditional: tuple[str, ...]
    """What needs a new resource in some cases."""
    read_only: tuple[str, ...]
    write_only: tuple[str, ...]
    primary: tuple[str, ...]
    """The properties that identify a resource, in the order of their values in Cloud Control."""
    lists: tuple[str, ...]
    objects: tuple[str, ...]


@functools.cache
def _load(name: str) -> Mapping[str, Any]:
    text = importlib.resources.files(__package__).joinpath(name).read_bytes()
    loaded: Mapping[str, Any] = orjson.loads(text)
    return loaded


def facts_of(name: str) -> Facts:
    """The facts of a type by its name."""
    stored = _load("facts.json")[name]
    return Facts(**{field: tuple(stored.get(field, ())) for field in Facts._fields})


def input_of(service: str, operation: str) -> Mapping[str, Shape]:
    """The members of an operation's input."""
    members: Mapping[str, Shape] = _load("shapes.json")[service][operation]
    return members
