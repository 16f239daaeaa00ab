"""Many patterns at once: which rules of a bus match an event.

Most rules ask for exact texts: a source, a detail type, a name in the detail. Each such rule is
filed under the texts of one of its fields, the field whose texts it shares with the fewest other
rules. Of an event, the texts of these fields are looked up, and only the rules found there are
compared with the whole event. Rules that ask for no exact text are compared with every event.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from lambent.model.events.patterns import Event, Pattern
from lambent.model.matching import Holds, compile_object

K = TypeVar("K")

Path = tuple[str, ...]


class _Rule(NamedTuple, Generic[K]):
    position: int
    key: K
    holds: Holds


class RuleIndex(Generic[K]):
    """The compiled patterns of one bus."""

    def __init__(self, rules: Iterable[tuple[K, Pattern]]) -> None:
        """`rules` are keys with valid patterns, in the order in which they are to be returned."""
        self._filed: dict[Path, dict[str, list[_Rule[K]]]] = {}
        self._others: list[_Rule[K]] = []
        fields = [(key, pattern, dict(_exact(pattern))) for key, pattern in rules]
        shared = Counter(
            (path, text)
            for _, _, exact in fields
            for path, texts in exact.items()
            for text in texts
        )
        for position, (key, pattern, exact) in enumerate(fields):
            rule = _Rule(position, key, compile_object(pattern))
            path = min(
                exact,
                key=lambda path: sum(shared[path, text] for text in exact[path]),
                default=None,
            )
            if path is None:
                self._others.append(rule)
                continue
            places = self._filed.setdefault(path, {})
            for text in exact[path]:
                places.setdefault(text, []).append(rule)

    def matching(self, event: Event) -> Sequence[K]:
        """The keys of the rules that match an event, in the order of the rules."""
        found = {rule.position: rule for rule in self._others if rule.holds(event)}
        for path, places in self._filed.items():
            for text in _texts(event, path):
                for rule in places.get(text, ()):
                    if rule.position not in found and rule.holds(event):
                        found[rule.position] = rule
        return [found[position].key for position in sorted(found)]


def _exact(pattern: Pattern, above: Path = ()) -> Iterator[tuple[Path, frozenset[str]]]:
    """The fields of which an event must have one of some texts."""
    for name, value in pattern.items():
        path = (*above, name)
        if isinstance(value, dict):
            yield from _exact(value, path)
        elif all(type(condition) is str for condition in value):
            yield path, frozenset(value)


def _texts(event: Event, path: Path) -> set[str]:
    """The texts at a path of an event; of an array on the way, those of all its items."""
    values: list[Any] = [event]
    for name in path:
        values = [
            value[name] for value in _flat(values) if isinstance(value, dict) and name in value
        ]
        if not values:
            return set()
    return {value for value in _flat(values) if type(value) is str}


def _flat(values: list[Any]) -> list[Any]:
    if not any(isinstance(value, list) for value in values):
        return values
    flat, pending = [], list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        else:
            flat.append(value)
    return flat
