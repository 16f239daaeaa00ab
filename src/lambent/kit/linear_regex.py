"""Regular expressions whose time is linear in the text: for patterns and texts that are untrusted.

Python's `re` backtracks: a pattern such as `(a+)+b` runs for hours, and nothing can interrupt it.
Here all ways to match are followed at once, character by character, as in RE2. The language is what
such an engine can do of Java's: no references to groups, no lookaround, no possessive quantifiers.
"""

import dataclasses
from functools import lru_cache

from lambent.kit.linear_regex_parser import Instruction, Kind, PatternError, parse_program

__all__ = ["Found", "Pattern", "PatternError", "Work", "compile_pattern"]

PATTERN_CHARACTERS_MAX = 1_000
WORK_MAX = 1_000_000
"""How many steps a search may take by default: about a second."""
_Slots = tuple[int, ...]
_Threads = list[tuple[int, _Slots]]


@dataclasses.dataclass(slots=True)
class Work:
    """How many steps may still be taken, by one search or several."""

    left: int = WORK_MAX

    def take(self, steps: int) -> None:
        """Raises `PatternError` if there are not so many left."""
        self.left -= steps
        if self.left < 0:
            raise PatternError("The pattern takes too long with this text.")


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """Where a pattern matches."""

    subject: str
    slots: _Slots
    """Start and end of the match, then of each group; -1 for a group that takes no part."""

    @property
    def start(self) -> int:
        """The position of the first character."""
        return self.slots[0]

    @property
    def end(self) -> int:
        """The position after the last character."""
        return self.slots[1]

    def group(self, number: int) -> str | None:
        """The text of a group. Raises `IndexError` if the pattern has no such group."""
        start, end = self.slots[2 * number], self.slots[2 * number + 1]
        return None if start < 0 or end < 0 else self.subject[start:end]


@dataclasses.dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern."""

    program: tuple[Instruction, ...]
    groups: int
    literal: str | None
    """What the pattern matches, if that is one text."""

    def search(self, subject: str, start: int = 0, work: Work | None = None) -> Found | None:
        """The leftmost match at or after a position. Raises `PatternError` if it takes too long."""
        if self.literal is not None:
            at = subject.find(self.literal, start)
            return None if at < 0 else Found(subject, (at, at + len(self.literal)))
        slots = _run(self, subject, start, work or Work(), is_whole=False)
        return None if slots is None else Found(subject, slots)

    def matches(self, subject: str, work: Work | None = None) -> bool:
        """Whether the pattern matches all of a text. Raises as `search` does."""
        if self.literal is not None:
            return subject == self.literal
        return _run(self, subject, 0, work or Work(), is_whole=True) is not None


@lru_cache(maxsize=1_024)
def compile_pattern(text: str) -> Pattern:
    """Raises `PatternError` for what is no pattern, or none that can be matched in linear time."""
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise PatternError(f"A pattern may have {PATTERN_CHARACTERS_MAX} characters.")
    program, groups, literal = parse_program(text)
    return Pattern(program, groups, literal)


def _run(pattern: Pattern, subject: str, start: int, work: Work, is_whole: bool) -> _Slots | None:
    """Run a Pike machine: its threads are tried in the order of their preference."""
    program = pattern.program
    nowhere = (-1,) * (2 * pattern.groups + 2)
    seen = [-1] * len(program)
    threads: _Threads = []
    found: _Slots | None = None
    for position in range(start, len(subject) + 1):
        if found is None and (position == start or not is_whole):
            _follow(program, threads, seen, (0, nowhere), subject, position, work)
        if not threads and (found is not None or is_whole):
            break
        character = ord(subject[position]) if position < len(subject) else -1
        following: _Threads = []
        for at, slots in threads:
            instruction = program[at]
            if instruction.kind is Kind.MATCH:
                if is_whole and position < len(subject):
                    continue
                found = slots
                break  # those after it are less preferred
            if instruction.takes(character):
                step = (at + 1, slots)
                _follow(program, following, seen, step, subject, position + 1, work)
        work.take(len(threads) + 1)
        threads = following
    return found


def _follow(
    program: tuple[Instruction, ...],
    threads: _Threads,
    seen: list[int],
    step: tuple[int, _Slots],
    subject: str,
    position: int,
    work: Work,
) -> None:
    """Add the threads that a step leads to without taking a character. `seen` holds the position at
    which each instruction was last reached."""
    steps = [step]
    taken = 0
    while steps:
        at, slots = steps.pop()
        if seen[at] == position:
            continue
        seen[at] = position
        taken += 1
        instruction = program[at]
        kind = instruction.kind
        if kind is Kind.CHARACTER or kind is Kind.MATCH:
            threads.append((at, slots))
        elif kind is Kind.SPLIT:
            steps.append((instruction.second, slots))
            steps.append((instruction.first, slots))
        elif kind is Kind.SAVE:
            slot = instruction.first
            steps.append((at + 1, (*slots[:slot], position, *slots[slot + 1 :])))
        elif instruction.holds(subject, position):
            steps.append((at + 1, slots))
    work.take(taken)
