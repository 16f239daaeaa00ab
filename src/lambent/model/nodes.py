"""Nodes: platforms that share one database, and the rule that says which of them is lost."""

import dataclasses
import enum
import hashlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

BEAT_S = 0.2
"""Seconds between two beats of a node."""
BROKEN_S = 0.6
"""A node whose connection to the database broke is lost after so many seconds without a beat."""
SILENT_S = 5.0
"""A node is lost after so many seconds without a beat, whatever else is known about it."""
_GAP_S = 1.0
"""An observer that was away for so long has seen nothing."""


PROTOCOL = 1
"""The version of what nodes say to each other. Two nodes speak the older one of theirs, which is in
their rows; so each release also speaks that of the release before."""


class NodeState(enum.StrEnum):
    """What a node takes on. The values are in the database."""

    LIVE = "live"
    DRAINING = "draining"
    """It ends what it has and takes on no more."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node, as its row says."""

    number: int
    """The count of its start; a node that starts again has another one."""
    host: str
    pid: int
    data_dir: str
    since: str
    """When it started: date and time, UTC."""
    release: str
    """The version of Lambent."""
    url: str
    """Where its clients reach it; empty while it starts."""
    state: NodeState
    seen: int | None
    """The number of the last change that it has applied. None while it starts, and serves no
    client."""
    beats: int
    """How often it has renewed its row."""
    is_suspect: bool
    """Whether another node has missed its beats since the last one."""
    is_connected: bool
    """Whether its connection to the database is open, as far as the server knows."""
    protocol: int = 1
    """The newest `PROTOCOL` that it speaks."""

    @property
    def place(self) -> int:
        """A number of 32 bits for where it keeps its files: it stays when the node starts again."""
        text = f"{self.host}\0{self.data_dir}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()) or 1


class Verdicts(NamedTuple):
    """What an observer thinks of the other nodes."""

    silent: Sequence[Node]
    """They are to be marked as suspects."""
    lost: Sequence[Node]
    """They are to be removed."""
    missing: Sequence[Node]
    """All that have been silent for long enough, whether other nodes have noticed or not."""


class NodeWatch:
    """Decides which other nodes are lost, from what one node observes of their rows. Pure.

    A process that ends closes its connection at once. If its beats stop as well, it is silent after
    a moment. A machine that is paused or cut off keeps its connection for long, so there the beats
    decide alone, after a longer time. While the observer itself was away, nothing is held against
    the others: after a restart of the database no node is connected, and all of them run.

    A silent node is marked in its row, and lost when half of all nodes, the observer included, have
    read the mark. So a majority of nodes that cannot reach the database, and have read no mark,
    can be sure that none of them is lost.
    """

    def __init__(self) -> None:
        self._observed: dict[int, _Observed] = {}
        self._last: float | None = None
        self._beats_at_mark: dict[int, dict[int, int]] = {}
        """By suspect: the beats of all others when its mark was read first."""

    def observe(self, nodes: Collection[Node], now: float) -> Verdicts:
        """Judge all nodes but the observer. `now` is monotonic, in seconds."""
        if self._last is None or now - self._last > _GAP_S:
            self._observed.clear()
        self._last = now
        known, self._observed = self._observed, {}
        silent = []
        for node in nodes:
            before = known.get(node.number)
            if before is None or before.beats != node.beats:
                was_connected = node.is_connected or (before is not None and before.was_connected)
                self._observed[node.number] = _Observed(node.beats, now, was_connected)
                continue
            if node.is_connected:
                before = dataclasses.replace(before, was_connected=True)
            self._observed[node.number] = before
            is_broken = before.was_connected and not node.is_connected
            if now - before.since >= (BROKEN_S if is_broken else SILENT_S):
                silent.append(node)
        self._note_marks(nodes)
        lost = [node for node in silent if node.is_suspect and self._is_known(node, nodes)]
        return Verdicts([node for node in silent if not node.is_suspect], lost, silent)

    def _note_marks(self, nodes: Collection[Node]) -> None:
        known, self._beats_at_mark = self._beats_at_mark, {}
        for suspect in nodes:
            if suspect.is_suspect:
                beats = {node.number: node.beats for node in nodes if node is not suspect}
                self._beats_at_mark[suspect.number] = known.get(suspect.number, beats)

    def _is_known(self, suspect: Node, nodes: Collection[Node]) -> bool:
        """Whether half of all nodes have read the mark of a suspect. A beat that ended after the
        mark was read here may have begun before it was made; the one after that has read it."""
        at_mark = self._beats_at_mark[suspect.number]
        readers = 1 + sum(
            node.beats >= at_mark[node.number] + 2 for node in nodes if node.number in at_mark
        )
        return 2 * readers >= len(nodes) + 1


@dataclasses.dataclass(frozen=True, slots=True)
class _Observed:
    beats: int
    since: float
    """When this number of beats was seen first."""
    was_connected: bool
    """Whether the node has been seen connected."""


def preferred(thing: str, nodes: Sequence[int]) -> int | None:
    """The node that is to take care of something, by a hash over both: each node has about as many
    things as the others, and few of them move when a node comes or goes. None if there is none."""
    return max(nodes, key=lambda number: _weight(thing, number), default=None)


def _weight(thing: str, number: int) -> bytes:
    return hashlib.blake2b(f"{number}:{thing}".encode(), digest_size=8).digest()
