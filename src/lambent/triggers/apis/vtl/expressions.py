"""Parsing of expressions and references, by recursive descent."""

import re
from collections.abc import Callable

from lambent.triggers.apis.vtl.budget import TemplateError
from lambent.triggers.apis.vtl.nodes import (
    Block,
    Call,
    Expression,
    Index,
    Interpolated,
    ListLiteral,
    Literal,
    MapLiteral,
    Not,
    Operation,
    Property,
    Range,
    Reference,
    Step,
)
from lambent.triggers.apis.vtl.source import Source

ParseBlock = Callable[[str, int], Block]
"""Parses a text in double quotes, at a depth."""
_START = re.compile(r"\$!?(\{)?([A-Za-z_][A-Za-z0-9_-]*)")
_STEP = re.compile(r"\.([A-Za-z][A-Za-z0-9_-]*)(\()?")
_FLOAT = re.compile(r"-?(?:\d+\.(?!\.)\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)")
_INTEGER = re.compile(r"-?\d+")
_BOOLEAN = re.compile(r"(true|false)(?![A-Za-z0-9_])")
_NOT = re.compile(r"!|not(?![A-Za-z0-9_])")
_OPERATOR = re.compile(
    r"\|\||&&|==|!=|<=|>=|[<>+*/%-]|(?:or|and|eq|ne|le|lt|ge|gt)(?![A-Za-z0-9_])"
)
_WORDS = {
    "or": "||",
    "and": "&&",
    "eq": "==",
    "ne": "!=",
    "le": "<=",
    "lt": "<",
    "ge": ">=",
    "gt": ">",
}
_LEVELS = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
_STRINGS = {'"': re.compile(r'"((?:[^"]|"")*)"'), "'": re.compile(r"'((?:[^']|'')*)'")}
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_DIGITS_MAX = 50


class ExpressionParser:
    """Parses expressions at the cursor of a source."""

    def __init__(self, source: Source, parse_block: ParseBlock) -> None:
        self._source = source
        self._parse_block = parse_block

    def expression(self, level: int = 1) -> Expression:
        """An expression of operators that bind at least so tightly. Raises `TemplateError`."""
        source = self._source
        left = self._unary()
        while True:
            source.skip_space()
            start = source.at
            found = source.match(_OPERATOR)
            operator = "" if found is None else _WORDS.get(found.group(), found.group())
            if not operator or _LEVELS[operator] < level:
                source.at = start
                return left
            left = Operation(operator, left, self.expression(_LEVELS[operator] + 1))

    def _unary(self) -> Expression:
        source = self._source
        source.skip_space()
        if not source.starts_with("!=") and source.match(_NOT):
            source.enter()
            operand = self._unary()
            source.leave()
            return Not(operand)
        if source.accept("("):
            source.enter()
            inner = self.expression()
            source.expect(")")
            source.leave()
            return inner
        return self.operand()

    def operand(self) -> Expression:
        """A literal or a reference: what may be an argument. Raises `TemplateError`."""
        source = self._source
        source.skip_space()
        following = source.text[source.at : source.at + 1]
        if following == "$":
            reference = self.reference()
            if reference is None:
                raise source.error("Expected a reference")
            return reference
        if following in ('"', "'") and following:
            return self._string(following)
        if following in ("[", "{") and following:
            source.enter()
            made = self._list() if following == "[" else self._map()
            source.leave()
            return made
        if found := source.match(_BOOLEAN):
            return Literal(found.group(1) == "true")
        return self._number()

    def _number(self) -> Expression:
        source = self._source
        found = source.match(_FLOAT)
        if found is not None:
            return Literal(float(found.group()))
        found = source.match(_INTEGER)
        if found is None or len(found.group()) > _DIGITS_MAX:
            raise source.error("Expected a value")
        return Literal(int(found.group()))

    def _string(self, quote: str) -> Expression:
        source = self._source
        found = source.match(_STRINGS[quote])
        if found is None:
            raise source.error("A text has no end")
        text = found.group(1)
        if quote == '"':
            text = _UNICODE.sub(lambda code: chr(int(code.group(1), 16)), text)
        text = text.replace(quote * 2, quote)
        if quote == "'" or ("$" not in text and "#" not in text):
            return Literal(text)
        return Interpolated(self._parse_block(text, source.depth + 1))

    def _list(self) -> Expression:
        source = self._source
        source.accept("[")
        items: list[Expression] = []
        source.skip_space()
        if source.accept("]"):
            return ListLiteral(items)
        items.append(self.operand())
        source.skip_space()
        if source.accept(".."):
            last = self.operand()
            source.expect("]")
            return Range(items[0], last)
        while not source.accept("]"):
            source.expect(",")
            items.append(self.operand())
            source.skip_space()
        return ListLiteral(items)

    def _map(self) -> Expression:
        source = self._source
        source.accept("{")
        items: list[tuple[Expression, Expression]] = []
        source.skip_space()
        while not source.accept("}"):
            if items:
                source.expect(",")
            key = self.operand()
            source.expect(":")
            items.append((key, self.operand()))
            source.skip_space()
        return MapLiteral(items)

    def reference(self) -> Reference | None:
        """A reference; None if what follows the dollar is none, and the cursor stays. Raises
        `TemplateError` for one that does not end."""
        source = self._source
        found = source.match(_START)
        if found is None:
            return None
        steps: list[Step] = []
        while True:
            if source.accept("["):
                steps.append(self._index())
            elif step := source.match(_STEP):
                name = step.group(1)
                steps.append(Call(name, self._arguments()) if step.group(2) else Property(name))
            else:
                break
        if found.group(1) and not source.accept("}"):
            raise source.error("A reference has no closing brace")
        return Reference(found.group(2), steps)

    def _index(self) -> Index:
        self._source.enter()
        index = self.operand()
        self._source.expect("]")
        self._source.leave()
        return Index(index)

    def _arguments(self) -> list[Expression]:
        source = self._source
        source.enter()
        arguments: list[Expression] = []
        source.skip_space()
        while not source.accept(")"):
            if arguments:
                source.expect(",")
            arguments.append(self.operand())
            source.skip_space()
        source.leave()
        return arguments

    def directive_arguments(self) -> bool:
        """Move past the arguments of an unknown directive, up to and including the closing
        parenthesis; whether there are such arguments."""
        source = self._source
        start = source.at
        try:
            source.skip_space()
            if source.accept("("):
                while True:
                    source.skip_space()
                    source.accept(",")
                    source.skip_space()
                    if source.accept(")"):
                        return True
                    if not source.match(_DIRECTIVE_WORD):
                        self.operand()
        except TemplateError:
            pass
        source.at = start
        return False


_DIRECTIVE_WORD = re.compile(r"[A-Za-z_@][A-Za-z0-9_@]*")
