"""`*` and `?` in policies. Patterns are written by strangers, so matching must not take longer
than the product of both lengths, which regular expressions cannot promise."""

from collections.abc import Sequence

ANY, ONE = None, ""
"""A `*` and a `?` of a pattern that was read; every other item is a character."""

Pattern = Sequence[str | None]
"""A pattern that was read: what a policy variable stood for is text in it, whatever it holds."""


def read_pattern(text: str) -> list[str | None]:
    """A pattern in which `*` is any text and `?` any character."""
    return [ANY if one == "*" else ONE if one == "?" else one for one in text]


def text_of(pattern: Pattern) -> str:
    """A pattern as text, in which `*` and `?` mean nothing."""
    return "".join("*" if one is ANY else one or "?" for one in pattern)


def matches(pattern: str | Pattern, text: str) -> bool:
    """Whether `text` fits a pattern."""
    if isinstance(pattern, str):
        if "*" not in pattern and "?" not in pattern:
            return pattern == text
        pattern = read_pattern(pattern)
    at = position = 0
    star = -1
    resume = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] is ANY:
            star, resume = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in (ONE, text[position]):
            at += 1
            position += 1
        elif star >= 0:
            # Let the last star take one character more.
            at = star + 1
            resume += 1
            position = resume
        else:
            return False
    return all(one is ANY for one in pattern[at:])


def matches_arn(pattern: str | Pattern, arn: str) -> bool:
    """As `matches`, but a star does not reach beyond its part of an ARN; the last part, the
    resource itself, may hold colons."""
    if isinstance(pattern, str):
        pattern = read_pattern(pattern)
    if len(pattern) == 1 and pattern[0] is ANY:
        return True
    wanted, given = _parts(pattern), arn.split(":", 5)
    if len(wanted) != 6 or len(given) != 6:
        return matches(pattern, arn)
    return all(matches(one, part) for one, part in zip(wanted, given, strict=True))


def _parts(pattern: Pattern) -> list[Pattern]:
    """The six parts of an ARN's pattern, or fewer."""
    parts: list[Pattern] = []
    start = 0
    for at, one in enumerate(pattern):
        if one == ":" and len(parts) < 5:
            parts.append(pattern[start:at])
            start = at + 1
    return [*parts, pattern[start:]]
