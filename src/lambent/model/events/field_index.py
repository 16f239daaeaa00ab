"""The conditions that many patterns have on one field: which of them a value may satisfy.

Each condition has a bit. What a value is looked up in gives a mask, so a set of conditions costs a
few operations on integers, however many there are. A mask may have bits of conditions that do not
hold, never the other way around: who asks has to compare the patterns themselves.
"""

import bisect
import decimal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.kit.strict_json import Number
from lambent.model.matching import wildcard_chunks

_POINTS: Mapping[str, Callable[[int], tuple[int, int]]] = {
    "=": lambda point: (point, point),
    "<": lambda point: (0, point - 1),
    "<=": lambda point: (0, point),
    ">": lambda point: (point + 1, -1),
    ">=": lambda point: (point, -1),
}
"""By sign: the first and the last slot of numbers that hold, for the slot of the bound."""
_GRAM = 4
"""Characters of a text that are looked up in a longer one."""
_GRAMS_MAX = 1024
"""A text with more characters is compared with each condition."""


class FieldIndex:
    """See the module. Conditions are added, then `freeze` is called once, then values are asked
    about."""

    def __init__(self) -> None:
        self._equal: dict[tuple[type, Any], int] = {}
        self._starts, self._ends = _Affixes(), _Affixes(at_end=True)
        self._lower_texts: dict[str, int] = {}
        self._lower_starts, self._lower_ends = _Affixes(), _Affixes(at_end=True)
        self._inner = _Inner()
        self._numbers = _Ranges()
        self._any = self._any_text = 0
        self._has_lower = False
        self._excluding = 0
        self._exclusions: FieldIndex | None = None
        """Of `anything-but`: only conditions that hold if they are found."""

    def add(self, condition: Any, bit: int) -> None:
        """Add one condition of a valid pattern, with its bit."""
        if not isinstance(condition, dict):
            _add(self._equal, (type(condition), condition), bit)
            return
        ((name, operand),) = condition.items()
        if name in ("prefix", "suffix"):
            self._add_affix(name, operand, bit)
        elif name == "equals-ignore-case":
            self._has_lower = True
            _add(self._lower_texts, operand.lower(), bit)
        elif name == "wildcard":
            self._add_wildcard(operand, bit)
        elif name == "numeric":
            self._numbers.add(operand, bit)
        elif name == "cidr":
            self._any_text |= bit
        elif name == "anything-but":
            self._add_exclusion(operand, bit)
        elif operand:  # `exists`: what is there satisfies no condition that it is not there.
            self._any |= bit

    def _add_affix(self, name: str, operand: Any, bit: int) -> None:
        starts, ends, text = self._starts, self._ends, operand
        if isinstance(operand, dict):
            starts, ends = self._lower_starts, self._lower_ends
            text = operand["equals-ignore-case"].lower()
            self._has_lower = True
        (starts if name == "prefix" else ends).add(text, bit)

    def _add_wildcard(self, operand: str, bit: int) -> None:
        """One of the texts between the stars counts, the longest."""
        chunks = wildcard_chunks(operand)
        longest = max(chunks, key=len)
        if len(chunks) == 1:
            _add(self._equal, (str, longest), bit)
        elif longest is chunks[0]:
            self._starts.add(longest, bit)
        elif longest is chunks[-1]:
            self._ends.add(longest, bit)
        else:
            self._inner.add(longest, bit)

    def _add_exclusion(self, operand: Any, bit: int) -> None:
        excluded = _excluded(operand)
        if excluded is None or bit & self._excluding:
            # A second exclusion of the same conjunction: one of both is enough.
            self._any |= bit
            return
        self._excluding |= bit
        if self._exclusions is None:
            self._exclusions = FieldIndex()
        for condition in excluded:
            self._exclusions.add(condition, bit)

    def freeze(self) -> None:
        """No more conditions come."""
        self._numbers.freeze()

    def satisfied(self, value: Any) -> int:
        """The bits of the conditions that a scalar may satisfy."""
        kind = type(value)
        found = self._any
        if self._exclusions is not None:
            found |= self._excluding & ~self._exclusions.satisfied(value)
        found |= self._equal.get((kind, value), 0)
        if kind is str:
            found |= self._any_text | self._inner.of(value)
            found |= self._starts.of(value) | self._ends.of(value)
            if self._has_lower:
                lower = value.lower()
                found |= self._lower_texts.get(lower, 0)
                found |= self._lower_starts.of(lower) | self._lower_ends.of(lower)
        elif kind is Number:
            found |= self._numbers.of(value)
        return found


