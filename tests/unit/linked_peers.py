"""Nodes that ask each other without a network, for tests of what they merge."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model.peers import WITHIN_S, Answers, NoAnswer, NodeGone, Serve


class Linked:
    """The peers of one node."""

    def __init__(self, number: int, nodes: "dict[int, Linked]") -> None:
        self.number = number
        self.lost: Sequence[int] = ()
        self.is_silent = False
        self._nodes = nodes
        self._serves: dict[str, Serve] = {}
        nodes[number] = self

    def numbers(self) -> Sequence[int]:
        return [number for number in self._nodes if number != self.number]

    def place_of(self, number: int) -> int:
        return 1000 + number

    def serve(self, question: str, serve: Serve) -> None:
        self._serves[question] = serve

    async def ask(self, question: str, value: Any = None, *, within_s: float = WITHIN_S) -> Answers:
        return await self.ask_each(question, dict.fromkeys(self.numbers(), value))

    async def ask_each(
        self, question: str, values: Mapping[int, Any], *, within_s: float = WITHIN_S
    ) -> Answers:
        found = {}
        for number, value in values.items():
            try:
                found[number] = await self.ask_one(number, question, value)
            except NoAnswer:
                pass
        return Answers(found, [number for number in values if number not in found])

    async def ask_one(
        self, number: int, question: str, value: Any = None, *, within_s: float = WITHIN_S
    ) -> Any:
        node = self._nodes.get(number)
        if node is None:
            raise NodeGone
        if node.is_silent:
            raise NoAnswer
        answer = await node._serves[question](json.loads(json.dumps(value)))
        return json.loads(json.dumps(answer))


def linked(count: int) -> list[Linked]:
    """Nodes that know each other, with numbers from 1 on."""
    nodes: dict[int, Linked] = {}
    return [Linked(number, nodes) for number in range(1, count + 1)]
