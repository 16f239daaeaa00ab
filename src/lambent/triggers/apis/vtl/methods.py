"""The methods of values. Nothing else can be called: tables are closed, and no name that a template
uses is ever looked up on a Python object."""

import math
from collections.abc import Callable, Mapping, Sequence

from lambent.kit.linear_regex import Found, PatternError, compile_pattern
from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.values import (
    Entry,
    Facts,
    Host,
    Value,
    are_equal,
    is_number,
    to_text,
)

Arguments = Sequence[Value]
Method = Callable[[Budget, Value, Arguments], Value]
_Signature = tuple[type | tuple[type, ...], ...]


class _NoSuchMethodError(Exception):
    """The arguments are of other types than the method's: Java does not find the method."""


def call(budget: Budget, target: Value, name: str, arguments: Arguments) -> Value:
    """Call a method; None if there is none of that name and arguments, as in Velocity. Raises
    `TemplateError` where the method throws in Java."""
    budget.step()
    if isinstance(target, Host):
        function = target.methods.get(name)
        return None if function is None else function(budget, arguments)
    if isinstance(target, Facts):
        return None if arguments else target.facts.get(name)
    method = _table_of(target).get(name) or _COMMON.get(name)
    if method is None:
        return None
    try:
        return method(budget, target, arguments)
    except _NoSuchMethodError:
        return None


def get_property(budget: Budget, target: Value, name: str) -> Value:
    """`$target.name`: a key of a map, or one of very few properties."""
    budget.step()
    match target:
        case dict():
            return target.get(name)
        case Facts():
            return target.facts.get(name)
        case Host():
            read = target.properties.get(name)
            return None if read is None else read(budget)
        case Entry() if name in ("key", "value"):
            return target.key if name == "key" else target.value
        case list() | str() if name == "empty":
            return not target
    return None


def get_item(target: Value, index: Value) -> Value:
    """`$target[index]`. Raises `TemplateError` for an index that a list does not have."""
    if isinstance(target, dict):
        return target.get(_key(index))
    if isinstance(target, list) and isinstance(index, int) and not isinstance(index, bool):
        return target[_position(target, index + len(target) if index < 0 else index)]
    return None


def set_item(budget: Budget, target: Value, index: Value, value: Value) -> None:
    """`#set($target[index] = value)` and `#set($target.index = value)`; nothing if the target is
    neither map nor list."""
    budget.step()
    if isinstance(target, dict):
        target[_key(index)] = value
    elif isinstance(target, list) and isinstance(index, int):
        target[_position(target, index)] = value


def _position(items: Sequence[Value], index: int) -> int:
    if not 0 <= index < len(items):
        raise TemplateError(f"The index {index} is outside a list of {len(items)} items.")
    return index


def _key(value: Value) -> Value:
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TemplateError("A key of a map must be a text, a number or a boolean.")


def _typed(arguments: Arguments, *signature: type | tuple[type, ...]) -> None:
    if len(arguments) != len(signature) or not all(map(isinstance, arguments, signature)):
        raise _NoSuchMethodError
    for value, expected in zip(arguments, signature, strict=True):
        if expected is int and isinstance(value, bool):
            raise _NoSuchMethodError


def _plain(function: Callable[..., Value], *signature: type | tuple[type, ...]) -> Method:
    """A method that needs no budget beyond reading its target."""

    def method(budget: Budget, target: Value, arguments: Arguments) -> Value:
        _typed(arguments, *signature)
        if isinstance(target, str):
            budget.read(len(target))
        return function(target, *arguments)

    return method


# Texts


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise TemplateError(f"A text of {len(text)} characters has no part {start} to {stop}.")
    return text[start:stop]


def _substring_method(budget: Budget, text: str, arguments: Arguments) -> str:
    _typed(arguments, *((int,) * max(1, min(len(arguments), 2))))
    part = _substring(text, *arguments)
    budget.make(len(part))
    return part


def _replace(budget: Budget, text: str, arguments: Arguments) -> str:
    _typed(arguments, str, str)
    old, new = arguments
    budget.read(len(text))
    times = text.count(old)
    budget.make(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new)


def _replace_pattern(count: int | None) -> Method:
    def method(budget: Budget, text: str, arguments: Arguments) -> str:
        _typed(arguments, str, str)
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
    _typed(arguments, str, *((int,) if len(arguments) > 1 else ()))
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
    _typed(arguments, str)
    try:
        return compile_pattern(arguments[0]).matches(text, budget.pattern_work)
    except PatternError as error:
        raise TemplateError(str(error)) from None


def _made(function: Callable[..., str], *signature: type) -> Method:
    """A method that makes a text about as long as its target and arguments."""

    def method(budget: Budget, text: str, arguments: Arguments) -> str:
        _typed(arguments, *signature)
        budget.make(len(text) + sum(len(argument) for argument in arguments))
        return function(text, *arguments)

    return method


def _hash_code(text: str) -> int:
    code = 0
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        code = (31 * code + unit) & 0xFFFFFFFF
    return code - (1 << 32) if code >= 1 << 31 else code


