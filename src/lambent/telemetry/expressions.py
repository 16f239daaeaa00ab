"""Regular expressions of CloudWatch Logs filter patterns: no groups, no look-around.

Anyone who may read logs may send one, and a short expression can keep a backtracking engine busy
forever. This one builds a deterministic automaton while it reads: it looks at each character once.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import functools
import re
from collections.abc import Callable

_ATOMS_MAX = 100
_STATES_MAX = 2_000
_ATOM = re.compile(
    r"(\\x[0-9A-Fa-f]{2}|\\[dDsSwW]|\\[^a-zA-Z0-9]|\[(?:\\[^a-zA-Z0-9]|\\[dDsSwW]|[^\]\\\[])+\]"
    r"|[\w:#=@/;,. -])"
    r"(?:(\*|\+|\?)|\{(\d{1,3})(,?)(\d{0,3})\})?",
    re.ASCII,
)

_Place = tuple[int, int]
"""The alternative, and how many of its atoms have matched."""
_Atom = tuple[Callable[[str], object], bool, bool]
"""Whether a character matches; whether it is optional; whether it may repeat."""
_FOUND = -1


def compile_expression(text: str) -> Callable[[str], bool]:
    """Return a test for whether `text` occurs in a message. Raises `ValueError` for an invalid
    expression."""
    return _Automaton([_Alternative(part) for part in _split(text)]).search


class _Alternative:
    def __init__(self, text: str) -> None:
        self.at_begin = text.startswith("^")
        self.at_end = text.endswith("$") and not text.endswith("\\$")
        text = text[self.at_begin : len(text) - self.at_end]
        self.atoms: list[_Atom] = []
        at = 0
        while at < len(text):
            match = _ATOM.match(text, at)
            if match is None:
                raise ValueError(f"cannot use {text[at : at + 20]!r} in a regular expression")
            at = match.end()
            self.atoms += _repeat(match)
            if len(self.atoms) > _ATOMS_MAX:
                raise ValueError("the regular expression is too long")


def _repeat(match: re.Match[str]) -> list[_Atom]:
    atom, sign, least, comma, most = match.groups()
    try:
        fits: Callable[[str], object] = functools.lru_cache(1024)(
            re.compile(atom, re.DOTALL).fullmatch
        )
    except re.error as error:
        raise ValueError(f"cannot use {atom!r} in a regular expression") from error
    if sign is not None:
        return [(fits, sign in "*?", sign in "*+")]
    if least is None:
        return [(fits, False, False)]
    low = int(least)
    if not comma:
        return [(fits, False, False)] * low
    if not most:
        return [(fits, False, False)] * low + [(fits, True, True)]
    if int(most) < low:
        raise ValueError("the repetition is out of order")
    return [(fits, False, False)] * low + [(fits, True, False)] * (int(most) - low)


class _Automaton:
    def __init__(self, alternatives: list[_Alternative]) -> None:
        self._alternatives = alternatives
        self._anywhere = self._closure(
            {(n, 0) for n, alternative in enumerate(alternatives) if not alternative.at_begin}
        )
        self._begin = self._closure({(n, 0) for n in range(len(alternatives))})
        self._forget()

    def search(self, message: str) -> bool:
        """Whether any of the alternatives occurs."""
        state = self._number(self._begin)
        if state == _FOUND:
            return True
        steps = self._steps
        for char in message:
            following = steps[state].get(char)
            state = self._step(state, char) if following is None else following
            if state == _FOUND:
                return True
            steps = self._steps
        return self._ends[state]

    def _step(self, state: int, char: str) -> int:
        places = set(self._anywhere)
        for number, behind in self._places[state]:
            atoms = self._alternatives[number].atoms
            if behind < len(atoms) and atoms[behind][0](char):
                places.add((number, behind + 1))
                if atoms[behind][2]:
                    places.add((number, behind))
        if len(self._places) >= _STATES_MAX:
            self._forget()
            return self._number(self._closure(places))
        following = self._number(self._closure(places))
        if len(self._steps[state]) < 1024:
            self._steps[state][char] = following
        return following

    def _closure(self, places: set[_Place]) -> frozenset[_Place]:
        """Add the states that can be reached without a character."""
        todo = list(places)
        reached = set(places)
        while todo:
            number, behind = todo.pop()
            atoms = self._alternatives[number].atoms
            following = (number, behind + 1)
            if behind < len(atoms) and atoms[behind][1] and following not in reached:
                reached.add(following)
                todo.append(following)
        return frozenset(reached)

    def _number(self, places: frozenset[_Place]) -> int:
        known = self._numbers.get(places)
        if known is not None:
            return known
        ended = [
            self._alternatives[number]
            for number, behind in places
            if behind == len(self._alternatives[number].atoms)
        ]
        if any(not alternative.at_end for alternative in ended):
            self._numbers[places] = _FOUND
            return _FOUND
        self._numbers[places] = len(self._places)
        self._places.append(places)
        self._steps.append({})
        self._ends.append(bool(ended))
        return self._numbers[places]

    def _forget(self) -> None:
        self._numbers: dict[frozenset[_Place], int] = {}
        self._places: list[frozenset[_Place]] = []
        self._steps: list[dict[str, int]] = []
        self._ends: list[bool] = []


def _split(text: str) -> list[str]:
    """Split at the bars that are neither escaped nor in brackets."""
    parts = re.findall(r"((?:\\.|\[(?:\\.|[^\]\\])*\]|[^|\\])*)(\||$)", text, re.DOTALL)
    found = []
    for part, bar in parts:
        found.append(part)
        if not bar:
            break
    if sum(len(part) + 1 for part in found) != len(text) + 1:
        raise ValueError("the regular expression ends in the middle")
    return found
