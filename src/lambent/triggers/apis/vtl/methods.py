"""The methods of values. Nothing else can be called: tables are closed, and no name that a template
uses is ever looked up on a Python object."""

import math
from collections.abc import Callable, Mapping

from lambent.triggers.apis.vtl.budget import Budget
from lambent.triggers.apis.vtl.signatures import (
    Arguments,
    Method,
    NoSuchMethodError,
    key_of,
    plain,
    position,
    typed,
)
from lambent.triggers.apis.vtl.text_methods import TEXT_METHODS
from lambent.triggers.apis.vtl.values import (
    Entry,
    Facts,
    Host,
    Value,
    are_equal,
    is_number,
    to_text,
)


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
    except NoSuchMethodError:
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
        return target.get(key_of(index))
    if isinstance(target, list) and isinstance(index, int) and not isinstance(index, bool):
        return target[position(target, index + len(target) if index < 0 else index)]
    return None


def set_item(budget: Budget, target: Value, index: Value, value: Value) -> None:
    """`#set($target[index] = value)` and `#set($target.index = value)`; nothing if the target is
    neither map nor list."""
    budget.step()
    if isinstance(target, dict):
        target[key_of(index)] = value
    elif isinstance(target, list) and isinstance(index, int):
        target[position(target, index)] = value


# Maps


def _put(target: dict[Value, Value], key: Value, value: Value) -> Value:
    previous = target.get(key_of(key))
    target[key] = value
    return previous


def _put_all(budget: Budget, target: dict[Value, Value], arguments: Arguments) -> None:
    typed(arguments, dict)
    budget.step(len(arguments[0]))
    target.update(arguments[0])


def _contains_value(budget: Budget, target: dict[Value, Value], arguments: Arguments) -> bool:
    typed(arguments, object)
    return any(are_equal(value, arguments[0], budget) for value in target.values())


def _listed(function: Callable[[dict[Value, Value]], list[Value]]) -> Method:
    def method(budget: Budget, target: dict[Value, Value], arguments: Arguments) -> list[Value]:
        typed(arguments)
        budget.step(len(target))
        return function(target)

    return method


_MAP: Mapping[str, Method] = {
    "get": plain(lambda target, key: target.get(key_of(key)), object),
    "put": plain(_put, object, object),
    "putAll": _put_all,
    "remove": plain(lambda target, key: target.pop(key_of(key), None), object),
    "containsKey": plain(lambda target, key: key_of(key) in target, object),
    "containsValue": _contains_value,
    "keySet": _listed(list),
    "values": _listed(lambda target: list(target.values())),
    "entrySet": _listed(lambda target: [Entry(*item) for item in target.items()]),
    "size": plain(len),
    "isEmpty": plain(lambda target: not target),
}


# Lists


def _find(budget: Budget, items: list[Value], arguments: Arguments) -> int:
    typed(arguments, object)
    for index, item in enumerate(items):
        if are_equal(item, arguments[0], budget):
            return index
    return -1


def _add(budget: Budget, items: list[Value], arguments: Arguments) -> bool | None:
    if len(arguments) == 1:
        items.append(arguments[0])
        return True
    typed(arguments, int, object)
    index = arguments[0]
    if index != len(items):
        position(items, index)
    budget.read(len(items))
    items.insert(index, arguments[1])
    return None


def _add_all(budget: Budget, items: list[Value], arguments: Arguments) -> bool:
    typed(arguments, list)
    budget.step(len(arguments[0]))
    items.extend(list(arguments[0]))
    return bool(arguments[0])


def _remove(budget: Budget, items: list[Value], arguments: Arguments) -> Value:
    typed(arguments, object)
    budget.read(len(items))
    if is_number(arguments[0]) and isinstance(arguments[0], int):
        return items.pop(position(items, arguments[0]))
    index = _find(budget, items, arguments)
    if index >= 0:
        items.pop(index)
    return index >= 0


def _set(items: list[Value], index: int, value: Value) -> Value:
    previous = items[position(items, index)]
    items[index] = value
    return previous


_LIST: Mapping[str, Method] = {
    "get": plain(lambda items, index: items[position(items, index)], int),
    "set": plain(_set, int, object),
    "add": _add,
    "addAll": _add_all,
    "remove": _remove,
    "contains": lambda budget, items, arguments: _find(budget, items, arguments) >= 0,
    "indexOf": _find,
    "size": plain(len),
    "isEmpty": plain(lambda items: not items),
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
    typed(arguments)
    return to_text(target, budget)


def _equals(budget: Budget, target: Value, arguments: Arguments) -> bool:
    typed(arguments, object)
    is_same_kind = type(target) is type(arguments[0]) or isinstance(target, (list, dict))
    return is_same_kind and are_equal(target, arguments[0], budget)


_COMMON: Mapping[str, Method] = {"toString": _to_string, "equals": _equals}
_NUMBER: Mapping[str, Method] = {
    "intValue": plain(_to_whole),
    "longValue": plain(_to_whole),
    "doubleValue": plain(_to_double),
}
_ENTRY: Mapping[str, Method] = {
    "getKey": plain(lambda entry: entry.key),
    "getValue": plain(lambda entry: entry.value),
}
_NONE: Mapping[str, Method] = {}


def _table_of(target: Value) -> Mapping[str, Method]:
    match target:
        case str():
            return TEXT_METHODS
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