def _hash_method(budget: Budget, text: str, arguments: Arguments) -> int:
    _typed(arguments)
    budget.step(len(text) // 10)
    return _hash_code(text)


def _index_of(budget: Budget, text: str, arguments: Arguments) -> int:
    _typed(arguments, str, *((int,) if len(arguments) > 1 else ()))
    budget.read(len(text))
    return text.find(arguments[0], *(max(0, start) for start in arguments[1:]))


def _char_at(text: str, index: int) -> str:
    return text[_position(text, index)]


_TEXT: Mapping[str, Method] = {
    "length": _plain(len),
    "isEmpty": _plain(lambda text: not text),
    "substring": _substring_method,
    "indexOf": _index_of,
    "lastIndexOf": _plain(str.rfind, str),
    "contains": _plain(lambda text, part: part in text, str),
    "startsWith": _plain(str.startswith, str),
    "endsWith": _plain(str.endswith, str),
    "equalsIgnoreCase": _plain(lambda text, other: text.lower() == other.lower(), str),
    "charAt": _plain(_char_at, int),
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


# Maps


def _put(target: dict[Value, Value], key: Value, value: Value) -> Value:
    previous = target.get(_key(key))
    target[key] = value
    return previous


def _put_all(budget: Budget, target: dict[Value, Value], arguments: Arguments) -> None:
    _typed(arguments, dict)
    budget.step(len(arguments[0]))
    target.update(arguments[0])


def _contains_value(budget: Budget, target: dict[Value, Value], arguments: Arguments) -> bool:
    _typed(arguments, object)
    return any(are_equal(value, arguments[0], budget) for value in target.values())


def _listed(function: Callable[[dict[Value, Value]], list[Value]]) -> Method:
    def method(budget: Budget, target: dict[Value, Value], arguments: Arguments) -> list[Value]:
        _typed(arguments)
        budget.step(len(target))
        return function(target)

    return method


_MAP: Mapping[str, Method] = {
    "get": _plain(lambda target, key: target.get(_key(key)), object),
    "put": _plain(_put, object, object),
    "putAll": _put_all,
    "remove": _plain(lambda target, key: target.pop(_key(key), None), object),
    "containsKey": _plain(lambda target, key: _key(key) in target, object),
    "containsValue": _contains_value,
    "keySet": _listed(list),
    "values": _listed(lambda target: list(target.values())),
    "entrySet": _listed(lambda target: [Entry(*item) for item in target.items()]),
    "size": _plain(len),
    "isEmpty": _plain(lambda target: not target),
}


# Lists


def _find(budget: Budget, items: list[Value], arguments: Arguments) -> int:
    _typed(arguments, object)
    for index, item in enumerate(items):
        if are_equal(item, arguments[0], budget):
            return index
    return -1


def _add(budget: Budget, items: list[Value], arguments: Arguments) -> bool | None:
    if len(arguments) == 1:
        items.append(arguments[0])
        return True
    _typed(arguments, int, object)
    index = arguments[0]
    if index != len(items):
        _position(items, index)
    budget.read(len(items))
    items.insert(index, arguments[1])
    return None


def _add_all(budget: Budget, items: list[Value], arguments: Arguments) -> bool:
    _typed(arguments, list)
    budget.step(len(arguments[0]))
    items.extend(list(arguments[0]))
    return bool(arguments[0])


def _remove(budget: Budget, items: list[Value], arguments: Arguments) -> Value:
    _typed(arguments, object)
    budget.read(len(items))
    if is_number(arguments[0]) and isinstance(arguments[0], int):
        return items.pop(_position(items, arguments[0]))
    index = _find(budget, items, arguments)
    if index >= 0:
        items.pop(index)
    return index >= 0


def _set(items: list[Value], index: int, value: Value) -> Value:
    previous = items[_position(items, index)]
    items[index] = value
    return previous


_LIST: Mapping[str, Method] = {
    "get": _plain(lambda items, index: items[_position(items, index)], int),
    "set": _plain(_set, int, object),
    "add": _add,
    "addAll": _add_all,
    "remove": _remove,
    "contains": lambda budget, items, arguments: _find(budget, items, arguments) >= 0,
    "indexOf": _find,
    "size": _plain(len),
    "isEmpty": _plain(lambda items: not items),
}


# Others


def _to_whole(number: float) -> int:
    return int(number) if math.isfinite(number) else 0


def _to_double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _to_string(budget: Budget, target: Value, arguments: Arguments) -> str:
    _typed(arguments)
    return to_text(target, budget)


def _equals(budget: Budget, target: Value, arguments: Arguments) -> bool:
    _typed(arguments, object)
    is_same_kind = type(target) is type(arguments[0]) or isinstance(target, (list, dict))
    return is_same_kind and are_equal(target, arguments[0], budget)


_COMMON: Mapping[str, Method] = {"toString": _to_string, "equals": _equals}
_NUMBER: Mapping[str, Method] = {
    "intValue": _plain(_to_whole),
    "longValue": _plain(_to_whole),
    "doubleValue": _plain(_to_double),
}
_ENTRY: Mapping[str, Method] = {
    "getKey": _plain(lambda entry: entry.key),
    "getValue": _plain(lambda entry: entry.value),
}
_NONE: Mapping[str, Method] = {}


def _table_of(target: Value) -> Mapping[str, Method]:
    match target:
        case str():
            return _TEXT
        case dict():
            return _MAP
        case list():
            return _LIST
        case Entry():
            return _ENTRY
        case bool() | None:
            return _NONE
        case int() | float():
            return _NUMBER
    return _NONE
