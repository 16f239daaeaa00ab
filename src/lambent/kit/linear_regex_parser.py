"""Patterns as programs of a Pike machine; see `linear_regex`."""

import dataclasses
import enum
import string

PROGRAM_MAX = 4_000
"""Instructions of a program; `a{1000}{1000}` would have a million."""
_NESTING_MAX = 30
_REPEATS_MAX = 1_000
_LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
"""Code points, from and to."""


class PatternError(ValueError):
    """A pattern is wrong, cannot be matched in linear time, or takes too long."""


class Kind(enum.Enum):
    """What an instruction does."""

    CHARACTER = enum.auto()
    SPLIT = enum.auto()
    SAVE = enum.auto()
    ASSERT = enum.auto()
    MATCH = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Instruction:
    """A step of a program."""

    kind: Kind
    ranges: Ranges = ()
    """The characters that `CHARACTER` takes."""
    first: int = 0
    """Where `SPLIT` goes on, preferably; the slot of `SAVE`."""
    second: int = 0
    assertion: str = ""
    """`^`, `$`, `A`, `z`, `b` or `B`."""

    def takes(self, character: int) -> bool:
        """Whether the instruction takes a character; -1 is the end of the text."""
        return any(low <= character <= high for low, high in self.ranges)

    def holds(self, subject: str, position: int) -> bool:
        """Whether an assertion holds at a position."""
        match self.assertion:
            case "^" | "A":
                return position == 0
            case "z":
                return position == len(subject)
            case "$":
                return position == len(subject) or (
                    position == len(subject) - 1 and subject[position] == "\n"
                )
            case _:
                before = position > 0 and subject[position - 1] in _WORD_TEXT
                after = position < len(subject) and subject[position] in _WORD_TEXT
                return (before != after) == (self.assertion == "b")


_WORD_TEXT = frozenset(string.ascii_letters + string.digits + "_")
_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 13), (32, 32))


def _all_but(ranges: Ranges) -> Ranges:
    rest, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            rest.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST:
        rest.append((start, _LAST))
    return tuple(rest)


