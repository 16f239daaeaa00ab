"""Statements of templates; see `nodes`."""

import dataclasses
import itertools
from collections.abc import Sequence

from lambent.triggers.apis.vtl.nodes import (
    Block,
    Defined,
    Expression,
    Reference,
    Run,
    render_block,
)
from lambent.triggers.apis.vtl.values import Facts, Value, is_true

TURNS_MAX = 1_000
"""A `#foreach` ends quietly after so many turns."""


class StopSignal(Exception):
    """`#stop`: the template ends."""


class BreakSignal(Exception):
    """`#break`: the innermost `#foreach` ends; outside of one, the template."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """What is written as it is."""

    text: str

    def render(self, run: Run) -> None:
        """See `Statement`."""
        run.budget.make(len(self.text))
        run.output.append(self.text)


@dataclasses.dataclass(frozen=True, slots=True)
class Set:
    """`#set($target = value)`. A value that is null leaves the target as it was."""

    target: Reference
    source: Expression

    def render(self, run: Run) -> None:
        """See `Statement`."""
        value = self.source.value(run)
        if value is not None:
            self.target.assign(value, run)


@dataclasses.dataclass(frozen=True, slots=True)
class If:
    """`#if … #elseif … #else … #end`."""

    branches: Sequence[tuple[Expression, Block]]
    otherwise: Block

    def render(self, run: Run) -> None:
        """See `Statement`."""
        for condition, block in self.branches:
            run.budget.step()
            if is_true(condition.value(run)):
                render_block(block, run)
                return
        render_block(self.otherwise, run)


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """`#stop`."""

    def render(self, run: Run) -> None:
        """See `Statement`."""
        raise StopSignal


@dataclasses.dataclass(frozen=True, slots=True)
class Break:
    """`#break`."""

    def render(self, run: Run) -> None:
        """See `Statement`."""
        raise BreakSignal


@dataclasses.dataclass(frozen=True, slots=True)
class Define:
    """`#define($name) … #end`."""

    name: str
    block: Block

    def render(self, run: Run) -> None:
        """See `Statement`."""
        run.variables[self.name] = Defined(self.block, run)


@dataclasses.dataclass(frozen=True, slots=True)
class Foreach:
    """`#foreach($name in items) … #end`."""

    name: str
    items: Expression
    block: Block

    def render(self, run: Run) -> None:
        """See `Statement`."""
        items, length = _items_of(self.items.value(run))
        variables = run.variables
        outer = {name: variables.get(name) for name in (self.name, *_LOOP_NAMES)}
        try:
            for index, item in enumerate(items):
                run.budget.step()
                variables[self.name] = item
                variables["foreach"] = _facts(index, length, outer["foreach"])
                variables["velocityCount"] = index + 1
                variables["velocityHasNext"] = index + 1 < length
                render_block(self.block, run)
        except BreakSignal:
            pass
        finally:
            variables.update(outer)


_LOOP_NAMES = ("foreach", "velocityCount", "velocityHasNext")


def _items_of(value: Value) -> tuple[Sequence[Value], int]:
    """What a `#foreach` goes over, and how many items there are. Nothing if the value is no list
    and no map."""
    if isinstance(value, dict):
        return list(itertools.islice(value.values(), TURNS_MAX)), len(value)
    if isinstance(value, list):
        return value[:TURNS_MAX], len(value)
    return (), 0


def _facts(index: int, length: int, parent: Value) -> Facts:
    """What `$foreach` is."""
    return Facts(
        {
            "index": index,
            "count": index + 1,
            "hasNext": index + 1 < length,
            "first": index == 0,
            "isFirst": index == 0,
            "last": index + 1 == length,
            "isLast": index + 1 == length,
            "parent": parent,
        }
    )
