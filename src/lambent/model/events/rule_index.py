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


class _Place(NamedTuple, Generic[K]):
    """What is filed under a path, and under longer paths."""

    rules: dict[str, list[_Rule[K]]]
    """By text."""
    below: dict[str, "_Place[K]"]
    """By name."""


class RuleIndex(Generic[K]):
    """The compiled patterns of one bus."""

    def __init__(self, rules: Iterable[tuple[K, Pattern]]) -> None:
        """`rules` are keys with valid patterns, in the order in which they are to be returned."""
        self._top: _Place[K] = _Place({}, {})
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
            place = self._top
            for name in path:
                place = place.below.setdefault(name, _Place({}, {}))
            for text in exact[path]:
                place.rules.setdefault(text, []).append(rule)

    def matching(self, event: Event) -> Sequence[K]:
        """The keys of the rules that match an event, in the order of the rules."""
        found = {rule.position: rule for rule in self._others if rule.holds(event)}
        for rule in _filed(self._top, [event]):
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


def _filed(place: _Place[K], values: list[Any]) -> Iterator[_Rule[K]]:
    """The rules that are filed under texts of an event, some several times. `values` are those at
    the place; of an array, all its items count."""
    for value in _flat(values):
        if type(value) is str:
            yield from place.rules.get(value, ())
        elif isinstance(value, dict):
            for name in value.keys() & place.below.keys():
                yield from _filed(place.below[name], [value[name]])


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