def _excluded(operand: Any) -> Sequence[Any] | None:
    """What `anything-but` excludes, as conditions that are found if and only if they hold; None if
    they are others."""
    if not isinstance(operand, dict):
        return operand if isinstance(operand, list) else [operand]
    ((name, inner),) = operand.items()
    if name == "wildcard":
        return None
    return [{name: each} for each in (inner if isinstance(inner, list) else [inner])]


def _add(masks: dict[Any, int], key: Any, bit: int) -> None:
    masks[key] = masks.get(key, 0) | bit


class _Affixes:
    """Texts that others begin or end with: one look-up for each length."""

    def __init__(self, *, at_end: bool = False) -> None:
        self._at_end = at_end
        self._masks: dict[str, int] = {}
        self._lengths: list[int] = []

    def add(self, text: str, bit: int) -> None:
        _add(self._masks, text, bit)
        if len(text) not in self._lengths:
            bisect.insort(self._lengths, len(text))

    def of(self, text: str) -> int:
        found, size = 0, len(text)
        for length in self._lengths:
            if length > size:
                break
            part = text[size - length :] if self._at_end else text[:length]
            found |= self._masks.get(part, 0)
        return found


class _Inner:
    """Texts that others contain: the first characters of each are looked up at every place."""

    def __init__(self) -> None:
        self._masks: dict[str, int] = {}
        self._all = self._short = 0

    def add(self, text: str, bit: int) -> None:
        self._all |= bit
        if len(text) < _GRAM:
            self._short |= bit
        else:
            _add(self._masks, text[:_GRAM], bit)

    def of(self, text: str) -> int:
        if not self._masks:
            return self._short
        if len(text) > _GRAMS_MAX:
            return self._all
        found = self._short
        for at in range(len(text) - _GRAM + 1):
            found |= self._masks.get(text[at : at + _GRAM], 0)
        return found


class _Ranges:
    """Conditions on numbers. The bounds cut the line into slots, one for each bound and one for
    each gap; the conditions of a slot are known in advance."""

    def __init__(self) -> None:
        self._conditions: list[tuple[Sequence[Any], int]] = []
        self._bounds: list[decimal.Decimal] = []
        self._slots: list[int] = []

    def add(self, operand: Sequence[Any], bit: int) -> None:
        self._conditions.append((operand, bit))

    def freeze(self) -> None:
        bounds = {
            decimal.Decimal(text) for operand, _ in self._conditions for text in operand[1::2]
        }
        self._bounds = sorted(bounds)
        begin = [0] * (2 * len(bounds) + 2)
        end = list(begin)
        several: dict[int, int] = {}
        for operand, bit in self._conditions:
            first, last = self._range(operand)
            several[bit] = several.get(bit, 0) + 1
            begin[first] |= bit
            end[last + 1] |= bit
        always = sum(bit for bit, count in several.items() if count > 1)
        current = 0
        for starting, ending in zip(begin, end, strict=True):
            current = (current & ~ending) | starting
            self._slots.append(current | always)

    def of(self, number: str) -> int:
        if not self._bounds:
            return 0
        value = decimal.Decimal(number)
        at = bisect.bisect_left(self._bounds, value)
        is_bound = at < len(self._bounds) and self._bounds[at] == value
        return self._slots[2 * at + is_bound]

    def _range(self, operand: Sequence[Any]) -> tuple[int, int]:
        slots = 2 * len(self._bounds)
        first, last = 0, slots
        for sign, text in zip(operand[::2], operand[1::2], strict=True):
            point = 2 * bisect.bisect_left(self._bounds, decimal.Decimal(text)) + 1
            lower, upper = _POINTS[sign](point)
            first, last = max(first, lower), min(last, upper if upper >= 0 else slots)
        return first, last
