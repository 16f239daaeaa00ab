"""The methods of texts."""

from collections.abc import Callable, Mapping

from lambent.kit.linear_regex import Found, PatternError, compile_pattern
from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.signatures import Arguments, Method, plain, position, typed
from lambent.triggers.apis.vtl.values import Value


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise TemplateError(f"A text of {len(text)} characters has no part {start} to {stop}.")
    return text[start:stop]


def _substring_method(budget: Budget, text: str, arguments: Arguments) -> str:
    typed(arguments, *((int,) * max(1, min(len(arguments), 2))))
    part = _substring(text, *arguments)
    budget.make(len(part))
    return part


def _replace(budget: Budget, text: str, arguments: Arguments) -> str:
    typed(arguments, str, str)
    old, new = arguments
    budget.read(len(text))
    times = text.count(old)
    budget.make(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new)


def _replace_pattern(count: int | None) -> Method:
    def method(budget: Budget, text: str, arguments: Arguments) -> str:
        typed(arguments, str, str)
        pattern, replacement = arguments
        parts: list[str] = []
        end = 0
        for found in _found(budget, text, pattern, count):
            parts.append(text[end : found.start])
            parts.append(_expand(replacement, found))
            budget.make(len(parts[-1]) + len(parts[-2]))
            end = found.end
        budget.make(len(text) - end)
        return "".join([*parts, text[end:]])

    return method


def _found(budget: Budget, text: str, pattern: str, count: int | None) -> list[Found]:
    try:
        compiled = compile_pattern(pattern)
        matches: list[Found] = []
        at = 0
        while at <= len(text) and (count is None or len(matches) < count):
            budget.step()
            found = compiled.search(text, at, budget.pattern_work)
            if found is None:
                break
            matches.append(found)
            at = found.end + (found.end == found.start)
    except PatternError as error:
        raise TemplateError(str(error)) from None
    budget.read(len(text))
    return matches


def _expand(replacement: str, found: Found) -> str:
    """Java's replacement: `$1` is a group, a backslash escapes the next character."""
    parts: list[str] = []
    characters = iter(replacement)
    for character in characters:
        if character == "\\":
            following = next(characters, None)
            if following is None:
                raise TemplateError("A replacement ends with a backslash.")
            parts.append(following)
        elif character == "$":
            digit = next(characters, "")
            if not digit or digit not in "0123456789" or 2 * int(digit) >= len(found.slots):
                raise TemplateError("A replacement names a group that the pattern does not have.")
            parts.append(found.group(int(digit)) or "")
        else:
            parts.append(character)
    return "".join(parts)


def _split(budget: Budget, text: str, arguments: Arguments) -> list[Value]:
    typed(arguments, str, *((int,) if len(arguments) > 1 else ()))
    limit = arguments[1] if len(arguments) > 1 else 0
    parts: list[Value] = []
    start = 0
    for found in _found(budget, text, arguments[0], limit - 1 if limit > 0 else None):
        if found.end == found.start and found.start in (0, len(text)):
            continue
        parts.append(text[start : found.start])
        start = found.end
    parts.append(text[start:])
    budget.make(len(text))
    if limit == 0:
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
    return parts


def _matches(budget: Budget, text: str, arguments: Arguments) -> bool:
    typed(arguments, str)
    try:
        return compile_pattern(arguments[0]).matches(text, budget.pattern_work)
    except PatternError as error:
        raise TemplateError(str(error)) from None


def _made(function: Callable[..., str], *signature: type) -> Method:
    """A method that makes a text about as long as its target and arguments."""

    def method(budget: Budget, text: str, arguments: Arguments) -> str:
        typed(arguments, *signature)
        budget.make(len(text) + sum(len(argument) for argument in arguments))
        return function(text, *arguments)

    return method


def _hash_code(text: str) -> int:
    code = 0
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        code = (31 * code + unit) & 0xFFFFFFFF
    return code - (1 << 32) if code >= 1 << 31 else code


def _hash_method(budget: Budget, text: str, arguments: Arguments) -> int:
    typed(arguments)
    budget.step(len(text) // 10)
    return _hash_code(text)


def _index_of(budget: Budget, text: str, arguments: Arguments) -> int:
    typed(arguments, str, *((int,) if len(arguments) > 1 else ()))
    budget.read(len(text))
    return text.find(arguments[0], *(max(0, start) for start in arguments[1:]))


def _char_at(text: str, index: int) -> str:
    return text[position(text, index)]


TEXT_METHODS: Mapping[str, Method] = {
    "length": plain(len),
    "isEmpty": plain(lambda text: not text),
    "substring": _substring_method,
    "indexOf": _index_of,
    "lastIndexOf": plain(str.rfind, str),
    "contains": plain(lambda text, part: part in text, str),
    "startsWith": plain(str.startswith, str),
    "endsWith": plain(str.endswith, str),
    "equalsIgnoreCase": plain(lambda text, other: text.lower() == other.lower(), str),
    "charAt": plain(_char_at, int),
    "hashCode": _hash_method,
    "replace": _replace,
    "replaceAll": _replace_pattern(None),
    "replaceFirst": _replace_pattern(1),
    "matches": _matches,
    "split": _split,
    "toLowerCase": _made(str.lower),
    "toUpperCase": _made(str.upper),
    "trim": _made(lambda text: text.strip("".join(map(chr, range(33))))),
    "concat": _made(str.__add__, str),
}
