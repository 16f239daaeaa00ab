"""What the rooms of one node ask the same rooms of the other nodes on its database.

A question has a name, such as `logs/streams`, and a value; questions, values and answers are plain
JSON. The room that asks also answers: it serves its questions on each node.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from lambent.model.errors import ApiError

WITHIN_S = 10.0
"""How long a node may take to answer, unless a question says otherwise: longer than it takes until
a node that hangs is lost. Then it is waited for no longer."""
SCAN_S = 30.0
"""The same, for questions about much data."""

Serve = Callable[[Any], Awaitable[Any]]
"""Answers a question of another node. Its value was made by the same code, perhaps of another
release. An exception counts as no answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answers:
    """What the other nodes answered."""

    found: Mapping[int, Any]
    """By the number of the node."""
    missing: Sequence[int] = ()
    """The numbers of the nodes that did not answer."""


class NoAnswer(Exception):
    """A node does not answer, or could not."""


class NodeGone(NoAnswer):
    """There is no such node any more."""


class Peers(Protocol):
    """The other nodes. Answers come in parallel, and none is waited for longer than its deadline:
    the nodes that did not answer are named."""

    @property
    def number(self) -> int:
        """This node's."""
        ...

    @property
    def lost(self) -> Sequence[int]:
        """Nodes that left in the last day, and have not started again: what only they have, such as
        their logs, is out of reach."""
        ...

    def place_of(self, number: int) -> int:
        """A number of 32 bits for the place where a node keeps its files, which stays when it
        starts again; 0 without other nodes."""
        ...

    def serve(self, question: str, serve: Serve) -> None:
        """Answer a question of other nodes."""
        ...

    async def ask(self, question: str, value: Any = None, *, within_s: float = WITHIN_S) -> Answers:
        """Ask all other nodes."""
        ...

    async def ask_each(
        self, question: str, values: Mapping[int, Any], *, within_s: float = WITHIN_S
    ) -> Answers:
        """Ask some nodes, each with a value of its own."""
        ...

    async def ask_one(
        self, number: int, question: str, value: Any = None, *, within_s: float = WITHIN_S
    ) -> Any:
        """Ask one node. Raises `NodeGone` and `NoAnswer`."""
        ...

    def numbers(self) -> Sequence[int]:
        """The other nodes."""
        ...


class NoPeers:
    """A platform that has its database for itself."""

    number = 0
    lost: Sequence[int] = ()

    def place_of(self, number: int) -> int:
        """See `Peers`."""
        return 0

    def serve(self, question: str, serve: Serve) -> None:
        """See `Peers`."""

    async def ask(self, question: str, value: Any = None, *, within_s: float = WITHIN_S) -> Answers:
        """See `Peers`."""
        return Answers({})

    async def ask_each(
        self, question: str, values: Mapping[int, Any], *, within_s: float = WITHIN_S
    ) -> Answers:
        """See `Peers`."""
        return Answers({}, tuple(values))

    async def ask_one(
        self, number: int, question: str, value: Any = None, *, within_s: float = WITHIN_S
    ) -> Any:
        """See `Peers`."""
        raise NodeGone(f"node {number} is not there")

    def numbers(self) -> Sequence[int]:
        """See `Peers`."""
        return ()


def require_all(answers: Answers) -> None:
    """Raise `ServiceUnavailableException` unless all nodes have answered: for what must happen on
    all of them."""
    if answers.missing:
        raise ApiError(
            "ServiceUnavailableException",
            f"{names_of(answers.missing)} did not answer. Repeat the request.",
            status=503,
        )


def names_of(numbers: Sequence[int]) -> str:
    """`node 3` or `nodes 3, 5`."""
    return f"{'node' if len(numbers) == 1 else 'nodes'} {', '.join(map(str, sorted(numbers)))}"