_ANY = _all_but(((10, 10), (13, 13)))
_CLASSES = {
    "d": _DIGIT,
    "D": _all_but(_DIGIT),
    "w": _WORD,
    "W": _all_but(_WORD),
    "s": _SPACE,
    "S": _all_but(_SPACE),
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_Code = list[Instruction]
"""Instructions whose targets are relative to themselves."""


def parse_program(text: str) -> tuple[tuple[Instruction, ...], int, str | None]:
    """The program of a pattern, how many groups it has, and the only text that it matches, if it is
    such a pattern. Raises `PatternError`."""
    parser = _Parser(text)
    code = parser.parse()
    save, end = Instruction(Kind.SAVE, first=0), Instruction(Kind.SAVE, first=1)
    relative = [save, *code, end, Instruction(Kind.MATCH)]
    program = tuple(
        dataclasses.replace(item, first=at + item.first, second=at + item.second)
        if item.kind is Kind.SPLIT
        else item
        for at, item in enumerate(relative)
    )
    is_literal = all(item.ranges and item.ranges[0][0] == item.ranges[-1][1] for item in code)
    literal = "".join(chr(item.ranges[0][0]) for item in code) if is_literal and code else None
    return program, parser.groups, literal


class _Parser:
    """Parses one pattern by recursive descent."""

    def __init__(self, text: str) -> None:
        self._is_caseless = text.startswith("(?i)")
        self._text = text[4:] if self._is_caseless else text
        self._at = 0
        self._depth = 0
        self.groups = 0

    def parse(self) -> _Code:
        code = self._alternatives()
        if self._at < len(self._text):
            raise self._error("a closing parenthesis too many")
        return code

    def _error(self, fault: str) -> PatternError:
        return PatternError(f"The pattern has {fault} at character {self._at + 1}.")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise self._error("no end")
        self._at += 1
        return character

    def _accept(self, expected: str) -> bool:
        if self._text.startswith(expected, self._at):
            self._at += len(expected)
            return True
        return False

    def _checked(self, code: _Code) -> _Code:
        if len(code) > PROGRAM_MAX:
            raise PatternError("The pattern repeats too much.")
        return code

    def _alternatives(self) -> _Code:
        code = self._sequence()
        if not self._accept("|"):
            return code
        rest = self._alternatives_after_bar()
        split = Instruction(Kind.SPLIT, first=1, second=len(code) + 2)
        jump = Instruction(Kind.SPLIT, first=len(rest) + 1, second=len(rest) + 1)
        return self._checked([split, *code, jump, *rest])

    def _alternatives_after_bar(self) -> _Code:
        self._depth += 1
        if self._depth > 4 * _NESTING_MAX:
            raise self._error("too many alternatives")
        rest = self._alternatives()
        self._depth -= 1
        return rest

    def _sequence(self) -> _Code:
        code: _Code = []
        while self._peek() not in ("", "|", ")"):
            code += self._quantified()
            self._checked(code)
        return code

    def _quantified(self) -> _Code:
        code = self._atom()
        while self._peek() in ("*", "+", "?", "{"):
            low, high = self._bounds()
            is_lazy = self._accept("?")
            if self._peek() == "+":
                raise self._error("a possessive quantifier, which is not supported,")
            code = self._repeated(code, low, high, is_lazy)
        return code

    def _bounds(self) -> tuple[int, int | None]:
        match self._next():
            case "*":
                return 0, None
            case "+":
                return 1, None
            case "?":
                return 0, 1
        low = self._number()
        if self._accept("}"):
            return low, low
        if not self._accept(","):
            raise self._error("a wrong quantifier")
        high = None if self._peek() == "}" else self._number()
        if not self._accept("}") or (high is not None and high < low):
            raise self._error("a wrong quantifier")
        return low, high

    def _number(self) -> int:
        start = self._at
        while self._peek() and self._peek() in string.digits:
            self._at += 1
        digits = self._text[start : self._at]
        if not digits or len(digits) > 4 or int(digits) > _REPEATS_MAX:
            raise self._error("a wrong quantifier")
        return int(digits)

    def _repeated(self, code: _Code, low: int, high: int | None, is_lazy: bool) -> _Code:
        copies = max(low, high or 0) + 1
        if copies * (len(code) + 2) > PROGRAM_MAX:
            raise PatternError("The pattern repeats too much.")
        repeated = code * low
        if high is None:
            return [*repeated, *_looped(code, is_lazy)]
        optional: _Code = []
        for _ in range(high - low):
            optional = [_split(1, len(code) + len(optional) + 1, is_lazy), *code, *optional]
        return [*repeated, *optional]

    def _atom(self) -> _Code:
        character = self._next()
        match character:
            case "(":
                return self._group()
            case "[":
                return [self._character(self._class())]
            case ".":
                return [Instruction(Kind.CHARACTER, _ANY)]
            case "^" | "$":
                return [Instruction(Kind.ASSERT, assertion=character)]
            case "*" | "+" | "?" | "{":
                raise self._error("a quantifier with nothing before it")
            case "\\":
                return self._escape_outside()
            case _:
                return [self._character(_only(character))]

    def _group(self) -> _Code:
        self._depth += 1
        if self._depth > _NESTING_MAX:
            raise self._error("too many groups in each other")
        number = None
        if self._accept("?"):
            if not self._accept(":"):
                raise self._error("a lookaround or a flag, which is not supported,")
        else:
            self.groups += 1
            number = self.groups
        code = self._alternatives()
        if not self._accept(")"):
            raise self._error("a group without an end")
        self._depth -= 1
        if number is None:
            return code
        start = Instruction(Kind.SAVE, first=2 * number)
        return [start, *code, Instruction(Kind.SAVE, first=2 * number + 1)]

    def _escape_outside(self) -> _Code:
        character = self._next()
        if character in "bBAz":
            return [Instruction(Kind.ASSERT, assertion=character)]
        if character == "Z":
            return [Instruction(Kind.ASSERT, assertion="$")]
        return [self._character(self._escape(character))]

    def _escape(self, character: str) -> Ranges:
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _only(_CONTROLS[character])
        if character in ("x", "u"):
            length = 2 if character == "x" else 4
            digits = self._text[self._at : self._at + length]
            if len(digits) < length or not set(digits) <= set(string.hexdigits):
                raise self._error("a wrong escape")
            self._at += length
            return _only(chr(int(digits, 16)))
        if character.isalnum():
            raise self._error(f"the escape \\{character}, which is not supported,")
        return _only(character)

    def _class(self) -> Ranges:
        is_negated = self._accept("^")
        ranges: list[tuple[int, int]] = []
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            item = self._class_item()
            if len(item) == 1 and self._peek() == "-" and self._text[self._at + 1 :][:1] != "]":
                self._at += 1
                end = self._class_item()
                if len(end) != 1 or end[0][1] < item[0][0]:
                    raise self._error("a wrong range")
                item = ((item[0][0], end[0][1]),)
            ranges += item
        self._at += 1
        if self._is_caseless:
            ranges = list(_in_any_case(tuple(ranges)))
        return _all_but(tuple(ranges)) if is_negated else tuple(ranges)

    def _class_item(self) -> Ranges:
        character = self._next()
        if character == "[" or (character == "&" and self._peek() == "&"):
            raise self._error("a class in a class, which is not supported,")
        return self._escape(self._next()) if character == "\\" else _only(character)

    def _character(self, ranges: Ranges) -> Instruction:
        if self._is_caseless:
            ranges = _in_any_case(ranges)
        return Instruction(Kind.CHARACTER, ranges)


def _only(character: str) -> Ranges:
    return ((ord(character), ord(character)),)


def _in_any_case(ranges: Ranges) -> Ranges:
    """As in Java, only the letters of ASCII have cases."""
    others = []
    for low, high in ranges:
        for start, end, distance in ((65, 90, 32), (97, 122, -32)):
            if max(low, start) <= min(high, end):
                others.append((max(low, start) + distance, min(high, end) + distance))
    return (*ranges, *others)


def _split(first: int, second: int, is_lazy: bool) -> Instruction:
    if is_lazy:
        first, second = second, first
    return Instruction(Kind.SPLIT, first=first, second=second)


def _looped(code: _Code, is_lazy: bool) -> _Code:
    back = Instruction(Kind.SPLIT, first=-len(code) - 1, second=-len(code) - 1)
    return [_split(1, len(code) + 2, is_lazy), *code, back]
