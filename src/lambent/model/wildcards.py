"""`*` and `?` in policies. Patterns are written by strangers, so matching must not take longer
than the product of both lengths, which regular expressions cannot promise."""

from collections.abc import Sequence

Pattern = str | Sequence[str]
"""A pattern, or its characters: among these, `**` and `??` stand for themselves, once. So what a
policy variable stood for is text, whatever it holds."""


def literal(text: str) -> list[str]:
    """The characters of a pattern that is just this text."""
    return [character * 2 if character in "*?" else character for character in text]


def text_of(pattern: Pattern) -> str:
    """A pattern as text, in which `*` and `?` mean nothing."""
    return "".join(token[0] for token in pattern)


def matches(pattern: Pattern, text: str) -> bool:
    """Whether `text` fits a pattern in which `*` is any text and `?` any character."""
    if pattern == "*":
        return True
    if isinstance(pattern, str) and "*" not in pattern and "?" not in pattern:
        return pattern == text
    at = position = 0
    star = -1
    resume = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[position], text[position] * 2):
            at += 1
            position += 1
        elif star >= 0:
            # Let the last star take one character more.
            at = star + 1
            resume += 1
            position = resume
        else:
            return False
    return all(token == "*" for token in pattern[at:])


def matches_arn(pattern: Pattern, arn: str) -> bool:
    """As `matches`, but a star does not reach beyond its part of an ARN; the last part, the
    resource itself, may hold colons."""
    if pattern == "*":
        return True
    wanted, given = _parts(pattern), arn.split(":", 5)
    if len(wanted) != 6 or len(given) != 6:
        return matches(pattern, arn)
    return all(matches(inner, part) for inner, part in zip(wanted, given, strict=True))


def _parts(pattern: Pattern) -> Sequence[Pattern]:
    """The six parts of an ARN's pattern, or fewer."""
    if isinstance(pattern, str):
        return pattern.split(":", 5)
    parts: list[Pattern] = []
    start = 0
    for at, token in enumerate(pattern):
        if token == ":" and len(parts) < 5:
            parts.append(pattern[start:at])
            start = at + 1
    return [*parts, pattern[start:]]
