"""Reads the words of a query, one after the other."""

import re
from typing import NamedTuple

_SPACE = re.compile(r"(?:\s|#[^\n]*)*")
_TOKEN = re.compile(
    r"(?P<duration>\d+(?:ms|mo|s|m|h|d|w|q|y)\b)"
    r"|(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_@][\w@.]*)"
    r"|`(?P<quoted>[^`]+)`"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<sign><=|>=|!=|=~|==|[-=<>+*/%^(),|\[\]])",
    re.DOTALL,
)
_REGEX = re.compile(r"/((?:[^/\\\n]|\\.)*)/", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


class QueryError(Exception):
    """A query that cannot be used, and where: `start` and `end` are offsets of characters."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


class Token(NamedTuple):
    """A word of a query."""

    kind: str
    """`name`, `quoted`, `number`, `duration`, `text`, `sign` or `end`."""
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind == "name" and self.text.lower() in words


class Scanner:
    """The words of one query."""

    def __init__(self, query: str) -> None:
        self.query = query
        self._at = 0
        self._next: Token | None = None

    def peek(self) -> Token:
        """The next word, which stays the next. Raises `QueryError`."""
        if self._next is None:
            self._next = self._read()
        return self._next

    def take(self) -> Token:
        """The next word. Raises `QueryError`."""
        token = self.peek()
        self._at, self._next = token.end, None
        return token

    def take_regex(self) -> Token | None:
        """The regular expression that follows, without its slashes; None if another word does."""
        start = self._skip_space()
        match = _REGEX.match(self.query, start)
        if match is None:
            return None
        self._at, self._next = match.end(), None
        return Token("regex", match[1].replace("\\/", "/"), start, match.end())

    def take_sign(self, *signs: str) -> Token | None:
        """The next word if it is one of these signs."""
        token = self.peek()
        return self.take() if token.kind == "sign" and token.text in signs else None

    def take_word(self, *words: str) -> Token | None:
        """The next word if it is one of these keywords."""
        return self.take() if self.peek().is_word(*words) else None

    def expect_sign(self, sign: str) -> Token:
        """The next word, which has to be a sign. Raises `QueryError`."""
        token = self.take_sign(sign)
        if token is None:
            raise self.unexpected(f"'{sign}'")
        return token

    def unexpected(self, wanted: str) -> QueryError:
        """The error for the next word."""
        token = self.peek()
        found = f"'{token.text}'" if token.kind != "end" else "the end of the query"
        return QueryError(f"unexpected {found}: expected {wanted}", token.start, token.end)

    def _skip_space(self) -> int:
        match = _SPACE.match(self.query, self._at)
        assert match is not None
        return match.end()

    def _read(self) -> Token:
        start = self._skip_space()
        if start == len(self.query):
            return Token("end", "", start, start)
        match = _TOKEN.match(self.query, start)
        if match is None:
            found = self.query[start]
            raise QueryError(f"unexpected character '{found}'", start, start + 1)
        kind = match.lastgroup or ""
        text = match[kind]
        return Token(kind, _unquote(text) if kind == "text" else text, start, match.end())


def _unquote(text: str) -> str:
    return _ESCAPED.sub(lambda match: _CONTROLS.get(match[1], match[1]), text[1:-1])
