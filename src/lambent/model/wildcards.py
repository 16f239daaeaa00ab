"""`*` and `?` in policies. Patterns are written by strangers, so matching must not take longer
than the product of both lengths, which regular expressions cannot promise."""


def matches(pattern: str, text: str) -> bool:
    """Whether `text` fits a pattern in which `*` is any text and `?` any character."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    at = position = 0
    star = -1
    resume = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at += 1
            position += 1
        elif star >= 0:
            # Let the last star take one character more.
            at = star + 1
            resume += 1
            position = resume
        else:
            return False
    return pattern[at:].strip("*") == ""


def matches_arn(pattern: str, arn: str) -> bool:
    """As `matches`, but a star does not reach beyond its part of an ARN; the last part, the
    resource itself, may hold colons."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), arn.split(":", 5)
    if len(wanted) != 6 or len(given) != 6:
        return matches(pattern, arn)
    return all(matches(one, part) for one, part in zip(wanted, given, strict=True))
