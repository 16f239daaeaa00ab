"""Parsing of templates: text, directives, comments, and what they take of the space around them."""

import itertools
import re
from collections.abc import Callable, Mapping

from lambent.triggers.apis.vtl.budget import TemplateError
from lambent.triggers.apis.vtl.expressions import ExpressionParser
from lambent.triggers.apis.vtl.nodes import Block, Expression, Statement
from lambent.triggers.apis.vtl.source import Source
from lambent.triggers.apis.vtl.statements import Break, Define, Foreach, If, Set, Stop, Text

TEMPLATE_CHARACTERS_MAX = 300 * 1024
_SET = re.compile(r"[ \t]*#(?:set|\{set\})[ \t]*\(")
_PLAIN = re.compile(r"[^$#\\]+")
_BACKSLASHES = re.compile(r"\\*")
_WORD = re.compile(r"#(?:([A-Za-z_@][A-Za-z0-9_@]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_COMMENT_LINE = re.compile(r"##[^\r\n]*(?:\r\n|\n|\r)?")
_COMMENT = re.compile(r"#\*.*?\*#", re.DOTALL)
_LITERAL = re.compile(r"#\[\[(.*?)\]\]#", re.DOTALL)
_NAME = re.compile(r"\$!?(?:\{([A-Za-z_][A-Za-z0-9_-]*)\}|([A-Za-z_][A-Za-z0-9_-]*))")
_IN = re.compile(r"in(?![A-Za-z0-9_])")
_ENDS = ("end", "else", "elseif")


def parse_template(text: str) -> Block:
    """The tree of a template. Raises `TemplateError`."""
    if len(text) > TEMPLATE_CHARACTERS_MAX:
        raise TemplateError("A template may have 300 KB.")
    return _parse(text, 0, is_string=False)


def _parse_string(text: str, depth: int) -> Block:
    return _parse(text, depth, is_string=True)


def _parse(text: str, depth: int, is_string: bool) -> Block:
    parser = _Parser(Source(text, depth), is_string)
    block, end = parser.block()
    if end:
        raise parser.source.error(f"#{end} has nothing to end")
    return block


class _Parser:
    """Parses one text."""

    def __init__(self, source: Source, is_string: bool) -> None:
        self.source = source
        self._is_string = is_string
        self._expressions = ExpressionParser(source, _parse_string)
        self._directives: Mapping[str, Callable[[], Statement | None]] = {
            "if": self._if,
            "foreach": self._foreach,
            "define": self._define,
            "macro": self._macro,
            "stop": Stop,
            "break": Break,
        }

    def block(self) -> tuple[Block, str]:
        """Statements, up to and including an `#end`, `#else` or `#elseif`, and which it is; empty
        at the end of the text."""
        source = self.source
        source.enter()
        statements: list[Statement] = []
        end = ""
        while not end and source.at < len(source.text):
            end = self._statement(statements)
        source.leave()
        return _joined(statements), end

    def _statement(self, statements: list[Statement]) -> str:
        """Append the next statements. Returns the name of a directive that ends the block."""
        source = self.source
        if source.match(_SET):
            statements.append(self._set())
            return ""
        if found := source.match(_PLAIN):
            statements.append(Text(found.group()))
            return ""
        slashes = source.match(_BACKSLASHES)
        count = 0 if slashes is None else len(slashes.group())
        if source.starts_with("$"):
            self._reference(count, statements)
        elif source.starts_with("#"):
            return self._hash(count, statements)
        else:
            statements.append(Text("\\" * count))
        return ""

    def _reference(self, slashes: int, statements: list[Statement]) -> None:
        source = self.source
        start = source.at
        reference = self._expressions.reference()
        if reference is None:
            source.at += 1
            if source.at == len(source.text) and not self._is_string:
                raise source.error("The template ends with a dollar sign")
            statements.append(Text("\\" * slashes + "$"))
            return
        statements.append(Text("\\" * (slashes // 2)))
        if slashes % 2:
            statements.append(Text(source.text[start : source.at]))
        else:
            statements.append(reference)

    def _hash(self, slashes: int, statements: list[Statement]) -> str:
        source = self.source
        start = source.at
        word = _WORD.match(source.text, start)
        name = "" if word is None else word.group(1) or word.group(2)
        if name in self._directives or name in (*_ENDS, "set"):
            assert word is not None
            statements.append(Text("\\" * (slashes // 2)))
            source.at = word.end()
            if slashes % 2:
                statements.append(Text(word.group()))
                return ""
            return self._directive(name, statements)
        statements.append(Text("\\" * slashes))
        if word is not None:
            source.at = word.end()
            if self._expressions.directive_arguments():
                source.skip_line_end()
            statements.append(Text(source.text[start : source.at]))
        else:
            self._comment(statements)
        return ""

    def _comment(self, statements: list[Statement]) -> None:
        source = self.source
        if source.match(_COMMENT_LINE):
            return
        if source.starts_with("#*"):
            if not source.match(_COMMENT):
                raise source.error("A comment has no end")
        elif source.starts_with("#[["):
            found = source.match(_LITERAL)
            if found is None:
                raise source.error("An unparsed part has no end")
            statements.append(Text(found.group(1)))
        else:
            source.at += 1
            if source.at == len(source.text) and not self._is_string:
                raise source.error("The template ends with a number sign")
            statements.append(Text("#"))

    def _directive(self, name: str, statements: list[Statement]) -> str:
        source = self.source
        if name in ("end", "else"):
            source.skip_line_end()
        if name in _ENDS:
            return name
        if name == "set":
            if not source.starts_with("("):
                statements.append(Text("#set"))
                return ""
            source.at += 1
            statements.append(self._set())
            return ""
        statement = self._directives[name]()
        if statement is not None:
            statements.append(statement)
        return ""

    def _set(self) -> Statement:
        source = self.source
        source.skip_space()
        target = self._expressions.reference()
        if target is None:
            raise source.error("#set expects a reference")
        source.expect("=")
        value = self._expressions.expression()
        self._close()
        return Set(target, value)

    def _close(self) -> None:
        """The closing parenthesis of a directive."""
        self.source.expect(")")
        self.source.skip_line_end()

    def _condition(self) -> Expression:
        self.source.expect("(")
        condition = self._expressions.expression()
        self._close()
        return condition

    def _if(self) -> Statement:
        branches = []
        end = "elseif"
        while end == "elseif":
            condition = self._condition()
            block, end = self.block()
            branches.append((condition, block))
        otherwise: Block = ()
        if end == "else":
            otherwise, end = self.block()
        if end != "end":
            raise self.source.error(f"#{end or 'if'} is in the wrong place or has no #end")
        return If(branches, otherwise)

    def _ended_block(self, name: str) -> Block:
        block, end = self.block()
        if end != "end":
            raise self.source.error(f"#{name} has no #end")
        return block

    def _variable(self) -> str:
        self.source.skip_space()
        found = self.source.match(_NAME)
        if found is None:
            raise self.source.error("Expected a variable")
        return found.group(1) or found.group(2)

    def _foreach(self) -> Statement:
        source = self.source
        source.expect("(")
        name = self._variable()
        source.skip_space()
        if not source.match(_IN):
            raise source.error("#foreach expects 'in'")
        items = self._expressions.operand()
        self._close()
        return Foreach(name, items, self._ended_block("foreach"))

    def _define(self) -> Statement:
        self.source.expect("(")
        name = self._variable()
        self._close()
        return Define(name, self._ended_block("define"))

    def _macro(self) -> None:
        """API Gateway reads macros and does not call them: calls print as they are written."""
        if not self._expressions.directive_arguments():
            raise self.source.error("#macro expects a name")
        self.source.skip_line_end()
        self._ended_block("macro")


def _joined(statements: list[Statement]) -> Block:
    """The statements, with texts that follow each other as one."""
    joined: list[Statement] = []
    for is_text, group in itertools.groupby(statements, lambda item: isinstance(item, Text)):
        if not is_text:
            joined += group
        elif text := "".join(item.text for item in group if isinstance(item, Text)):
            joined.append(Text(text))
    return tuple(joined)
