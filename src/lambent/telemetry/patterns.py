"""CloudWatch Logs filter patterns.

Terms (`ERROR`, `"two words"`: all must occur), `?optional` terms (one of them must), `-excluded`
ones, `%regular expressions%`; JSON patterns such as `{ $.level = "ERROR" && $.code >= 500 }`; and
patterns for fields between spaces, `[ip, user, status=4*, ...]`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import re
from collections.abc import Callable, Mapping

from lambent.telemetry.conditions import invalid, unescape
from lambent.telemetry.expressions import compile_expression
from lambent.telemetry.json_patterns import compile_json, compile_selector, selectors_of
from lambent.telemetry.space_patterns import Extract, compile_fields

Matches = Callable[[str], bool]
ValueOf = Callable[[str], str | None]

_LENGTH_MAX = 1024
_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]+))')


def compile_pattern(pattern: str) -> Matches:
    """Return a predicate over messages. Raises `InvalidParameterException`."""
    text = _checked(pattern)
    if not text:
        return lambda _: True
    if text.startswith("{"):
        return compile_json(text[1:-1], pattern)
    if text.startswith("["):
        extract = compile_fields(text[1:-1], pattern)
        return lambda message: extract(message) is not None
    return _compile_terms(text, pattern)


def compile_extraction(pattern: str) -> Extract:
    """Return a function that extracts the values that a pattern names from messages it matches, by
    selector: `$.code`, `$status`. It returns None for other messages. Raises
    `InvalidParameterException`."""
    text = _checked(pattern)
    if text.startswith("["):
        extract = compile_fields(text[1:-1], pattern)

        def fields_of(message: str) -> Mapping[str, str] | None:
            found = extract(message)
            return None if found is None else {f"${name}": found[name] for name in found}

        return fields_of
    matches = compile_pattern(pattern)
    selectors = selectors_of(text[1:-1]) if text.startswith("{") else []
    values = [(selector, compile_selector(selector)) for selector in selectors]

    def members_of(message: str) -> Mapping[str, str] | None:
        if not matches(message):
            return None
        found = {selector: value(message) for selector, value in values if value is not None}
        return {selector: value for selector, value in found.items() if value is not None}

    return members_of


def compile_value(pattern: str, selector: str) -> ValueOf:
    """Return a function that reads the value of a selector, such as `$.latency` or `$bytes`, in
    messages that the pattern matches. Raises `InvalidParameterException`."""
    text = _checked(pattern)
    if text.startswith("["):
        extract = compile_extraction(pattern)
        if selector.removeprefix("$") not in re.findall(r"\w+", text):
            raise invalid(f"{selector} is not a field of {pattern}")
        return lambda message: (extract(message) or {}).get(selector)
    value = compile_selector(selector) if text.startswith("{") else None
    if value is None:
        raise invalid(f"{selector} cannot be found with {pattern}")
    return value


def _checked(pattern: str) -> str:
    """The pattern without spaces around it. Raises `InvalidParameterException`."""
    text = pattern.strip()
    is_open = (text.startswith("{") and not text.endswith("}")) or (
        text.startswith("[") and not text.endswith("]")
    )
    if len(text) > _LENGTH_MAX or is_open:
        raise invalid(pattern)
    return text


def _compile_terms(text: str, pattern: str) -> Matches:
    required: list[Matches] = []
    optional: list[Matches] = []
    excluded: list[Matches] = []
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise invalid(pattern)
        at = match.end()
        sign, quoted, expression, word = match.groups()
        target = {"?": optional, "-": excluded}.get(sign, required)
        if expression is not None:
            target.append(_searches(expression, pattern))
        else:
            term = unescape(quoted) if quoted is not None else word
            target.append(_contains(term))
    return lambda message: (
        all(matches(message) for matches in required)
        and (not optional or bool(required) or any(matches(message) for matches in optional))
        and not any(matches(message) for matches in excluded)
    )


def _contains(term: str) -> Matches:
    return lambda message: term in message


def _searches(expression: str, pattern: str) -> Matches:
    try:
        return compile_expression(expression)
    except ValueError as error:
        raise invalid(pattern) from error
