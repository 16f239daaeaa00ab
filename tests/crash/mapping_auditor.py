"""Judges what a repeatedly killed platform did with the records of a source.

Records are named `KEY:NUMBER`; those of a key are produced in the order of their numbers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class MappingAuditor:
    """Knows what was produced, and reads what was processed from the witness of
    `mapping_failpoints.py`."""

    def __init__(self, witness: Path, *, has_order: bool) -> None:
        self._witness = witness
        self._has_order = has_order
        self._read_to = 0
        self._produced: dict[str, int] = {}
        self._next: dict[str, int] = {}
        """The next number to be processed, by key."""
        self._began: dict[str, int] = {}
        """The life in which the last call with a record began."""
        self._done: dict[str, int] = {}
        """The life in which the call began that completed a record."""
        self._breaking: set[int] = set()
        """Lives in which a fault was about to happen at an unknown moment."""
        self._resent: set[str] = set()
        self._life = 0
        """How many faults there were so far: each may undo what was processed right before it."""
        self.repeated = Counter[str]()
        """How often records were processed again, after a fault."""
        self.hits = Counter[str]()
        """How often each point has killed."""

    def produce(self, key: str) -> str:
        """The name of the next record of a key, which is about to be produced."""
        number = self._produced.get(key, 0)
        self._produced[key] = number + 1
        return f"{key}:{number}"

    def note_resent(self, name: str) -> None:
        """A record was sent again, because its acknowledgement is unknown: the source may have it
        twice."""
        self._resent.add(name)

    @contextmanager
    def fault(self, target: str) -> Iterator[None]:
        """Something is broken from outside for the duration of the context. Calls that began before
        are repeated, because their records cannot be acknowledged any more."""
        self._note(f"breaking {target}")
        try:
            yield
        finally:
            self._note(f"killed {target}")

    def _note(self, line: str) -> None:
        with self._witness.open("a") as witness:
            witness.write(f"{line}\n")

    def audit(self) -> None:
        """Judge what was processed since the last time."""
        if not self._witness.exists():
            return
        with self._witness.open("rb") as witness:
            witness.seek(self._read_to)
            content = witness.read()
        whole = content.rpartition(b"\n")[0]
        self._read_to += len(whole) + (1 if whole else 0)
        self.judge(whole.decode().splitlines())

    def judge(self, lines: Iterable[str]) -> None:
        """As `judge`, for lines."""
        for line in lines:
            word, _, about = line.partition(" ")
            if word == "breaking":
                self._life += 1
                self._breaking.add(self._life)
            elif word == "killed":
                self._life += 1
                self.hits[about] += 1
            elif word == "began":
                self._began.update(dict.fromkeys(about.split(), self._life))
            elif word == "done":
                for name in about.split():
                    self._note_done(name)

    def _note_done(self, name: str) -> None:
        key, _, text = name.partition(":")
        number = int(text)
        assert number < self._produced.get(key, 0), f"{name} was never produced"
        began = self._began.get(name, self._life)
        if name in self._done:
            first = self._done[name]
            is_excused = first < began or first in self._breaking or name in self._resent
            assert is_excused, f"{name} was done twice, and nothing was broken"
            self.repeated[name] += 1
            self._done[name] = began
            return
        self._done[name] = began
        if self._has_order:
            expected = self._next.get(key, 0)
            assert number == expected, f"{name} was done before {key}:{expected}"
            self._next[key] = number + 1

    @property
    def produced(self) -> int:
        return sum(self._produced.values())

    @property
    def left(self) -> int:
        """How many records are not completed."""
        return self.produced - len(self._done)
