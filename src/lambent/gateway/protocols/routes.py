"""From method and path to an operation, for the protocols with paths.

The model's request URIs become a tree of path segments, so that a look-up costs a few
dictionary accesses however many operations there are. Segments are compared as sent, still
percent-encoded; only labels are decoded.
"""

import dataclasses
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from lambent.gateway.models import OperationModel, ServiceModel
from lambent.kit.http.messages import Exchange

_FOUND_MAX = 1024


@dataclasses.dataclass(slots=True)
class _Leaf:
    operation: OperationModel
    labels: tuple[str, ...]
    query: Mapping[str, str]
    """What the query must contain for this operation."""


@dataclasses.dataclass(slots=True)
class _Node:
    literal: dict[str, "_Node"] = dataclasses.field(default_factory=dict)
    label: "_Node | None" = None
    rest: list[_Leaf] = dataclasses.field(default_factory=list)
    """Operations whose last label takes all that follows."""
    leaves: list[_Leaf] = dataclasses.field(default_factory=list)


class Routes:
    """All routes of one service."""

    def __init__(self, service: ServiceModel) -> None:
        self._roots: dict[str, _Node] = {}
        self._found: dict[tuple[str, str, str], tuple[OperationModel, dict[str, str]]] = {}
        """Earlier results: callers repeat themselves."""
        for name in service.operation_names:
            self._add(service.operation_model(name))

    def find(self, exchange: Exchange) -> tuple[OperationModel, dict[str, str]] | None:
        """The operation and its decoded labels, or None. A trailing slash makes no difference."""
        method, path, query = key = (exchange.method, exchange.path, exchange.query)
        known = self._found.get(key)
        if known is not None:
            return known
        root = self._roots.get(method)
        if root is None:
            return None
        values: list[str] = []
        leaf = _walk(root, path.strip("/").split("/"), 0, values, query)
        if leaf is None:
            return None
        labels = {name: unquote(value) for name, value in zip(leaf.labels, values, strict=True)}
        if len(self._found) >= _FOUND_MAX:
            self._found.clear()
        self._found[key] = leaf.operation, labels
        return leaf.operation, labels

    def _add(self, operation: OperationModel) -> None:
        path, _, query = operation.http["requestUri"].partition("?")
        node = self._roots.setdefault(operation.http["method"], _Node())
        labels = []
        leaves = None
        for segment in path.strip("/").split("/"):
            if segment.startswith("{") and segment.endswith("+}"):
                labels.append(segment[1:-2])
                leaves = node.rest
            elif segment.startswith("{"):
                labels.append(segment[1:-1])
                node.label = node.label or _Node()
                node = node.label
            else:
                node = node.literal.setdefault(segment, _Node())
        found = node.leaves if leaves is None else leaves
        required = dict(parse_qsl(query, keep_blank_values=True))
        found.append(_Leaf(operation, tuple(labels), required))
        found.sort(key=lambda leaf: -len(leaf.query))


def _walk(node: _Node, segments: list[str], at: int, values: list[str], query: str) -> _Leaf | None:
    if at == len(segments):
        return _choose(node.leaves, query)
    segment = segments[at]
    following = node.literal.get(segment)
    if following is not None:
        leaf = _walk(following, segments, at + 1, values, query)
        if leaf is not None:
            return leaf
    if node.label is not None and segment:
        values.append(segment)
        leaf = _walk(node.label, segments, at + 1, values, query)
        if leaf is not None:
            return leaf
        values.pop()
    if node.rest:
        leaf = _choose(node.rest, query)
        if leaf is not None:
            values.append("/".join(segments[at:]))
            return leaf
    return None


def _choose(leaves: list[_Leaf], query: str) -> _Leaf | None:
    """The most specific operation whose query literals are present."""
    if len(leaves) == 1 and not leaves[0].query:
        return leaves[0]
    given = dict(parse_qsl(query, keep_blank_values=True)) if leaves else {}
    for leaf in leaves:
        if leaf.query.items() <= given.items():
            return leaf
    return None
