"""Search expressions: which metrics `SEARCH('{Namespace,Dimension} terms', …)` finds.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
"""

import re
from collections.abc import Callable, Iterable

from lambent.telemetry.metric_math.values import MathError
from lambent.telemetry.series.keys import MetricKey

Matches = Callable[[MetricKey], bool]

_SCHEMA = re.compile(r"\s*\{([^{}]*)\}")
_NAMES = re.compile(r'\s*(?:"([^"]*)"|([^,"]+?))\s*(?:,|$)')
_TERM = re.compile(r'\s*(?:([()])|(?:([\w.:/-]+)\s*=\s*)?(?:"([^"]*)"|([^\s()"=]+)))')
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_DEPTH_MAX = 20


def read_search(text: str) -> Matches:
    """The test that a search expression makes. Raises `MathError`."""
    schema = _SCHEMA.match(text)
    of_schema = _of_schema(schema[1]) if schema else None
    rest = text[schema.end() :] if schema else text
    terms = _Terms(rest)
    matches = terms.any_of(0) if terms.is_left else (lambda key: True)
    if terms.is_left:
        raise MathError(f"cannot read the search expression {text[:100]!r}")
    if of_schema is None:
        return matches
    return lambda key: of_schema(key) and matches(key)


def _of_schema(text: str) -> Matches:
    """The namespace, and exactly these dimensions."""
    namespace, *dimensions = (match[1] or match[2] for match in _NAMES.finditer(text))
    wanted = sorted(dimensions)
    return lambda key: key.namespace == namespace and [name for name, _ in key.dimensions] == wanted


class _Terms:
    """Reads terms with AND, OR, NOT and parentheses; terms side by side all have to match."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str | None, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TERM.match(text, at)
            if match is None:
                raise MathError(f"cannot read {text[at : at + 20]!r} in a search expression")
            at = match.end()
            sign, name, exact, word = match.groups()
            kind = sign or ("exact" if exact is not None else "word")
            if word in ("AND", "OR", "NOT") and name is None:
                kind = word
            self._tokens.append((kind, name, exact if exact is not None else word or ""))
        self._tokens.reverse()

    @property
    def is_left(self) -> bool:
        return bool(self._tokens)

    def _peek(self) -> str:
        return self._tokens[-1][0] if self._tokens else ")"

    def any_of(self, depth: int) -> Matches:
        if depth > _DEPTH_MAX:
            raise MathError("the search expression is nested too deeply")
        found = [self._all_of(depth)]
        while self._peek() == "OR":
            self._tokens.pop()
            found.append(self._all_of(depth))
        return lambda key: any(matches(key) for matches in found)

    def _all_of(self, depth: int) -> Matches:
        found = [self._term(depth)]
        while self._peek() not in (")", "OR"):
            if self._peek() == "AND":
                self._tokens.pop()
            found.append(self._term(depth))
        return lambda key: all(matches(key) for matches in found)

    def _term(self, depth: int) -> Matches:
        if not self._tokens:
            raise MathError("a search expression ends too early")
        kind, name, text = self._tokens.pop()
        if kind == "NOT":
            if depth > _DEPTH_MAX:
                raise MathError("the search expression is nested too deeply")
            inverted = self._term(depth + 1)
            return lambda key: not inverted(key)
        if kind == "(":
            inner = self.any_of(depth + 1)
            if self._peek() != ")" or not self._tokens:
                raise MathError("a parenthesis is missing in a search expression")
            self._tokens.pop()
            return inner
        if kind in ("exact", "word"):
            return _fits(name, text, is_exact=kind == "exact")
        raise MathError(f"{kind} is not expected here in a search expression")


def _fits(name: str | None, text: str, *, is_exact: bool) -> Matches:
    wanted = _words([text])
    if is_exact:
        return lambda key: text in _values(key, name)
    return lambda key: wanted <= _words(_values(key, name))


def _values(key: MetricKey, name: str | None) -> Iterable[str]:
    """What a term is compared with: one property, or all names and values."""
    if name == "MetricName":
        return [key.name]
    if name == "Namespace":
        return [key.namespace]
    if name is not None:
        return [value for dimension, value in key.dimensions if dimension == name]
    return [key.namespace, key.name, *(text for pair in key.dimensions for text in pair)]


def _words(texts: Iterable[str]) -> set[str]:
    """Parts of names in lower case, and whole names: `CPUUse-2` has `cpu`, `use` and `2`."""
    found: set[str] = set()
    for text in texts:
        found |= {part.lower() for part in _WORD.findall(text)}
    return found
