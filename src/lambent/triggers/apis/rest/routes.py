"""Which resource and method a request is for.

A resource is found segment by segment: a literal segment before a variable, a variable before a
greedy one. A resource without the method does not count, so a request falls through to the nearest
greedy resource above. Every resource is looked at once at most.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

T = TypeVar("T")
ANY = "ANY"


@dataclasses.dataclass(slots=True)
class _Node(Generic[T]):
    """A resource, or a part of a path."""

    methods: dict[str, T] = dataclasses.field(default_factory=dict)
    literals: "dict[str, _Node[T]]" = dataclasses.field(default_factory=dict)
    variable: "tuple[str, _Node[T]] | None" = None
    greedy: "tuple[str, _Node[T]] | None" = None

    def find(self, method: str) -> T | None:
        return self.methods.get(method) or self.methods.get(ANY)


class Match(NamedTuple, Generic[T]):
    """What was found, and the values of the path's variables, percent-encoded as they were sent."""

    target: T
    variables: Mapping[str, str]


class Routes(Generic[T]):
    """The resources of an API. Targets must be true."""

    def __init__(self, targets: Iterable[tuple[str, str, T]]) -> None:
        """From paths (`/pets/{id}`), methods and what they lead to."""
        self._root: _Node[T] = _Node()
        for path, method, target in targets:
            node = self._root
            for part in path.strip("/").split("/") if path != "/" else []:
                node = _below(node, part)
            node.methods[method] = target

    def find(self, method: str, path: str) -> Match[T] | None:
        """What a path, percent-encoded and without the stage, leads to."""
        stripped = path.strip("/")
        parts = stripped.split("/") if stripped else []
        return _find(self._root, method, parts, 0, {})


def _below(node: _Node[T], part: str) -> _Node[T]:
    if not (part.startswith("{") and part.endswith("}")):
        return node.literals.setdefault(part, _Node())
    name = part[1:-1]
    if name.endswith("+"):
        node.greedy = node.greedy or (name[:-1], _Node())
        return node.greedy[1]
    node.variable = node.variable or (name, _Node())
    return node.variable[1]


def _find(
    node: _Node[T], method: str, parts: list[str], at: int, variables: dict[str, str]
) -> Match[T] | None:
    if at == len(parts):
        target = node.find(method)
        return None if target is None else Match(target, variables)
    part = parts[at]
    literal = node.literals.get(unquote(part) if "%" in part else part)
    found = None if literal is None else _find(literal, method, parts, at + 1, variables)
    if found is None and node.variable is not None and part:
        name, below = node.variable
        found = _find(below, method, parts, at + 1, {**variables, name: part})
    if found is None and node.greedy is not None:
        name, below = node.greedy
        target = below.find(method)
        if target is not None:
            found = Match(target, {**variables, name: "/".join(parts[at:])})
    return found
