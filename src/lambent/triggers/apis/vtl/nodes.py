"""The tree of a template. Expressions have values, statements write to the output."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.methods import call, get_item, get_property, set_item
from lambent.triggers.apis.vtl.operators import operate
from lambent.triggers.apis.vtl.values import Renderable, Value, is_true, to_text

RANGE_MAX = 10_000


@dataclasses.dataclass(slots=True)
class Run:
    """One rendering."""

    variables: dict[str, Value]
    budget: Budget
    output: list[str] = dataclasses.field(default_factory=list)


class Expression(Protocol):
    """A node with a value."""

    def value(self, run: Run) -> Value:
        """Compute it. Raises `TemplateError`."""
        ...


class Statement(Protocol):
    """A node that writes."""

    def render(self, run: Run) -> None:
        """Write it. Raises `TemplateError`."""
        ...


Block = Sequence[Statement]


def render_block(block: Block, run: Run) -> None:
    """Write the statements of a block."""
    run.budget.enter()
    try:
        for statement in block:
            run.budget.step()
            statement.render(run)
    finally:
        run.budget.leave()


def captured(block: Block, run: Run) -> str:
    """What a block writes. A `#stop` or `#break` in it passes through."""
    inner = Run(run.variables, run.budget)
    render_block(block, inner)
    return "".join(inner.output)


@dataclasses.dataclass(frozen=True, slots=True)
class Literal:
    """A number, a boolean, or a text without references."""

    literal: Value

    def value(self, run: Run) -> Value:
        """See `Expression`."""
        return self.literal


@dataclasses.dataclass(frozen=True, slots=True)
class Interpolated:
    """A text in double quotes, which is a template."""

    block: Block

    def value(self, run: Run) -> Value:
        """See `Expression`."""
        return captured(self.block, run)


@dataclasses.dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b]`."""

    items: Sequence[Expression]

    def value(self, run: Run) -> Value:
        """See `Expression`."""
        run.budget.step(len(self.items))
        return [item.value(run) for item in self.items]


@dataclasses.dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{a: b}`."""

    items: Sequence[tuple[Expression, Expression]]

    def value(self, run: Run) -> Value:
        """See `Expression`."""
        made: dict[Value, Value] = {}
        for key, item in self.items:
            set_item(run.budget, made, key.value(run), item.value(run))
        return made


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """`[1..n]`, in either direction."""

    first: Expression
    last: Expression

    def value(self, run: Run) -> Value:
        """See `Expression`. None if an end is no whole number."""
        first, last = self.first.value(run), self.last.value(run)
        for end in (first, last):
            if not isinstance(end, int) or isinstance(end, bool):
                return None
        if abs(last - first) >= RANGE_MAX:
            raise TemplateError(f"A range may have {RANGE_MAX} numbers.")
        run.budget.step(abs(last - first) // 10)
        return list(range(first, last + 1) if first <= last else range(first, last - 1, -1))


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """`!a`."""

    operand: Expression

    def value(self, run: Run) -> Value:
        """See `Expression`."""
        return not is_true(self.operand.value(run))


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """`a + b`, and every other operator with two sides."""

    operator: str
    left: Expression
    right: Expression

    def value(self, run: Run) -> Value:
        """See `Expression`."""
        run.budget.step()
        left = self.left.value(run)
        if self.operator == "&&":
            return is_true(left) and is_true(self.right.value(run))
        if self.operator == "||":
            return is_true(left) or is_true(self.right.value(run))
        return operate(self.operator, left, self.right.value(run), run.budget)


@dataclasses.dataclass(frozen=True, slots=True)
class Property:
    """`.name`."""

    name: str

    def of(self, target: Value, run: Run) -> Value:
        """What it leads to from a value."""
        return get_property(run.budget, target, self.name)


@dataclasses.dataclass(frozen=True, slots=True)
class Index:
    """`[index]`."""

    index: Expression

    def of(self, target: Value, run: Run) -> Value:
        """What it leads to from a value."""
        return get_item(target, self.index.value(run))


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """`.name(arguments)`."""

    name: str
    arguments: Sequence[Expression]

    def of(self, target: Value, run: Run) -> Value:
        """What it leads to from a value."""
        values = [argument.value(run) for argument in self.arguments]
        return call(run.budget, target, self.name, values)


Step = Property | Index | Call


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """`$name.property.method(…)[index]`. Where it leads nowhere its value is the empty text, as in
    API Gateway; plain Velocity prints the reference."""

    name: str
    steps: Sequence[Step]

    def value(self, run: Run) -> Value:
        """See `Expression`."""
        found = self._follow(self.steps, run)
        return "" if found is None else found

    def render(self, run: Run) -> None:
        """See `Statement`."""
        run.output.append(to_text(self.value(run), run.budget))

    def assign(self, value: Value, run: Run) -> None:
        """`#set($reference = value)`; nothing if the reference leads nowhere."""
        if not self.steps:
            run.variables[self.name] = value
            return
        target = self._follow(self.steps[:-1], run)
        match self.steps[-1]:
            case Property(name):
                if isinstance(target, dict):
                    set_item(run.budget, target, name, value)
            case Index(index):
                set_item(run.budget, target, index.value(run), value)

    def _follow(self, steps: Sequence[Step], run: Run) -> Value:
        run.budget.step()
        found = run.variables.get(self.name)
        for step in steps:
            if found is None:
                return None
            found = step.of(found, run)
        return found


class Defined(Renderable):
    """What `#define` makes: a block that renders where it is printed."""

    __slots__ = ("_block", "_run")

    def __init__(self, block: Block, run: Run) -> None:
        self._block = block
        self._run = run

    def text(self) -> str:
        """See `Renderable`."""
        return captured(self._block, self._run)
