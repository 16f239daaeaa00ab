"""Which route of an HTTP API serves a request.

The most specific route wins: segment by segment from the left, literal text before `{name}` before
`{name+}`, then the exact method before `ANY`. A path that fits, but not with the method, is passed
over. If no path fits, `$default` serves the request.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

DEFAULT = "$default"
_ANY = "ANY"
_SEGMENTS_MAX = 256
"""Requests with more segments fit no route but greedy ones and `$default`."""


class RouteKey(NamedTuple):
    """`GET /pets/{id}`, parsed."""

    method: str
    path: str

    @classmethod
    def parse(cls, key: str) -> "RouteKey":
        """The parts of a key that is not `$default`."""
        method, _, path = key.partition(" ")
        return cls(method, path)


class Match(NamedTuple, Generic[T]):
    """A route and the parameters of its path."""

    route: T
    parameters: Mapping[str, str]


@dataclasses.dataclass(slots=True)
class _Node(Generic[T]):
    """What routes have in common up to one segment."""

    literals: "dict[str, _Node[T]]" = dataclasses.field(default_factory=dict)
    variables: "_Node[T] | None" = None
    ends: dict[str, tuple[T, tuple[str, ...]]] = dataclasses.field(default_factory=dict)
    """The routes that end here by method, each with the names of its variables."""
    greedy: dict[str, tuple[T, tuple[str, ...]]] = dataclasses.field(default_factory=dict)
    """The routes that end here with `{name+}`."""


class RouteTable(Generic[T]):
    """The routes of one API."""

    def __init__(self, routes: Iterable[tuple[str, T]]) -> None:
        """Takes pairs of a route key and what it stands for."""
        self._root = _Node[T]()
        self._default: Match[T] | None = None
        self._literal: dict[tuple[str, str], Match[T]] = {}
        """Routes without variables, by method and path: nothing is more specific."""
        for key, route in routes:
            if key == DEFAULT:
                self._default = Match(route, {})
            else:
                self._add(RouteKey.parse(key), route)

    def _add(self, key: RouteKey, route: T) -> None:
        node, names = self._root, list[str]()
        if "{" not in key.path and key.method != _ANY:
            self._literal[key.method, key.path] = Match(route, {})
        for segment in _segments(key.path):
            if segment.startswith("{") and segment.endswith("+}"):
                names.append(segment[1:-2])
                node.greedy[key.method] = route, tuple(names)
                return
            if segment.startswith("{") and segment.endswith("}"):
                names.append(segment[1:-1])
                node.variables = node.variables or _Node()
                node = node.variables
            else:
                node = node.literals.setdefault(segment, _Node())
        node.ends[key.method] = route, tuple(names)

    def find(self, method: str, path: str) -> Match[T] | None:
        """The route for a request; None if there is none. `path` is percent-decoded, as the
        function will see it: no spelling of a path evades the authorizer of its route."""
        exact = self._literal.get((method, path))
        if exact is not None:
            return exact
        return self._find(method, path) or self._default

    def _find(self, method: str, path: str) -> Match[T] | None:
        """Try the most specific branch first. What was left is on a stack, because the client
        decides how deep a path is. Each branch is tried at most once."""
        segments = _segments(path)
        pending: list[tuple[_Node[T], int, tuple[str, ...], bool]] = [(self._root, 0, (), False)]
        while pending:
            node, at, values, is_greedy = pending.pop()
            if is_greedy:
                found = node.greedy.get(method) or node.greedy.get(_ANY)
                if found is not None:
                    rest = "/".join(segments[at:])
                    return _match(found, (*values, rest))
                continue
            if at == len(segments):
                found = node.ends.get(method) or node.ends.get(_ANY)
                if found is not None:
                    return _match(found, values)
                continue
            segment = segments[at]
            if node.greedy and (segment or at + 1 < len(segments)):
                pending.append((node, at, values, True))
            if at >= _SEGMENTS_MAX:
                continue
            if node.variables is not None and segment:
                pending.append((node.variables, at + 1, (*values, segment), False))
            literal = node.literals.get(segment)
            if literal is not None:
                pending.append((literal, at + 1, values, False))
        return None


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


def _match(found: tuple[T, tuple[str, ...]], values: tuple[str, ...]) -> Match[T]:
    route, names = found
    return Match(route, dict(zip(names, values, strict=True)))
