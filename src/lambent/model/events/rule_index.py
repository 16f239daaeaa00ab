"""Many patterns at once: which rules of a bus match an event.

A pattern is a conjunction: conditions on several fields, all of which must hold; with `$or` it is
one conjunction for each choice. Each conjunction has a bit and is filed under the one of its fields
that fewest events satisfy. Of an event, each field that patterns have conditions on is looked up
(`FieldIndex`): that gives the conjunctions that are filed there, and excludes those that have
another condition on the field. What is left is compared with the event by the plain matcher, so the
index decides how fast a rule is found, never whether it matches.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from lambent.model.events.field_index import FieldIndex
from lambent.model.events.patterns import Event, Pattern
from lambent.model.matching import Holds, compile_object, is_choice

K = TypeVar("K")

Path = tuple[str, ...]
Conditions = Sequence[Any]
Conjunction = dict[Path, Conditions]

_CONJUNCTIONS_MAX = 64
"""Of one pattern; where there would be more, a `$or` is left to the plain matcher."""
_ABSENT = {"exists": False}
_WEIGHTS = {"prefix": 4, "suffix": 4, "equals-ignore-case": 2, "wildcard": 8, "numeric": 64}
"""How many of a thousand values satisfy a condition, about. An equal value counts 1."""
_WEIGHT_MAX = 1000


class _Rule(NamedTuple, Generic[K]):
    position: int
    key: K
    holds: Holds


class _Place:
    """A field that conditions are on, and the fields below it."""

    def __init__(self) -> None:
        self.below: dict[str, _Place] = {}
        self.conditions = FieldIndex()
        self.here = 0
        """Conjunctions with a condition on this field."""
        self.filed = 0
        """Those of them that are filed here."""


class _Found:
    """The conjunctions that may hold for an event."""

    __slots__ = ("excluded", "filed")

    def __init__(self, filed: int) -> None:
        self.filed = filed
        self.excluded = 0


class RuleIndex(Generic[K]):
    """The compiled patterns of one bus."""

    def __init__(self, rules: Iterable[tuple[K, Pattern]]) -> None:
        """`rules` are keys with valid patterns, in the order in which they are to be returned."""
        self._top = _Place()
        self._rules: list[_Rule[K]] = []
        """By number of the bit."""
        self._always = 0
        """Conjunctions that hold for events without any of their fields."""
        conjunctions: list[Conjunction] = []
        for position, (key, pattern) in enumerate(rules):
            rule = _Rule(position, key, compile_object(pattern))
            for conjunction in _conjunctions(pattern):
                self._rules.append(rule)
                conjunctions.append(conjunction)
        costs = _Costs(conjunctions)
        for number, conjunction in enumerate(conjunctions):
            self._file(conjunction, 1 << number, costs)
        for place in _places(self._top):
            place.conditions.freeze()

    def _file(self, conjunction: Conjunction, bit: int, costs: "_Costs") -> None:
        places: dict[Path, _Place] = {}
        for path, conditions in conjunction.items():
            place = self._top
            for name in path:
                place = place.below.setdefault(name, _Place())
            place.here |= bit
            for condition in conditions:
                place.conditions.add(condition, bit)
            if _ABSENT not in conditions:
                places[path] = place
        if places:
            path = min(places, key=lambda path: costs.of(path, conjunction[path]))
            places[path].filed |= bit
        else:
            self._always |= bit

    def matching(self, event: Event) -> Sequence[K]:
        """The keys of the rules that match an event, in the order of the rules."""
        found = _Found(self._always)
        _look_up(self._top, event, found)
        candidates = found.filed & ~found.excluded
        matched: list[K] = []
        position = -1
        while candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            rule = self._rules[lowest.bit_length() - 1]
            if rule.position != position and rule.holds(event):
                position = rule.position
                matched.append(rule.key)
        return matched


def _look_up(place: _Place, event: Event, found: _Found) -> None:
    """Look up the fields of an object. A single value excludes conjunctions that it does not
    satisfy; of an array, any item may satisfy them."""
    below = place.below
    for name in event if len(event) < len(below) else below:
        if name not in event or name not in below:
            continue
        value, inner = event[name], below[name]
        kind = type(value)
        if kind is dict:
            if inner.below:
                _look_up(inner, value, found)
        elif kind is list:
            _look_up_items(inner, value, found)
        elif inner.here:
            satisfied = inner.conditions.satisfied(value)
            found.filed |= satisfied & inner.filed
            found.excluded |= inner.here & ~satisfied


def _look_up_items(place: _Place, items: list[Any], found: _Found) -> None:
    pending = list(items)
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            inner = _Found(0)
            _look_up(place, item, inner)
            found.filed |= inner.filed
        else:
            found.filed |= place.conditions.satisfied(item) & place.filed


def _places(place: _Place) -> Iterator[_Place]:
    yield place
    for inner in place.below.values():
        yield from _places(inner)


def _conjunctions(pattern: Pattern, above: Path = ()) -> list[Conjunction]:
    """What a pattern asks for. Each conjunction may ask for less than the pattern, never for
    more."""
    found: list[Conjunction] = [{}]
    for name, value in pattern.items():
        if name == "$or" and is_choice(value):
            choices = [each for choice in value for each in _conjunctions(choice, above)]
        elif isinstance(value, dict):
            choices = _conjunctions(value, (*above, name))
        else:
            choices = [{(*above, name): value}]
        if len(found) * len(choices) <= _CONJUNCTIONS_MAX:
            found = [{**first, **second} for first, second in itertools.product(found, choices)]
    return found


class _Costs:
    """How many conjunctions an event finds under a field, about."""

    def __init__(self, conjunctions: Sequence[Conjunction]) -> None:
        fields = [field for conjunction in conjunctions for field in conjunction.items()]
        self._paths = Counter(path for path, _ in fields)
        self._conditions = Counter(
            (path, _hashable(condition)) for path, conditions in fields for condition in conditions
        )

    def of(self, path: Path, conditions: Conditions) -> int:
        """Of the conditions on one field."""
        return sum(self._of(path, condition) for condition in conditions)

    def _of(self, path: Path, condition: Any) -> int:
        name = next(iter(condition)) if isinstance(condition, dict) else None
        weight = 1 if name is None else _WEIGHTS.get(name)
        if weight is None:  # Most values satisfy it: what counts is how many events have the field.
            return _WEIGHT_MAX * self._paths[path]
        return weight * self._conditions[path, _hashable(condition)]


def _hashable(condition: Any) -> Any:
    return repr(condition) if isinstance(condition, dict) else condition
