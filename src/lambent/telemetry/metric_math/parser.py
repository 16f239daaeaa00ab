"""Reads an expression into a tree."""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from lambent.telemetry.metric_math.values import MathError

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<name>[A-Za-z][A-Za-z0-9_]*)
    |(?P<sign>\|\||&&|==|!=|<=|>=|[-+*/^<>()\[\],])
    )""",
    re.VERBOSE,
)
_BINDING = {
    **{"OR": 1, "||": 1, "AND": 2, "&&": 2},
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 3),
    **{"+": 4, "-": 4, "*": 5, "/": 5, "^": 7},
}
_NEGATION = 6
_DEPTH_MAX = 40
_SYNONYMS = {"||": "OR", "&&": "AND"}


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word such as `REPEAT`."""

    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Array:
    items: tuple["Node", ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A function, or an operator with its operands."""

    function: str
    arguments: tuple["Node", ...]


Node = Number | Text | Name | Array | Call


def parse(expression: str) -> Node:
    """The tree of an expression. Raises `MathError`."""
    parser = _Parser(list(_tokens(expression)))
    node = parser.operation(0, 0)
    parser.expect("")
    return node


def calls_of(node: Node, function: str) -> Iterator[Call]:
    """All calls of a function in a tree."""
    children: Sequence[Node] = ()
    if isinstance(node, Call):
        if node.function == function:
            yield node
        children = node.arguments
    elif isinstance(node, Array):
        children = node.items
    for child in children:
        yield from calls_of(child, function)


def names_in(node: Node) -> Iterator[str]:
    """All names in a tree."""
    if isinstance(node, Name):
        yield node.value
    elif isinstance(node, Call | Array):
        for child in node.arguments if isinstance(node, Call) else node.items:
            yield from names_in(child)


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise MathError(f"cannot read {text[at : at + 20]!r}")
        at = match.end()
        kind = match.lastgroup or ""
        word = match[kind]
        if kind == "name" and word in ("AND", "OR"):
            kind = "sign"
        yield kind, _SYNONYMS.get(word, word) if kind == "sign" else word
    yield "end", ""


class _Parser:
    """Precedence climbing."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _peek(self) -> str:
        kind, text = self._tokens[self._at]
        return text if kind in ("sign", "end") else "\0"

    def expect(self, sign: str) -> None:
        """The next token, which has to be this sign; the empty one is the end."""
        kind, text = self._next()
        if kind not in ("sign", "end") or text != sign:
            raise MathError(f"{sign or 'the end'} is expected before {text or 'the end'!r}")

    def operation(self, binding: int, depth: int) -> Node:
        """Operands and the operators that bind stronger than `binding`."""
        if depth > _DEPTH_MAX:
            raise MathError("the expression is nested too deeply")
        left = self._operand(depth + 1)
        while (strength := _BINDING.get(self._peek(), 0)) > binding:
            _, sign = self._next()
            # `^` groups from the right.
            right = self.operation(strength - (sign == "^"), depth + 1)
            left = Call(sign, (left, right))
        return left

    def _operand(self, depth: int) -> Node:
        kind, text = self._next()
        match kind, text:
            case "number", _:
                return Number(float(text))
            case "text", _:
                return Text(re.sub(r"\\(.)", r"\1", text[1:-1]))
            case "name", _:
                if self._peek() != "(":
                    return Name(text)
                self._next()
                return Call(text.upper(), self._list(")", depth))
            case "sign", "(":
                node = self.operation(0, depth)
                self.expect(")")
                return node
            case "sign", "[":
                return Array(self._list("]", depth))
            case "sign", ("-" | "+"):
                operand = self.operation(_NEGATION, depth)
                return Call("*", (Number(-1.0), operand)) if text == "-" else operand
        raise MathError(f"a value is expected before {text or 'the end'!r}")

    def _list(self, end: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._peek() == end:
            self._next()
            return ()
        while True:
            items.append(self.operation(0, depth))
            if self._peek() != ",":
                break
            self._next()
        self.expect(end)
        return tuple(items)
